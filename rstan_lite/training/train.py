"""A whole run: features to model to numbers in a folder."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from rstan_lite.devices import choose_device
from rstan_lite.model.config import RSTANConfig
from rstan_lite.model.rstan import RSTAN
from rstan_lite.training import runs
from rstan_lite.training.batches import ClipFeatures, measure_scales
from rstan_lite.training.checkpoint import Description, save_model
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.evaluate import Evaluation, evaluate
from rstan_lite.training.logs import EpochLog, TensorBoard, write_csv
from rstan_lite.training.loop import Fit, fit
from rstan_lite.training.metrics import confusion
from rstan_lite.training.outcome import part_metrics, save_predictions, warn_of_seen
from rstan_lite.training.ranks import ALONE, Ranks, check_batch
from rstan_lite.training.second import heads, second_metrics, second_task


@dataclass(frozen=True)
class Parts:
    """A data set's features, as a run needs them.

    missing: clips that the lists name in vain. networks: each stream's weights file, and its hash.
    second: training clips of a second data set, through the same networks, with its missing clips
    and those that the first one judges by.
    seen: by stream, whether its network was trained on clips of a part, see `networks_seen`.
    """

    train: ClipFeatures
    validation: ClipFeatures
    test: ClipFeatures
    missing: tuple[str, ...] = ()
    networks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    second: ClipFeatures | None = None
    second_missing: tuple[str, ...] = ()
    second_shared: tuple[str, ...] = ()
    seen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def build_model(
    config: TrainConfig, features: ClipFeatures, heads: dict[str, int] | None = None
) -> RSTAN:
    """A fresh RSTAN whose sizes fit the features, drawn from the configuration's seed.

    heads: numbers of classes by data set, for multi-task training; else the one of the features.
    """
    torch.manual_seed(config.seed)
    return RSTAN(
        RSTANConfig(
            streams=config.streams,
            d_cv={s: int(features.cubes[s].shape[-1]) for s in config.streams},
            d_fc={s: int(features.vectors[s].shape[-1]) for s in config.streams},
            heads=heads or {config.dataset: len(features.classes)},
            d_h=config.d_h,
            d_att=config.d_att,
            attention=config.attention,
            window=config.window,
            gamma_alpha=config.gamma_alpha,
            gamma_beta=config.gamma_beta,
            fusion=config.fusion,
            classifier=config.classifier,
            renormalize=config.renormalize,
            dropout=config.dropout,
            recurrence=config.recurrence,
        )
    )


def scaled(config: TrainConfig, parts: Parts) -> Parts:
    """The parts with the scales of the training part, where the configuration asks for them.

    A second data set has those of the first: it goes through the same networks and recurrence.
    """
    if config.scale == "none":
        return parts
    scales = measure_scales(parts.train)
    return replace(
        parts,
        train=replace(parts.train, scales=scales),
        validation=replace(parts.validation, scales=scales),
        test=replace(parts.test, scales=scales),
        second=None if parts.second is None else replace(parts.second, scales=scales),
    )


def train(
    config: TrainConfig,
    out: Path,
    parts: Parts | None = None,
    *,
    on_epoch: Callable[[EpochLog], None] | None = None,
    progress: bool = True,
    stop_after: int | None = None,
    ranks: Ranks = ALONE,
) -> dict[str, Any] | None:
    """Train, choose on validation, test, and write everything into the folder `out`.

    The same call goes on where an interrupted one stopped, and only reports where one finished.
    parts: features; None computes those of the configuration's data set, or takes them from the
    store. stop_after: leave after that epoch, to be continued. ranks: the processes that share the
    training; the first one makes features, prints and writes.
    Returns the content of metrics.json, None where it stopped before the end and in all processes
    but the first.
    Raises ConfigError where `out` holds a run of other settings, and what its steps raise.
    """
    with ranks.leader_first("features"):
        device = choose_device(config.device)  # complain before the work, not after it
        check_batch(ranks, config.batch_size)
        runs.check(out, config)
        done = runs.read_metrics(out)
        if done is not None:
            return done if ranks.leads else None
        if parts is None:
            from rstan_lite.training.features_source import load_parts

            parts = load_parts(config)
        if ranks.leads:
            runs.begin(out, config)
            warn_of_seen(parts.seen)
    progress = progress and ranks.leads
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    parts = scaled(config, parts)
    second = second_task(config, parts.second)
    model = build_model(config, parts.train, heads(config, parts.train, parts.second))
    if progress:
        sizes = ", ".join(
            f"{len(part)} {name}"
            for name, part in zip(
                ("training", "validation", "test"),
                (parts.train, parts.validation, parts.test),
                strict=True,
            )
        )
        said = f"{sizes} clips; recurrence {model.plan(device)}"
        print(f"{config.dataset}, split {config.split}: {said}", file=sys.stderr)
        if second is not None:
            print(f"beside it {second.head}: {len(second.features)} clips", file=sys.stderr)
    board: TensorBoard | None = None

    def log(row: EpochLog) -> None:
        nonlocal board
        if board is None:
            board = TensorBoard(out, row.epoch)
            if not board.available and progress:
                print("TensorBoard is not installed: log.csv alone is written.", file=sys.stderr)
        board.add(row)
        if on_epoch:
            on_epoch(row)

    trained = fit(
        model,
        parts.train,
        parts.validation,
        config,
        second=second,
        resume=out / runs.RESUME,
        run=_identity(parts),
        on_epoch=log,
        on_save=lambda epochs: write_csv(out / "log.csv", epochs),
        progress=progress,
        stop_after=stop_after,
        ranks=ranks,
    )
    if board is not None:
        board.close()
    if not trained.finished:
        return None
    metrics = _finish(config, out, parts, model, trained, ranks)
    if ranks.leads:
        (out / runs.RESUME).unlink(missing_ok=True)
    return metrics


def _identity(parts: Parts) -> str:
    """Text that two runs share only if they train on the same clips, through the same networks."""
    hashes = [found for _, found in parts.networks.values()]
    names = [*parts.train.names, "", *parts.validation.names, "", *hashes]
    if parts.second is not None:
        names += ["", *parts.second.names]
    text = "\n".join(names)
    return hashlib.sha256(text.encode()).hexdigest()


def _finish(
    config: TrainConfig, out: Path, parts: Parts, model: RSTAN, trained: Fit, ranks: Ranks
) -> dict[str, Any] | None:
    """Model, predictions and, last of all, metrics.json; the first process alone writes them."""
    if ranks.leads:
        save_model(
            out,
            model,
            Description(
                model=asdict(model.config),
                head=config.dataset,
                classes=parts.train.classes,
                scales=dict(parts.train.scales),
                networks=dict(parts.networks),
                best_epoch=trained.best_epoch,
                versions=runs.versions(),
                second_head=config.second_head,
                second_classes=parts.second.classes if parts.second is not None else (),
            ),
        )
        write_csv(out / "log.csv", trained.log)
    results: dict[str, Evaluation] = {}
    how = (config.dataset, config.test_frames)
    for part, features in (("validation", parts.validation), ("test", parts.test)):
        results[part] = evaluate(model, features, *how, precision=config.precision, ranks=ranks)
        if ranks.leads:
            save_predictions(out / runs.PREDICTIONS[part], features, results[part])
    if not ranks.leads:
        return None
    test = results["test"]
    runs.write_confusion(
        out / runs.CONFUSION, confusion(test.scores, test.labels), parts.test.classes
    )
    metrics = {
        **part_metrics(test, parts.test),
        "validation_accuracy": results["validation"].accuracy,
        "n_train": len(parts.train),
        "n_validation": len(parts.validation),
        "missing_clips": list(parts.missing),
        "second": second_metrics(config, parts, trained.log[-1]),
        "networks": {stream: dict(seen) for stream, seen in parts.seen.items()},
        "best_epoch": trained.best_epoch,
        "epochs": len(trained.log),
        "iterations": trained.log[-1].iteration,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(trained.seconds, 1),
        "peak_memory": runs.peak_memory(),
        "peak_gpu_memory": runs.peak_gpu_memory(),
        "device": str(next(model.parameters()).device),
        "recurrence": str(model.plan(next(model.parameters()).device)),
        "world_size": ranks.size,
        "seed": config.seed,
        "versions": runs.versions(),
    }
    runs.write_json(out / runs.METRICS, metrics)
    return metrics
