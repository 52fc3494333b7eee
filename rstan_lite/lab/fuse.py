"""Late fusion: averaging the scores of finished runs, and of other systems, on the same clips."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rstan_lite.lab.align import aligned
from rstan_lite.lab.scores import NORMALISE, are_probabilities, normalise
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.training import runs
from rstan_lite.training.metrics import accuracy, confusion, per_class
from rstan_lite.training.runs import Predictions

STEPS = 10  # weights are tried in tenths
MOST = 6  # systems whose weights are searched: 3003 combinations of tenths
VALIDATION = "validation"  # chosen there, of weights and of ways to normalise


@dataclass(frozen=True)
class Fused:
    """Fused test scores.

    weights: of each system, summing to one. scores: what became of each system's scores:
    "probabilities" (left as they were) or one of NORMALISE. validation_accuracy: None where no
    validation clips were asked. left_out: clips that not all systems have, by system.
    """

    predictions: Predictions
    weights: tuple[float, ...]
    accuracy: float | None
    scores: tuple[str, ...] = ()
    validation_accuracy: float | None = None
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)


def fuse(
    sources: Sequence[Path],
    weights: str | Sequence[float] = "equal",
    scores: str = "softmax",
    clips: str = "same",
) -> Fused:
    """Average the test scores of systems, matched by clip name.

    sources: run folders, or files of scores of any method, see `scores.read_scores`.
    weights: "equal"; a number a source; or "validation": the best ones on the validation part, of
    equally good ones those nearest to equal. Test labels never decide.
    scores: what becomes of scores that are no probabilities: one of NORMALISE, or "validation": the
    one with the best validation accuracy, the first of equally good ones.
    clips: "same" refuses sources of other clips, "common" takes those that all have.
    Columns follow the first source's classes by name, labels the sources that know them.
    Raises ConfigError for fewer than two sources or unknown choices, CheckpointError for damaged
    files and where clips, labels or classes differ, naming clips.
    """
    how = _check(sources, weights, scores, clips)
    chosen: list[Predictions] = []  # on what validation chooses, where it does
    if VALIDATION in (weights, scores):
        chosen = parts = aligned(sources, "validation", clips)[0]
        if len(parts[0].names) == 0:
            raise ConfigError(
                "--weights validation", "no validation clips", "sources that have some"
            )
        tried = NORMALISE if scores == VALIDATION else (scores,)
        found = [_fitted(parts, name, how) for name in tried]
        right, how, scores = max(found, key=lambda one: one[0])  # the first of equally good ones
    else:
        right = None
    parts, left_out = aligned(sources, "test", clips)
    for source, seen, tested in zip(sources, chosen, parts, strict=bool(chosen)):
        _check_parts(source, seen, tested)
    mixed = _mixed(_comparable(parts, scores), how or ())
    first = parts[0]
    fused = Predictions(first.names, first.labels, mixed.astype(np.float32), first.classes)
    kept = tuple("probabilities" if are_probabilities(p.scores) else scores for p in parts)
    return Fused(fused, how or (), _accuracy(mixed, first.labels), kept, right, left_out)


def weight_curve(
    sources: Sequence[Path], scores: str = "softmax", clips: str = "same", steps: int = 20
) -> tuple[list[float], list[float]]:
    """Validation accuracy of two systems over the second one's weight, from 0 to 1.

    Returns the weights and the accuracies, steps + 1 each. Raises what `fuse` raises.
    """
    if len(sources) != 2:
        raise ConfigError("weight_curve", f"{len(sources)} sources", "two")
    _check(sources, VALIDATION, scores, clips)
    parts, _ = aligned(sources, "validation", clips)
    both = _comparable(parts, scores)
    weights = [i / steps for i in range(steps + 1)]
    right = [_accuracy(_mixed(both, (1 - w, w)), parts[0].labels) or 0.0 for w in weights]
    return weights, right


def save_fused(
    out: Path, fused: Fused, sources: Sequence[Path], weights: str | Sequence[float]
) -> dict[str, Any]:
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
        "weights_from": weights if isinstance(weights, str) else "given",
        "scores": list(fused.scores),
        "validation_accuracy": fused.validation_accuracy,
        "left_out": {name: list(clips) for name, clips in fused.left_out.items()},
        "versions": runs.versions(),
    }
    runs.write_predictions(out / runs.PREDICTIONS["test"], fused.predictions)
    runs.write_confusion(out / runs.CONFUSION, confusion(scores, labels), classes)
    runs.write_json(out / runs.METRICS, metrics)
    return metrics


def _check(
    sources: Sequence[Path], weights: str | Sequence[float], scores: str, clips: str
) -> tuple[float, ...] | None:
    """The weights where they are known before any score is read, None where validation decides."""
    n = len(sources)
    if n < 2:
        raise ConfigError("fuse", f"{n} run", "two runs or more")
    if scores not in (*NORMALISE, VALIDATION):
        raise ConfigError("--normalise", repr(scores), f"one of {', '.join(NORMALISE)}, validation")
    if clips not in ("same", "common"):
        raise ConfigError("--clips", repr(clips), "one of same, common")
    if isinstance(weights, str):
        if weights not in ("equal", VALIDATION):
            raise ConfigError(
                "--weights", repr(weights), "one of equal, validation, or a number a source"
            )
        if weights == VALIDATION and n > MOST:
            raise ConfigError("--weights validation", f"{n} runs", f"at most {MOST}")
        return (1 / n,) * n if weights == "equal" else None
    given = [float(weight) for weight in weights]
    total = sum(given)
    if len(given) != n or not all(np.isfinite(given)) or min(given) < 0 or total == 0:
        shown = " ".join(f"{weight:g}" for weight in given)
        raise ConfigError("--weights", shown, f"{n} numbers of at least 0, not all 0")
    return tuple(weight / total for weight in given)


def _check_parts(source: Path, chosen: Predictions, tested: Predictions) -> None:
    """Raise CheckpointError where validation and test are no two parts of one system's scores."""
    both = sorted(set(chosen.names) & set(tested.names))
    if both:
        raise CheckpointError(
            source,
            f"{len(both)} clips both in the validation and in the test part, for example {both[0]}",
            "validation clips that are not tested",
        )
    kinds = [
        "probabilities" if are_probabilities(part.scores) else "no probabilities"
        for part in (chosen, tested)
    ]
    if kinds[0] != kinds[1]:
        raise CheckpointError(
            source,
            f"validation scores that are {kinds[0]} and test scores that are {kinds[1]}",
            "the same kind in both parts",
        )


