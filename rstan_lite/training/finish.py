"""What a training leaves in its folder: model, predictions, card and, last of all, metrics.json."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.model.rstan import RSTAN
from rstan_lite.system.files import write_atomically
from rstan_lite.system.ranks import Ranks
from rstan_lite.training import card, runs
from rstan_lite.training.checkpoint import Description, save_model
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.evaluate import Evaluation, evaluate
from rstan_lite.training.logs import write_csv
from rstan_lite.training.loop import Fit
from rstan_lite.training.metrics import confusion
from rstan_lite.training.outcome import part_metrics, save_predictions
from rstan_lite.training.second import second_metrics

if TYPE_CHECKING:
    from rstan_lite.training.train import Parts


def finish(
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
        "damaged_clips": {part: dict(found) for part, found in parts.damaged.items()},
        "second": second_metrics(config, parts, trained.log[-1]),
        "networks": _networks(config, parts),
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
    write_atomically(out / card.FILE, card.model_card(config, metrics).encode())
    runs.write_json(out / runs.METRICS, metrics)  # last: a run is finished where this is there
    return metrics


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
