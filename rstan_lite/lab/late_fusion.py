"""Late fusion: averaging the scores of finished runs, and of other systems, on the same clips."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from rstan_lite.lab.scores import NORMALISE, UNKNOWN, are_probabilities, normalise, read_scores
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.settings import check_choice
from rstan_lite.training import run_folder
from rstan_lite.training.evaluation import confusion, per_class
from rstan_lite.training.run_folder import Predictions

SHOWN = 5  # names of clips in a complaint
STEPS = 10  # weights are tried in tenths
MOST = 6  # systems whose weights are searched: 3003 combinations of tenths
VALIDATION = "validation"  # chosen there, of weights and of ways to normalise


@dataclass(frozen=True)
class Fused:
    """Fused test scores and their accuracy.

    weights: of each system, summing to one. scores: of each, "probabilities" (left as they were) or
    one of NORMALISE. validation_accuracy: None where it was not asked. left_out: clips that not all
    systems have, by system.
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
    """Average the test scores of systems, matched by the names of clips and classes.

    sources: run folders, or files of scores of any method, see `scores.read_scores`. weights:
    "equal"; a number a source; or "validation": the best ones on the validation part, of equally
    good ones those nearest to equal. scores: what becomes of scores that are no probabilities: one
    of NORMALISE, or "validation": the one with the best validation accuracy. clips: "same" refuses
    sources of other clips, "common" takes those that all have. ConfigError for fewer than two
    sources or unknown choices, CheckpointError for damaged files and where clips, labels or classes
    differ, naming clips.
    """
    how = _check(sources, weights, scores, clips)
    chosen: list[Predictions] = []  # on what validation chooses, where it does
    right = None
    if VALIDATION in (weights, scores):
        chosen = aligned(sources, VALIDATION, clips)[0]
        if not chosen[0].names:
            raise ConfigError("--weights", "no validation clips", "sources that have some")
        found, labels = [], chosen[0].labels
        for name in NORMALISE if scores == VALIDATION else (scores,):
            comparable = _comparable(chosen, name)
            tried = how or _best_weights(comparable, labels)
            found.append((_accuracy(_mixed(comparable, tried), labels) or 0.0, tried, name))
        right, how, scores = max(found, key=lambda one: one[0])  # the first of equally good ones
    parts, left_out = aligned(sources, "test", clips)
    for source, seen, tested in zip(sources, chosen, parts, strict=bool(chosen)):
        _check_parts(source, seen, tested)
    mixed, first = _mixed(_comparable(parts, scores), how or ()), parts[0]
    fused = replace(first, scores=mixed.astype(np.float32))
    kept = tuple("probabilities" if are_probabilities(p.scores) else scores for p in parts)
    return Fused(fused, how or (), _accuracy(mixed, first.labels), kept, right, left_out)


def save_fused(
    out: Path, fused: Fused, sources: Sequence[Path], weights: str | Sequence[float]
) -> dict[str, Any]:
    """Write predictions, confusion matrix and metrics.json, which is returned."""
    found = fused.predictions
    scores, labels = torch.from_numpy(found.scores), torch.from_numpy(found.labels)
    metrics = {
        "test_accuracy": fused.accuracy,
        "per_class": per_class(scores, labels, found.classes),
        "n_test": len(labels),
        "runs": [str(source) for source in sources],
        "weights": list(fused.weights),
        "weights_from": weights if isinstance(weights, str) else "given",
        "scores": list(fused.scores),
        "validation_accuracy": fused.validation_accuracy,
        "left_out": {name: list(clips) for name, clips in fused.left_out.items()},
        "versions": run_folder.versions(),
    }
    run_folder.write_predictions(out / run_folder.PREDICTIONS["test"], found)
    counts = confusion(scores, labels)
    run_folder.write_confusion(out / run_folder.CONFUSION, counts, found.classes)
    run_folder.write_json(out / run_folder.METRICS, metrics)
    return metrics


def _check(
    sources: Sequence[Path], weights: str | Sequence[float], scores: str, clips: str
) -> tuple[float, ...] | None:
    """The weights where they are known before any score is read, None where validation decides."""
    n = len(sources)
    if n < 2:
        raise ConfigError("fuse", f"{n} run", "two runs or more")
    check_choice("--normalise", scores, (*NORMALISE, VALIDATION))
    check_choice("--clips", clips, ("same", "common"))
    if weights == VALIDATION and n > MOST:
        raise ConfigError("--weights validation", f"{n} runs", f"at most {MOST}")
    if isinstance(weights, str):
        check_choice("--weights", weights, ("equal", VALIDATION))
        return (1 / n,) * n if weights == "equal" else None
    given = [float(weight) for weight in weights]
    total = sum(given)
    if len(given) != n or not all(np.isfinite(given)) or min(given) < 0 or total == 0:
        shown = " ".join(f"{weight:g}" for weight in given)
        raise ConfigError("--weights", shown, f"{n} numbers of at least 0, not all 0")
    return tuple(weight / total for weight in given)


