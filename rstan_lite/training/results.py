"""What a training leaves in its folder: model, predictions, card and, last of all, metrics.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rstan_lite.data.splits import part_name
from rstan_lite.model import RSTAN
from rstan_lite.system.devices import peak_gpu_memory, peak_memory
from rstan_lite.system.files import write_atomically
from rstan_lite.system.settings import shown
from rstan_lite.system.tables import markdown
from rstan_lite.training import run_folder
from rstan_lite.training.batches import ClipFeatures
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.evaluation import Evaluation, accuracy_interval, confusion, per_class
from rstan_lite.training.loop import Fit
from rstan_lite.training.parts import Parts
from rstan_lite.training.profiles import NOT_STATED, beside_paper

CARD = "MODEL_CARD.md"
NAMED = 3  # best and worst classes


def write_results(
    config: TrainConfig,
    out: Path,
    parts: Parts,
    model: RSTAN,
    trained: Fit,
    results: Mapping[str, Evaluation],
    processes: int,
) -> dict[str, Any]:
    """Finish a run's folder: a run is finished where metrics.json, whose content is returned, is.

    results: of the parts "validation" and "test". processes: that shared the training.
    """
    test, versions, device = results["test"], run_folder.versions(), next(model.parameters()).device
    about = run_folder.Description(
        model=asdict(model.config),
        head=config.dataset,
        classes=parts.train.classes,
        scales=dict(parts.train.scales),
        networks=dict(parts.networks),
        best_epoch=trained.best_epoch,
        versions=versions,
        second_head=config.second_head,
        second_classes=parts.second.classes if parts.second is not None else (),
    )
    run_folder.save_model(out, model, about)
    run_folder.write_log(out / run_folder.LOG, trained.log)
    for part, features in (("validation", parts.validation), ("test", parts.test)):
        save_predictions(out / run_folder.PREDICTIONS[part], features, results[part])
    counts = confusion(test.scores, test.labels)
    run_folder.write_confusion(out / run_folder.CONFUSION, counts, parts.test.classes)
    metrics = {
        **part_metrics(test, parts.test),
        "validation_accuracy": results["validation"].accuracy,
        "n_train": len(parts.train),
        "n_validation": len(parts.validation),
        "missing_clips": list(parts.missing),
        "damaged_clips": {part: dict(found) for part, found in parts.damaged.items()},
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
        "world_size": processes,
        "seed": config.seed,
        "versions": versions,
    }
    write_atomically(out / CARD, model_card(config, metrics).encode())
    run_folder.write_json(out / run_folder.METRICS, metrics)
    return metrics


def part_metrics(result: Evaluation, features: ClipFeatures, part: str = "test") -> dict[str, Any]:
    """The numbers of an evaluation on a part of the clips, by their names in metrics.json."""
    right = int((result.scores.argmax(1) == result.labels).sum())
    ends = accuracy_interval(right, len(features))
    return {
        f"{part}_accuracy": result.accuracy,
        "per_class": per_class(result.scores, result.labels, features.classes),
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


def _second(config: TrainConfig, parts: Parts, trained: Fit) -> dict[str, Any] | None:
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
        "damaged_clips": {part: dict(found) for part, found in parts.second_damaged.items()},
        "judged_clips_in_it": list(parts.second_shared),
        "train_loss": trained.log[-1].second_loss,
        "train_accuracy": trained.log[-1].second_accuracy,
    }


def _networks(config: TrainConfig, parts: Parts) -> dict[str, dict[str, Any]]:
    """By stream: what made the features, and whether it has seen clips that are judged."""
    presets = {"motion": config.motion_backbone or config.backbone, "appearance": config.backbone}
    return {
        stream: {
            "backbone": presets[stream],
            "hash": digest,
            **parts.seen.get(stream, {"file": path}),
        }
        for stream, (path, digest) in parts.networks.items()
    }


# -- the card, after Mitchell et al., Model Cards for Model Reporting (FAT* 2019)

_DATA = {
    "puppets": "Clips that rstan_lite draws: a score on them says nothing about real video",
    "jhmdb": "JHMDB (Jhuang et al., ICCV 2013), for research use; cut from HMDB51",
    "ucf101": "UCF101 (Soomro et al., 2012), for research use",
    "hmdb51": "HMDB51 (Kuehne et al., ICCV 2011), for research use; JHMDB was cut from it",
}
_ATTENTION = {
    "none": "no attention (LSTM)",
    "current": "attention to places of the current frame",
    "window": "attention to {window} frames from the current one on",
    "all": "attention to all frames",
}


def model_card(config: TrainConfig, metrics: Mapping[str, Any]) -> str:
    """Markdown of a finished run. metrics: the content of its metrics.json."""
    settings = beside_paper(config)
    differing = [(s.name, shown(s.value), shown(s.stated)) for s in settings if s.differs]
    table = "\n".join(markdown(("setting", "here", "the paper"), differing))
    attention = _ATTENTION[config.attention].format(window=config.window)
    fusion = "" if config.fusion == "none" else f"; streams' attention fused by {config.fusion}"
    hint = "" if config.aa_kind == "none" else f"; silhouettes in training ({config.aa_kind})"
    networks = "\n".join(
        f"- {stream}: {one['backbone']}, weights with SHA-256 {one['hash'][:16]}..."
        for stream, one in metrics["networks"].items()
    )
    data = (
        f"{_DATA[config.dataset]}. {metrics['n_train']} clips trained, "
        f"{metrics['n_validation']} chose the epoch, {metrics['n_test']} were tested."
    )
    if missing := metrics["missing_clips"]:
        data += f" {len(missing)} clips that the lists name were missing."
    if config.second_dataset != "none":
        data += f" Trained beside {config.second_dataset}, split {config.second_split}."
    part = part_name(config.split, config.fold)
    return f"""# RSTAN on {config.dataset}, {part}, seed {config.seed}

