"""What one model mends of another's errors, and what it breaks: the same clips, seed by seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rstan_lite.lab.ledger.errors import finished
from rstan_lite.lab.ledger.experiment import Ledger
from rstan_lite.lab.ledger.statistics import Difference, difference, mcnemar
from rstan_lite.system.errors import CheckpointError


@dataclass(frozen=True)
class Change:
    """What one model mends of another's errors within a set of clips, seed by seed.

    name: of the set. clips, videos: how many it has. fixed, broken: answers that the second model
    alone has right, and the first alone, over all seeds. up, down: videos in which more are fixed
    than broken, and the other way round. gain: second minus first, with its interval.
    """

    name: str
    clips: int
    videos: int
    fixed: int
    broken: int
    up: int
    down: int
    gain: Difference

    @property
    def p(self) -> float:
        """Of McNemar's test by videos: each is one vote, whatever its clips and seeds."""
        return mcnemar(self.up, self.down)


@dataclass(frozen=True)
class Comparison:
    """Two rows on the same clips, over the seeds that both have.

    before, after: bool (seeds, n), whether either names a clip rightly. labels: (n,), indices of
    classes. sources: the video that each clip was cut from.
    """

    seeds: tuple[int, ...]
    before: np.ndarray
    after: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def fixed(self) -> np.ndarray:
        """Which answers `after` alone has right, bool (seeds, n)."""
        return self.after & ~self.before

    @property
    def broken(self) -> np.ndarray:
        """Which answers `before` alone has right, bool (seeds, n)."""
        return self.before & ~self.after

    def change(self, name: str = "all", chosen: np.ndarray | None = None) -> Change:
        """The change within a set of clips, bool (n,); None for all. ValueError for none."""
        chosen = np.ones(len(self.labels), bool) if chosen is None else chosen
        sources = np.asarray(self.sources)[chosen]
        fixed, broken = self.fixed[:, chosen], self.broken[:, chosen]
        gain = difference(self.after[:, chosen], self.before[:, chosen], sources.tolist())
        videos, of_clip = np.unique(sources, return_inverse=True)
        net = np.zeros(len(videos), np.int64)  # fixed minus broken in each video
        np.add.at(net, of_clip, fixed.sum(0) - broken.sum(0))
        up, down = int((net > 0).sum()), int((net < 0).sum())
        of_all = int(fixed.sum()), int(broken.sum())
        return Change(name, int(chosen.sum()), len(videos), *of_all, up, down, gain)

    def by_class(self) -> list[Change]:
        """The change within each class that has clips, those with the largest gain first."""
        found = [
            self.change(name, self.labels == label)
            for label, name in enumerate(self.classes)
            if (self.labels == label).any()
        ]
        return sorted(found, key=lambda change: -change.gain.mean)

    def by_seed(self) -> list[tuple[int, int, int]]:
        """For each seed: itself, how many clips are fixed, how many broken."""
        both = self.fixed.sum(1).tolist(), self.broken.sum(1).tolist()
        return list(zip(self.seeds, *both, strict=True))

    def table(self) -> np.ndarray:
        """Clips by how many seeds have them right: (S + 1, S + 1), before by row, after by column.

        Top right are the clips that every seed fixes, bottom left those that every seed breaks.
        """
        counts = np.zeros((len(self.seeds) + 1,) * 2, np.int64)
        np.add.at(counts, (self.before.sum(0), self.after.sum(0)), 1)
        return counts


def compare(ledger: Ledger, before: str, after: str) -> Comparison:
    """Two rows of a ledger; CheckpointError where either has no finished run, or no seed is both's.

    before, after: names of the rows.
    """
    first, second = finished(ledger, before), finished(ledger, after)
    found = ledger.paired(before, after)
    if found is None:
        raise CheckpointError(
            ledger.plan.out,
            f"seeds {list(first.seeds)} of {before!r} and {list(second.seeds)} of {after!r}",
            "a seed that both rows have",
            "Make it: rstan-lite ledger --seeds ...",
        )
    return Comparison(*found, ledger.labels, ledger.classes, ledger.sources)


def changed_between_seeds(right: np.ndarray) -> float | None:
    """Share of clips that one run has right and another of the same row wrong, mean over pairs.

    right: bool (seeds, n). It is what chance alone changes. None with fewer than two seeds.
    """
    first, second = np.triu_indices(len(right), 1)
    return float((right[first] != right[second]).mean()) if len(first) else None