def _check_parts(source: Path, chosen: Predictions, tested: Predictions) -> None:
    """Raise CheckpointError where validation and test are no two parts of one system's scores."""
    if both := sorted(set(chosen.names) & set(tested.names)):
        found = f"{len(both)} clips both in the validation and in the test part, as {both[0]}"
        raise CheckpointError(source, found, "validation clips that are not tested")
    if are_probabilities(chosen.scores) != are_probabilities(tested.scores):
        expected = "probabilities in both the validation and the test part, or in none"
        raise CheckpointError(source, "probabilities in one part alone", expected)


def _comparable(parts: Sequence[Predictions], how: str) -> np.ndarray:
    """The systems' scores (systems, n, C), float64; probabilities stay as they are."""
    ways = ("none" if are_probabilities(p.scores) else how for p in parts)
    return np.stack([normalise(p.scores, way) for p, way in zip(parts, ways, strict=True)])


def _mixed(scores: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    return np.tensordot(np.asarray(weights), scores, axes=1)


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float | None:
    return float((scores.argmax(1) == labels).mean()) if len(labels) else None


def _best_weights(scores: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """Weights in tenths with the highest accuracy; ties go to the most equal ones."""
    n, tried = len(scores), []
    for tenths in itertools.product(range(STEPS + 1), repeat=n):
        if sum(tenths) == STEPS:
            weights = tuple(k / STEPS for k in tenths)
            right = _accuracy(_mixed(scores, weights), labels) or 0.0
            uneven = sum((w - 1 / n) ** 2 for w in weights)
            tried.append((-right, round(uneven, 9), weights))
    return min(tried)[2]


def aligned(
    sources: Sequence[Path], part: str, clips: str
) -> tuple[list[Predictions], dict[str, tuple[str, ...]]]:
    """The scores of several systems with the first one's order of clips and classes.

    sources, part: see `read_scores`; clips: see `fuse`. Labels are those of the sources that know
    them. Returns the scores, and which clips were left out of which source.
    Raises CheckpointError where clips, classes or labels differ, naming them.
    """
    found = [read_scores(source, part) for source in sources]
    first, left_out = found[0], {}
    common = set(first.names).intersection(*(one.names for one in found))
    for source, one in zip(sources, found, strict=True):
        if set(one.classes) != set(first.classes):
            expected = f"those of {sources[0]}: {first.classes}"
            raise CheckpointError(source, f"classes {one.classes}", expected)
    for source, one in zip(sources, found, strict=True):
        if rest := tuple(name for name in one.names if name not in common):
            left_out[str(source)] = rest
            if clips == "same":
                said = f"{len(rest)} {part} clips that another system lacks: "
                said += ", ".join(rest[:SHOWN])
                hint = "Take the clips that all systems have by --clips common."
                raise CheckpointError(source, said, "the same clips in all systems", hint)
    names = tuple(name for name in first.names if name in common)
    if first.names and not names:
        raise CheckpointError(sources[1], f"no {part} clip of {sources[0]}", "common clips")
    labels, scores = np.full(len(names), UNKNOWN), []
    for source, one in zip(sources, found, strict=True):
        rows = pd.Index(one.names).get_indexer(pd.Index(names))
        columns = [one.classes.index(name) for name in first.classes]
        to_first = np.array([*(first.classes.index(name) for name in one.classes), UNKNOWN])
        own = to_first[one.labels[rows]]  # the label -1 finds the last entry, -1
        differs = (labels != UNKNOWN) & (own != UNKNOWN) & (labels != own)
        if differs.any():
            said = f"another label of {names[int(differs.argmax())]}"
            raise CheckpointError(source, said, "equal labels")
        labels = np.where(labels == UNKNOWN, own, labels)
        scores.append(one.scores[np.ix_(rows, columns)])
    if (labels == UNKNOWN).any():
        lacking = f"no label of {names[int((labels == UNKNOWN).argmax())]} in any source"
        hint = "Fuse with a run's folder, whose predictions hold them."
        raise CheckpointError(sources[0], lacking, "one source that knows the labels", hint)
    return [Predictions(names, labels, one, first.classes) for one in scores], left_out