## Model

{" and ".join(config.streams)}; {attention}{fusion}{hint}. {metrics["parameters"]:,} parameters, \
without the networks that make its features:

{networks}

## Data

{data}

## Results

{_bullets(_results(metrics))}

## Settings

Beside what the paper states:

{table}

Of {sum(s.stated is None for s in settings)} further settings the paper says nothing ({NOT_STATED} \
in `--dry-run`).

## Limits

{_bullets(_limits(config, metrics))}

## Use

`rstan-lite predict VIDEO --run` this folder names the action in a video; `rstan-lite evaluate` \
tests again; `config.json` holds every setting, `checkpoint.json` what a prediction needs beside \
the weights.
"""


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _results(metrics: Mapping[str, Any]) -> list[str]:
    lines = [f"test accuracy: {_percent(metrics['test_accuracy'])}"]
    if metrics["test_interval"]:
        low, high = metrics["test_interval"]
        lines[0] += f" (95 % interval {low:.1%} to {high:.1%}, clips taken as independent)"
    lines.append(f"validation accuracy: {_percent(metrics['validation_accuracy'])}")
    if metrics["attention_on_silhouette"] is not None:
        lines.append(
            f"attention on the silhouette: {metrics['attention_on_silhouette']:.0%} "
            f"(even attention: {metrics['silhouette_area']:.0%})"
        )
    known = {name: share for name, share in metrics["per_class"].items() if share is not None}
    order = sorted(known, key=lambda name: known[name])
    for word, names in (("weakest", order[:NAMED]), ("strongest", order[::-1][:NAMED])):
        lines.append(f"{word}: " + ", ".join(f"{name} {known[name]:.0%}" for name in names))
    return lines


def _limits(config: TrainConfig, metrics: Mapping[str, Any]) -> list[str]:
    fold = "The accuracy is that of a fold of the training list, not of the test list."
    lines = [
        "One seed of one split: another seed moves the accuracy by points.",
        *([fold] if config.fold else []),
        f"It knows {len(metrics['per_class'])} actions and names one of them for any video, "
        "also for one that shows none.",
        "Attention shows what the recurrence weighed, not why it decided.",
        "Not for judging or watching people: it was made for teaching and research.",
    ]
    if not metrics["n_validation"]:
        lines.append("No clip was held out: its last epoch was taken.")
    for stream, one in metrics["networks"].items():
        for part in ("test", "validation"):
            if one[f"saw_{part}"] or one[f"saw_{part}"] is None:
                said = "has" if one[f"saw_{part}"] else "may have"
                why = one[f"{part}_why"]
                lines.append(f"The {stream} network {said} seen {part} clips: {why}.")
    return lines


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"
