"""Late fusion: averaging the scores of finished runs on the same clips."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rstan_lite.errors import CheckpointError, ConfigError
from rstan_lite.training import runs
from rstan_lite.training.metrics import accuracy, confusion, per_class
from rstan_lite.training.runs import Predictions, read_predictions

STEPS = 10  # weights are tried in tenths
MOST = 6  # runs whose weights are searched: 3003 combinations of tenths
SHOWN = 5


@dataclass(frozen=True)
class Fused:
    """Fused test scores, and the weight of each run in them."""

    predictions: Predictions
    weights: tuple[float, ...]
    accuracy: float | None


def fuse(sources: Sequence[Path], how: str = "equal") -> Fused:
    """Average the test scores of runs, matched by clip name.

    sources: run folders, or .npz files of predictions (scores of any other method).
    how: "equal" weights, or the best ones on the runs' predictions of the validation part; test
    labels never decide. Among equally good weights those nearest to equal are taken.
    Raises ConfigError for fewer than two sources or another `how`, CheckpointError where the
    clips, labels or classes differ, naming clips.
    """
    if len(sources) < 2:
        raise ConfigError("fuse", f"{len(sources)} run", "two runs or more")
    if how not in ("equal", "validation"):
        raise ConfigError("--weights", repr(how), "one of equal, validation")
    weights = (1 / len(sources),) * len(sources)
    if how == "validation":
        if len(sources) > MOST:
            raise ConfigError("--weights validation", f"{len(sources)} runs", f"at most {MOST}")
        weights = _best_weights(_aligned(sources, "validation"))
    parts = _aligned(sources, "test")
    scores = _mixed(parts, weights)
    first = parts[0]
    fused = Predictions(first.names, first.labels, scores.astype(np.float32), first.classes)
    return Fused(fused, weights, _accuracy(scores, first.labels))


def save_fused(out: Path, fused: Fused, sources: Sequence[Path], how: str) -> dict[str, Any]:
    """Write predictions, confusion matrix and metrics.json, which is returned."""
    scores = torch.from_numpy(fused.predictions.scores)
    labels = torch.from_numpy(fused.predictions.labels)
    classes = fused.predictions.classes
    metrics = {
        "test_accuracy": fused.accuracy,
        "per_class": per_class(scores, labels, classes),
        "n_test": len(labels),
        "runs": [str(source) for source in sources],
        "weights": list(fused.weights),
        "weights_from": how,
        "versions": runs.versions(),
    }
    runs.write_predictions(out / runs.PREDICTIONS["test"], fused.predictions)
    runs.write_confusion(out / runs.CONFUSION, confusion(scores, labels), classes)
    runs.write_json(out / runs.METRICS, metrics)
    return metrics


def _aligned(sources: Sequence[Path], part: str) -> list[Predictions]:
    """The sources' predictions in the first one's order of clips."""
    found = [_read(source, part) for source in sources]
    first = found[0]
    for source, other in zip(sources[1:], found[1:], strict=True):
        _compare(sources[0], first, source, other)
    aligned = [first]
    for other in found[1:]:
        place = {name: i for i, name in enumerate(other.names)}
        order = np.array([place[name] for name in first.names], dtype=np.int64)
        aligned.append(
            Predictions(first.names, other.labels[order], other.scores[order], other.classes)
        )
    for source, other in zip(sources, aligned, strict=True):
        if not np.array_equal(first.labels, other.labels):
            row = int(np.flatnonzero(first.labels != other.labels)[0])
            raise CheckpointError(source, f"another label of {first.names[row]}", "equal labels")
    return aligned


def _read(source: Path, part: str) -> Predictions:
    if source.is_file():
        if part != "test":
            raise ConfigError(
                "--weights validation", f"the file {source}", "run folders, which hold that part"
            )
        return read_predictions(source)
    path = source / runs.PREDICTIONS[part]
    if not path.is_file():
        raise CheckpointError(source, f"no {path.name}", "the folder of a finished run")
    return read_predictions(path)


def _compare(one: Path, first: Predictions, two: Path, other: Predictions) -> None:
    if first.classes != other.classes:
        raise CheckpointError(two, f"classes {other.classes}", f"those of {one}: {first.classes}")
    for where, names in ((one, first.names), (two, other.names)):
        if len(set(names)) < len(names):
            raise CheckpointError(where, "a clip name twice", "each clip once")
    lacking, extra = (
        sorted(set(a) - set(b)) for a, b in ((first.names, other.names), (other.names, first.names))
    )
    if lacking or extra:
        raise CheckpointError(
            two,
            f"other clips than in {one}: without {_listed(lacking)}, with {_listed(extra)}",
            "the same clips",
            "Fuse runs of one data set, split and set of missing clips.",
        )


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _mixed(parts: Sequence[Predictions], weights: Sequence[float]) -> np.ndarray:
    stacked = np.stack([part.scores.astype(np.float64) for part in parts])  # (runs, n, C)
    return np.tensordot(np.asarray(weights), stacked, axes=1)


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float | None:
    return accuracy(torch.from_numpy(scores), torch.from_numpy(labels))


def _best_weights(parts: Sequence[Predictions]) -> tuple[float, ...]:
    """Weights in tenths with the highest validation accuracy; ties go to the most equal ones."""
    n = len(parts)
    if len(parts[0].names) == 0:
        raise ConfigError("--weights validation", "no validation clips", "runs that have some")
    tried = []
    for cuts in itertools.combinations(range(STEPS + n - 1), n - 1):  # stars and bars
        edges = (-1, *cuts, STEPS + n - 1)
        weights = tuple((b - a - 1) / STEPS for a, b in itertools.pairwise(edges))
        right = _accuracy(_mixed(parts, weights), parts[0].labels) or 0.0
        uneven = sum((w - 1 / n) ** 2 for w in weights)
        tried.append((-right, round(uneven, 9), weights))
    return min(tried)[2]
