"""A whole run: features to model to numbers in a folder."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from rstan_lite.data.datasets import open_clips
from rstan_lite.data.splits import part_name
from rstan_lite.features.networks import shipped
from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.model import RSTAN, RSTANConfig, rstan
from rstan_lite.system.devices import choose_device, peak_gpu_memory, peak_memory
from rstan_lite.system.errors import DataError
from rstan_lite.system.files import alone, clear_parts
from rstan_lite.system.settings import replaced, whole_paths
from rstan_lite.system.tensor_files import weights_hash
from rstan_lite.system.threads import for_work
from rstan_lite.training import evaluation as judging
from rstan_lite.training import run_folder
from rstan_lite.training.checkpoint import RESUME, EpochLog, Progress, Versions
from rstan_lite.training.config import FOLDERS, STREAMS, TrainConfig, read_config
from rstan_lite.training.evaluation import Evaluation, evaluate
from rstan_lite.training.loop import Task, fit
from rstan_lite.training.parts import Parts, feature_settings, load_parts, scaled, warn_of_seen


def build_model(
    config: TrainConfig, features: ClipFeatures, second: ClipFeatures | None = None
) -> RSTAN:
    """A fresh RSTAN whose sizes fit the features, drawn from the configuration's seed."""
    heads = {config.head: len(features.classes)}
    if second is not None:
        heads[config.second_head] = len(second.classes)
    d_cv = {s: int(features.cubes[s].shape[-1]) for s in config.streams}
    d_fc = {s: int(features.vectors[s].shape[-1]) for s in config.streams}
    names = {spec.name for spec in fields(RSTANConfig)}  # of sizes and variants
    shared = {name: value for name, value in asdict(config).items() if name in names}
    torch.manual_seed(config.seed)
    return RSTAN(RSTANConfig(d_cv=d_cv, d_fc=d_fc, heads=heads, **shared))


def train(
    config: TrainConfig, out: str | Path, parts: Parts | None = None, *,
    on_epoch: Callable[[EpochLog], None] | None = None, progress: bool = True,
    stop_after: int | None = None,
) -> dict[str, Any] | None:  # fmt: skip
    """Train, choose on validation, test, and write everything into the folder `out`.

    The same call goes on where an interrupted one stopped, and only reports where one finished.
    parts: features; None for the configuration's. stop_after: leave, to go on, after that epoch.
    Returns metrics.json's content; None where it left before the end.
    Raises ConfigError where `out` holds a run of other settings, BusyError where another process
    works there, Interrupted (saved: the same call goes on), and what its steps raise.
    """
    out, config = Path(out), whole_paths(config, FOLDERS, "input_weights")
    with ExitStack() as stack:
        # Look at the folder, and prepare the features: from the store, or from the clips.
        begun = as_begun(out, config)
        run_folder.check(out, begun)
        done = _finished(out)
        device = choose_device(config.device)  # complain before the work, not after it
        if done is None:
            stack.enter_context(alone(out, "a run that is trained"))
            done = _finished(out)  # by a process that was here until now
        if done is not None:
            if begun != config:
                run_folder.write_config(out, config)
            return done
        clear_parts(out)
        parts = scaled(config, load_parts(config, progress) if parts is None else parts)
        run_folder.write_config(out, config)
        warn_of_seen(parts.seen)

        # The model, and the loop, which leaves the best epoch's weights in it.
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        own = config.second_head, config.second_batch_size, config.second_weight
        second = Task(parts.second, *own) if parts.second is not None else None  # Eq. 17 alone
        model = build_model(config, parts.train, parts.second)
        stack.enter_context(for_work(config.batch_size * sum(map(torch.numel, model.parameters()))))
        if progress:
            _introduce(config, parts, f"recurrence {model.plan(device)}")
        trained = fit(
            model, parts.train, parts.validation, config, second=second, resume=out / RESUME,
            run=_identity(parts), on_epoch=on_epoch, progress=progress, stop_after=stop_after,
            on_save=lambda epochs: run_folder.write_log(out / run_folder.LOG, epochs),
        )  # fmt: skip
        if trained.iteration < config.iterations:
            return None

        # The chosen model on clips that it was not trained on.
        frames, precise = config.test_frames, config.precision
        results = {
            part: evaluate(model, features, config.head, frames, precision=precise)
            for part, features in (("validation", parts.validation), ("test", parts.test))
        }
        metrics = write_results(config, out, parts, model, trained, results)
        Versions(out / RESUME).remove()
        return metrics


def as_begun(out: Path, config: TrainConfig) -> TrainConfig:
    """The configuration with the paths that a run began with, where they mean what is there now.

    Of a finished run, identities and hashes tell; of another one, its checkpoint when it is read.
    """
    if not (out / run_folder.CONFIG).exists():
        return config
    old, found = read_config(out / run_folder.CONFIG), dict[str, Any]()
    finished = (out / run_folder.DESCRIPTION).exists()
    for name in ("root", "second_root", "appearance_weights", "motion_weights", "flow_weights"):
        was, now = getattr(old, name), getattr(config, name)
        if was == now or not (was and now):
            continue
        same = Path(was).resolve() == Path(now).resolve() or not finished
        if not same and name == "root":
            with suppress(DataError):  # of what is no data set; none is generated to be looked at
                there = open_clips(config.dataset, now, config.split, missing="skip").identity()
                same = there == run_folder.load_model(out)[1].data
        elif not same and name != "second_root" and all(Path(p).is_file() for p in (was, now)):
            same = weights_hash(was) == weights_hash(now)
        found |= {name: was} if same else {}
    return replace(config, **found)


