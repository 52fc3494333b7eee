"""The run folder: what it holds, and how it is begun, continued and read."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import platform
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import rstan_lite
from rstan_lite.features.generations import Generations
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import check_regular, disk_errors, read_json
from rstan_lite.training.config import TrainConfig, differences, read_config

CONFIG, METRICS, CONFUSION = "config.json", "metrics.json", "confusion.csv"
RESUME, WEIGHTS, DESCRIPTION = "resume.pt", "checkpoint.safetensors", "checkpoint.json"
PREDICTIONS = {"test": "predictions.npz", "validation": "predictions_validation.npz"}
MAX_ARRAYS = 2**30  # bytes of a file of predictions: a million clips of a hundred classes take half
_PACKAGES = ("torch", "torchvision", "numpy", "lightning-fabric", "lightning", "torchmetrics", "av",
             "opencv-contrib-python-headless", "safetensors", "scikit-learn")  # fmt: skip


@dataclass(frozen=True)
class Predictions:
    """Scores of named clips.

    names: (n,). labels: (n,) int64, indices into classes; -1 where another system's file does not
    say it. scores: (n, C) float32; a run's rows sum to one.
    """

    names: tuple[str, ...]
    labels: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]


def check(folder: Path, config: TrainConfig) -> None:
    """Raise ConfigError where a folder holds work of other settings, naming those that differ.

    A folder in which nothing was saved yet, say after a wrong path, may still be begun anew.
    """
    path = folder / CONFIG
    begun = any((folder / name).exists() for name in (METRICS, WEIGHTS))
    begun = begun or Generations(folder / RESUME).exists()
    if begun and path.exists():
        differing = differences(read_config(path), config)
        if differing:
            raise ConfigError(
                folder,
                "a run with " + ", ".join(f"{k} {old!r}" for k, (old, _) in differing.items()),
                ", ".join(f"{k} {new!r}" for k, (_, new) in differing.items()),
                "Give another --out folder, or the settings that this run began with.",
            )
    elif begun:
        raise ConfigError(folder, f"results without {CONFIG}", "an empty folder or a run's")


def begin(folder: Path, config: TrainConfig) -> None:
    """Make a run folder for a configuration. Raises ConfigError as `check` does."""
    check(folder, config)
    if not (folder / CONFIG).exists() or differences(read_config(folder / CONFIG), config):
        write_atomically(folder / CONFIG, config.to_json().encode())


def write_json(path: Path, value: Any) -> None:
    """A JSON file, whole or not at all."""
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """What a finished run measured; None where it is not finished. CheckpointError if damaged."""
    path = folder / METRICS
    with disk_errors(CheckpointError, path, "a run folder"):
        if not path.exists():
            return None
    metrics = read_json(path, CheckpointError, "the metrics of a run")
    if not isinstance(metrics, dict):
        raise CheckpointError(path, f"a {type(metrics).__name__}", "the metrics of a run")
    return metrics


def write_predictions(path: Path, predictions: Predictions) -> None:
    """An .npz of arrays names, labels, scores, classes, without pickled objects."""
    buffer = io.BytesIO()
    np.savez(
        buffer,
        names=np.array(predictions.names, dtype=np.str_),
        labels=predictions.labels.astype(np.int64),
        scores=predictions.scores.astype(np.float32),
        classes=np.array(predictions.classes, dtype=np.str_),
    )
    write_atomically(path, buffer.getvalue())


def read_predictions(path: Path) -> Predictions:
    """Read what write_predictions wrote. Raises CheckpointError for anything else."""
    found = predictions_of(path, read_arrays(path))
    if not np.isfinite(found.scores).all():
        raise CheckpointError(path, "scores that are not finite", "one finite row a clip")
    return found


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, without pickled objects; CheckpointError where it is damaged."""
    check_regular(path, CheckpointError, "the predictions of a run")
    try:
        with np.load(path, allow_pickle=False) as file:
            size = sum(entry.file_size for entry in file.zip.infolist())
            if size > MAX_ARRAYS:
                raise ValueError(f"{size} bytes once unpacked, more than {MAX_ARRAYS}")
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError) as error:
        raise CheckpointError(path, str(error), "the predictions of a run") from error
    except Exception as error:  # zipfile and zlib raise their own kinds for damaged archives
        raise CheckpointError(
            path, f"a damaged archive ({error})", "a run's predictions"
        ) from error


def predictions_of(path: Path, arrays: Mapping[str, np.ndarray]) -> Predictions:
    """Predictions from arrays names, labels, scores, classes; CheckpointError where unfit."""
    lacking = [name for name in ("names", "labels", "scores", "classes") if name not in arrays]
    if lacking:
        raise CheckpointError(path, f"no array {lacking[0]}", "the predictions of a run")
    names, classes = arrays["names"], arrays["classes"]
    labels, scores = arrays["labels"], arrays["scores"]
    for name in ("names", "classes"):
        if arrays[name].ndim != 1 or arrays[name].dtype.kind != "U":
            found = f"{name} of shape {arrays[name].shape}, type {arrays[name].dtype}"
            raise CheckpointError(path, found, f"{name} as a row of texts")
    fits = scores.shape == (len(names), len(classes)) and labels.shape == (len(names),)
    if not fits or labels.dtype.kind != "i" or scores.dtype.kind != "f":
        found = f"scores {scores.shape} for {len(names)} names and {len(classes)} classes"
        raise CheckpointError(path, found, "one row a clip, one column a class")
    if len(labels) and not -1 <= labels.min() <= labels.max() < len(classes):
        found = f"labels from {labels.min()} to {labels.max()}"
        raise CheckpointError(path, found, f"indices of {len(classes)} classes, or -1: not known")
    return Predictions(tuple(names.tolist()), labels, scores, tuple(classes.tolist()))


def write_confusion(path: Path, counts: torch.Tensor, classes: Sequence[str]) -> None:
    """The confusion matrix: a row for each true class, a column for each predicted one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true class", *classes])
    for name, row in zip(classes, counts.tolist(), strict=True):
        writer.writerow([name, *row])
    write_atomically(path, text.getvalue().encode())


def versions() -> dict[str, str]:
    """Versions of Python, the package and what its numbers depend on."""
    found = {"python": platform.python_version(), "rstan_lite": rstan_lite.__version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def peak_memory() -> int:
    """Largest resident memory of this process so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return peak >> 20 if sys.platform == "darwin" else peak >> 10


def peak_gpu_memory() -> int | None:
    """Largest memory that tensors took on the GPU so far, MiB; None without one."""
    return torch.cuda.max_memory_allocated() >> 20 if torch.cuda.is_available() else None