def _fitted(
    parts: Sequence[Predictions], scores: str, weights: tuple[float, ...] | None
) -> tuple[float, tuple[float, ...], str]:
    """Validation accuracy, the weights, and the way that the scores were made comparable."""
    comparable, labels = _comparable(parts, scores), parts[0].labels
    chosen = weights or _best_weights(comparable, labels)
    return _accuracy(_mixed(comparable, chosen), labels) or 0.0, chosen, scores


def _comparable(parts: Sequence[Predictions], how: str) -> np.ndarray:
    """The systems' scores (systems, n, C), float64; probabilities stay as they are."""
    return np.stack(
        [normalise(p.scores, "none" if are_probabilities(p.scores) else how) for p in parts]
    )


def _mixed(scores: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    return np.tensordot(np.asarray(weights), scores, axes=1)


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float | None:
    return accuracy(torch.from_numpy(scores), torch.from_numpy(labels))


def _best_weights(scores: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """Weights in tenths with the highest accuracy; ties go to the most equal ones."""
    n = len(scores)
    tried = []
    for cuts in itertools.combinations(range(STEPS + n - 1), n - 1):  # stars and bars
        edges = (-1, *cuts, STEPS + n - 1)
        weights = tuple((b - a - 1) / STEPS for a, b in itertools.pairwise(edges))
        right = _accuracy(_mixed(scores, weights), labels) or 0.0
        uneven = sum((w - 1 / n) ** 2 for w in weights)
        tried.append((-right, round(uneven, 9), weights))
    return min(tried)[2]