def _finished(out: Path) -> dict[str, Any] | None:
    """What a finished run measured, without the checkpoints that a kill may have left behind."""
    if (done := run_folder.read_metrics(out)) is not None:
        Versions(out / RESUME).remove()
    return done


def _introduce(config: TrainConfig, parts: Parts, how: str) -> None:
    """Say what is trained on."""
    sizes = {"training": parts.train, "validation": parts.validation, "test": parts.test}
    said = ", ".join(f"{len(part)} {name}" for name, part in sizes.items())
    part = part_name(config.split, config.fold)
    print(f"{config.dataset}, {part}: {said} clips; {how}", file=sys.stderr)
    made = [s for s in STREAMS if Path(parts.networks.get(s, ("",))[0]) == shipped(s)]
    if made and config.dataset != "puppets":
        said = f"trained on generated clips, not on yours: the networks of {', '.join(made)}"
        print(f"{said}; `rstan-lite tune` trains them on your clips", file=sys.stderr)
    if parts.second is not None:
        print(f"beside it {config.second_head}: {len(parts.second)} clips", file=sys.stderr)


def _identity(parts: Parts) -> str:
    """Text that two runs share only if they train on the same clips, through the same networks."""
    hashes = [*(found for _, found in parts.networks.values()), *parts.code.values()]
    hashes += replaced(rstan).values()
    names = [*parts.train.names, "", *parts.validation.names, "", *hashes]
    if parts.second is not None:
        names += ["", *parts.second.names]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def write_results(
    config: TrainConfig, out: Path, parts: Parts, model: RSTAN, trained: Progress,
    results: Mapping[str, Evaluation],
) -> dict[str, Any]:  # fmt: skip
    """Finish a run's folder. results: of "validation" and "test". Returns what metrics.json has."""
    test, versions, device = results["test"], run_folder.versions(), next(model.parameters()).device
    about = run_folder.Description(
        model=asdict(model.config), head=config.head, classes=parts.train.classes,
        scales=dict(parts.train.scales), networks=dict(parts.networks), versions=versions,
        best_epoch=trained.best_epoch, second_head=config.second_head,
        second_classes=parts.second.classes if parts.second is not None else (),
        short_side=parts.short_side, data=parts.data, code={**parts.code}, replaced=replaced(rstan),
    )  # fmt: skip
    run_folder.save_model(out, model, about)
    run_folder.write_log(out / run_folder.LOG, trained.log)
    for part, features in (("validation", parts.validation), ("test", parts.test)):
        save_predictions(out / run_folder.PREDICTIONS[part], features, results[part])
    counts = judging.confusion(test.scores, test.labels)
    run_folder.write_confusion(out / run_folder.CONFUSION, counts, parts.test.classes)
    metrics = {
        **part_metrics(test, parts.test),
        "validation_accuracy": results["validation"].accuracy,
        "n_train": len(parts.train),
        "n_validation": len(parts.validation),
        "missing_clips": list(parts.missing),
        "damaged_clips": parts.damaged,
        "second": _second(config, parts, trained),
        "networks": _networks(config, parts),
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.log),
        "iterations": trained.log[-1].iteration,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(trained.seconds, 1),
        "peak_memory": peak_memory(),
        "peak_gpu_memory": peak_gpu_memory(),
        "device": str(device),
        "recurrence": str(model.plan(device)),
        "threads": torch.get_num_threads(),
        "world_size": 1,
        "seed": config.seed,
        "versions": versions,
    }
    run_folder.write_json(out / run_folder.METRICS, metrics)
    return metrics


def part_metrics(result: Evaluation, features: ClipFeatures, part: str = "test") -> dict[str, Any]:
    """The numbers of an evaluation on a part of the clips, by their names in metrics.json."""
    right = int((result.scores.argmax(1) == result.labels).sum())
    ends = judging.accuracy_interval(right, len(features))
    return {
        f"{part}_accuracy": result.accuracy,
        "per_class": judging.per_class(result.scores, result.labels, features.classes),
        f"n_{part}": len(features),
        f"{part}_interval": list(ends) if ends else None,
        "attention_on_silhouette": result.attention_share,
        "silhouette_area": result.area_share,
    }


def save_predictions(path: Path, features: ClipFeatures, result: Evaluation) -> None:
    """Scores of a part's clips, in the features' order."""
    names, labels, scores = tuple(features.names), result.labels.numpy(), result.scores.numpy()
    found = run_folder.Predictions(names, labels, scores, features.classes)
    run_folder.write_predictions(path, found)


def _second(config: TrainConfig, parts: Parts, trained: Progress) -> dict[str, Any] | None:
    """What a second data set was, and how well the last epoch named its training clips."""
    if parts.second is None:
        return None
    return {
        "dataset": config.second_dataset,
        "split": config.second_split,
        "n_train": len(parts.second),
        "n_classes": len(parts.second.classes),
        "batch_size": config.second_batch_size,
        "weight": config.second_weight,
        "missing_clips": list(parts.second_missing),
        "damaged_clips": parts.second_damaged,
        "judged_clips_in_it": list(parts.second_shared),
        "train_loss": trained.log[-1].second_loss,
        "train_accuracy": trained.log[-1].second_accuracy,
    }


def _networks(config: TrainConfig, parts: Parts) -> dict[str, dict[str, Any]]:
    """By stream: what made the features, and whether it has seen clips that are judged."""
    settings = feature_settings(config, dict.fromkeys(config.streams, ""))
    found: dict[str, dict[str, Any]] = {}
    for stream, (path, digest) in parts.networks.items():
        found[stream] = {"backbone": settings.backbone_of(stream), "hash": digest, "file": path}
        if function := settings.function_of(stream):
            found[stream]["function"] = function
        found[stream] |= parts.seen.get(stream, {})
    return found
