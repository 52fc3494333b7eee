"""Scores of several systems, brought to the same clips and classes by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rstan_lite.lab.scores import UNKNOWN, read_scores
from rstan_lite.system.errors import CheckpointError
from rstan_lite.training.runs import Predictions

SHOWN = 5


def aligned(
    sources: Sequence[Path], part: str, clips: str
) -> tuple[list[Predictions], dict[str, tuple[str, ...]]]:
    """The scores of several systems with the first one's order of clips and classes.

    sources, part: see `read_scores`. clips: "same" refuses systems of other clips, "common" takes
    those that all have. Labels are those of the sources that know them.
    Returns the scores, and which clips were left out of which source.
    Raises CheckpointError where clips, classes or labels differ, naming them.
    """
    found = [read_scores(source, part) for source in sources]
    first = found[0]
    for source, other in zip(sources[1:], found[1:], strict=True):
        _compare(sources[0], first, source, other, clips)
    common = set(first.names).intersection(*(other.names for other in found[1:]))
    names = tuple(name for name in first.names if name in common)
    if first.names and not names:
        raise CheckpointError(sources[1], f"no {part} clip of {sources[0]}", "common clips")
    left_out = {
        str(source): tuple(name for name in other.names if name not in common)
        for source, other in zip(sources, found, strict=True)
        if len(common) < len(other.names)
    }
    found = [_reordered(other, names, first.classes) for other in found]
    labels = _labels(sources, found)
    return [Predictions(p.names, labels, p.scores, p.classes) for p in found], left_out


def _reordered(other: Predictions, names: tuple[str, ...], classes: tuple[str, ...]) -> Predictions:
    """The named clips in order, columns and labels by the names of the classes."""
    place = {name: i for i, name in enumerate(other.names)}
    rows = np.array([place[name] for name in names], dtype=np.int64)
    columns = np.array([other.classes.index(name) for name in classes], dtype=np.int64)
    to_first = np.array([*(classes.index(name) for name in other.classes), UNKNOWN])
    labels = to_first[other.labels[rows]]  # the label -1 finds the last entry, -1
    return Predictions(names, labels, other.scores[np.ix_(rows, columns)], classes)


def _labels(sources: Sequence[Path], found: Sequence[Predictions]) -> np.ndarray:
    """What the sources that know the labels agree on."""
    labels = found[0].labels.copy()
    for source, other in zip(sources, found, strict=True):
        differs = (labels != UNKNOWN) & (other.labels != UNKNOWN) & (labels != other.labels)
        if differs.any():
            row = int(np.flatnonzero(differs)[0])
            raise CheckpointError(source, f"another label of {other.names[row]}", "equal labels")
        labels = np.where(labels == UNKNOWN, other.labels, labels)
    if (labels == UNKNOWN).any():
        name = found[0].names[int(np.flatnonzero(labels == UNKNOWN)[0])]
        raise CheckpointError(
            sources[0],
            f"no label of {name} in any source",
            "one source at least that knows the labels",
            "Fuse with a run's folder, whose predictions hold them.",
        )
    return labels


def _compare(one: Path, first: Predictions, two: Path, other: Predictions, clips: str) -> None:
    if set(first.classes) != set(other.classes):
        raise CheckpointError(two, f"classes {other.classes}", f"those of {one}: {first.classes}")
    lacking, extra = (
        sorted(set(a) - set(b)) for a, b in ((first.names, other.names), (other.names, first.names))
    )
    if clips == "same" and (lacking or extra):
        raise CheckpointError(
            two,
            f"other clips than in {one}: without {_listed(lacking)}, with {_listed(extra)}",
            "the same clips",
            "Fuse systems of one data set, split, fold and set of missing clips, or take the clips "
            "that all have by --clips common.",
        )


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
