"""What runs get wrong: classes taken for one another, and where they look class by class.

Arrays (seeds, clips) come from a ledger's runs, which share their clips and their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rstan_lite.lab.ledger.experiment import Entry, Ledger
from rstan_lite.system.errors import CheckpointError


def finished(ledger: Ledger, name: str) -> Entry:
    """A row's entry; CheckpointError where the ledger has no finished run of it."""
    entry = ledger.entries.get(name)
    if entry is None or not entry.seeds:
        known = ", ".join(key for key, other in ledger.entries.items() if other.seeds)
        why = "; ".join(dict.fromkeys(entry.failed.values())) if entry else "no such row"
        raise CheckpointError(
            ledger.plan.out,
            f"no finished run of {name!r} ({why})",
            f"one of the rows that have some: {known or 'none has'}",
            f"Make it: rstan-lite ledger --rows {name} ...",
        )
    return entry


def confusion_counts(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Answers of all runs, counted: (C, C), a row for each true class, a column for each named one.

    labels: (n,), answers: (seeds, n), indices of the C classes.
    Raises ValueError for shapes or indices that do not fit.
    """
    if answers.ndim != 2 or labels.shape != answers.shape[1:]:
        raise ValueError(f"answers {answers.shape} to clips {labels.shape}")
    both = np.stack([np.broadcast_to(labels, answers.shape), answers])
    if both.size and not 0 <= both.min() <= both.max() < classes:
        raise ValueError(f"indices from {both.min()} to {both.max()} of {classes} classes")
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, tuple(both), 1)
    return counts


@dataclass(frozen=True)
class ClassAnswers:
    """Answers about one class, of all runs.

    answers: to its clips. right: of these, those that name it. named: how often it was named at
    all, rightly or not.
    """

    name: str
    answers: int
    right: int
    named: int

    @property
    def recall(self) -> float | None:
        """Share of its clips' answers that are right: its accuracy. None without clips."""
        return self.right / self.answers if self.answers else None

    @property
    def precision(self) -> float | None:
        """Share of the answers with its name that are right. None where it was never named."""
        return self.right / self.named if self.named else None


def of_classes(counts: np.ndarray, classes: Sequence[str]) -> list[ClassAnswers]:
    """Each class's row and column of `confusion_counts`, in the order of the classes."""
    rows, columns, right = counts.sum(1).tolist(), counts.sum(0).tolist(), counts.diagonal()
    return [
        ClassAnswers(name, rows[i], int(right[i]), columns[i])
        for i, name in enumerate(_named(counts, classes))
    ]


@dataclass(frozen=True)
class Pair:
    """Two classes that are taken for one another.

    there: answers to clips of `first` that name `second`; back: the other way round. of_first,
    of_second: all answers to clips of either.
    """

    first: str
    second: str
    there: int
    back: int
    of_first: int
    of_second: int

    @property
    def shares(self) -> tuple[float | None, float | None]:
        """`there` and `back` as shares of the answers to their clips; None without clips."""
        return (
            self.there / self.of_first if self.of_first else None,
            self.back / self.of_second if self.of_second else None,
        )


def confused_pairs(counts: np.ndarray, classes: Sequence[str]) -> list[Pair]:
    """Pairs of classes with an error in either direction, those with the most errors first.

    counts: of `confusion_counts`. In each pair `first` is the class that is more often taken for
    the other. Of equal pairs, and within an even one, the order is that of the classes.
    """
    names, answers = _named(counts, classes), counts.sum(1)
    pairs = []
    for i, j in combinations(range(len(names)), 2):
        a, b = (i, j) if counts[i, j] >= counts[j, i] else (j, i)
        if counts[a, b]:
            numbers = (counts[a, b], counts[b, a], answers[a], answers[b])
            pairs.append(Pair(names[a], names[b], *(int(number) for number in numbers)))
    return sorted(pairs, key=lambda pair: -(pair.there + pair.back))  # a stable sort


def _named(counts: np.ndarray, classes: Sequence[str]) -> Sequence[str]:
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"counts {counts.shape} of {len(classes)} classes")
    return classes


def one_of_each(weights: np.ndarray, labels: np.ndarray, most: int) -> list[int]:
    """Clips with the largest positive weights, at most one of a class and `most` in all.

    weights: (n,), for example how many seeds have a clip wrong. Of equal ones the first counts.
    """
    found: dict[int, int] = {}
    for clip in np.argsort(-weights, kind="stable").tolist():
        if weights[clip] > 0:
            found.setdefault(int(labels[clip]), clip)
    return list(found.values())[: max(0, most)]


def share_by_class(sums: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Attention on the silhouette within each class, and what even attention would have: (C, 2).

    sums: (..., n, 3) of `training.evaluate.evaluate_silhouettes`, of one run or several. The mean
    is over frames that show a silhouette, as in metrics.json; NaN for a class without any.
    """
    if sums.shape[-2:] != (len(labels), 3):
        raise ValueError(f"sums {sums.shape} of {len(labels)} clips")
    of_class = np.zeros((classes, 3))
    np.add.at(of_class, labels, sums.reshape(-1, len(labels), 3).sum(0))
    frames = of_class[:, 2:]
    return np.divide(of_class[:, :2], frames, out=np.full((classes, 2), np.nan), where=frames > 0)
