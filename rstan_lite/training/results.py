"""What a training leaves in its folder: model, predictions and, last of all, metrics.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.model import RSTAN
from rstan_lite.system.devices import peak_gpu_memory, peak_memory, torch_threads
from rstan_lite.training import run_folder
from rstan_lite.training.checkpoint import Progress
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.evaluation import Evaluation, accuracy_interval, confusion, per_class
from rstan_lite.training.parts import Parts


def write_results(
    config: TrainConfig, out: Path, parts: Parts, model: RSTAN, trained: Progress,
    results: Mapping[str, Evaluation], processes: int,
) -> dict[str, Any]:  # fmt: skip
    """Finish a run's folder: a run is finished where metrics.json, whose content is returned, is.

    results: of the parts "validation" and "test". processes: that shared the training.
    """
    test, versions, device = results["test"], run_folder.versions(), next(model.parameters()).device
    about = run_folder.Description(
        model=asdict(model.config),
        head=config.head,
        classes=parts.train.classes,
        scales=dict(parts.train.scales),
        networks=dict(parts.networks),
        best_epoch=trained.best_epoch,
        versions=versions,
        second_head=config.second_head,
        second_classes=parts.second.classes if parts.second is not None else (),
        short_side=parts.short_side,
        data=parts.data,
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
        "threads": torch_threads(),
        "world_size": processes,
        "seed": config.seed,
        "versions": versions,
    }
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
    presets = {"motion": config.motion_backbone or config.backbone, "appearance": config.backbone}
    found: dict[str, dict[str, Any]] = {}
    for stream, (path, digest) in parts.networks.items():
        found[stream] = {"backbone": presets[stream], "hash": digest, "file": path}
        found[stream] |= parts.seen.get(stream, {})
    return found
