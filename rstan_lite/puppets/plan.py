"""Which clips there are: sources, random streams and the three splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence

from .actions import CLASSES

SOURCE_SIZES = (1, 2, 2, 3, 1, 3, 2)  # clips cut from one source video, in turn
TEST_SHARE = 0.3

_FIRST = (
    "Amber",
    "Birch",
    "Cedar",
    "Dune",
    "Ember",
    "Fern",
    "Granite",
    "Harbour",
    "Iris",
    "Juniper",
    "Kite",
    "Lark",
    "Maple",
    "North",
    "Olive",
    "Pebble",
    "Quince",
    "River",
    "Slate",
    "Thistle",
    "Upland",
    "Violet",
    "Willow",
    "Yarrow",
)
_SECOND = (
    "Afternoon",
    "Archive",
    "Corner",
    "Diary",
    "Evening",
    "Footage",
    "Garden",
    "Holiday",
    "Lane",
    "Morning",
    "Practice",
    "Reel",
    "Rehearsal",
    "Sunday",
    "Tape",
    "Visit",
)


@dataclass(frozen=True)
class Job:
    """One clip to make: its class, its number within the class, and its source video's number."""

    action: str
    index: int
    source: int

    def stream(self, seed: int) -> Generator:
        """The clip's own random stream."""
        return _stream(seed, self.action, 0, self.index)

    def source_stream(self, seed: int) -> Generator:
        """The random stream of the source video."""
        return _stream(seed, self.action, 1, self.source)


def _stream(seed: int, action: str, use: int, number: int) -> Generator:
    key = (CLASSES.index(action), use, number)
    return np.random.default_rng(SeedSequence(entropy=seed, spawn_key=key))


def jobs(action: str, count: int) -> list[Job]:
    """The first `count` clips of a class; a clip's source does not depend on `count`."""
    made: list[Job] = []
    source = 0
    while len(made) < count:
        for _ in range(SOURCE_SIZES[source % len(SOURCE_SIZES)]):
            made.append(Job(action, len(made), source))
        source += 1
    return made[:count]


def source_name(action: str, source: int, seed: int) -> str:
    """The name of a source video; no two sources of a run share one."""
    number = CLASSES.index(action) * 1000 + source
    order = np.random.default_rng(SeedSequence(entropy=seed, spawn_key=(1 << 20,)))
    first = order.permutation(len(_FIRST))[number % len(_FIRST)]
    second = order.permutation(len(_SECOND))[(number // 5) % len(_SECOND)]
    return f"{_FIRST[first]}_{_SECOND[second]}_{number}"


def split(made: list[Job], number: int, seed: int) -> list[int]:
    """1 (train) or 2 (test) for each clip of one class in split `number`.

    Whole sources go to the test side until it holds about TEST_SHARE of the clips; both sides hold
    at least one source.
    """
    sources = sorted({job.source for job in made})
    size = {s: sum(job.source == s for job in made) for s in sources}
    order = _stream(seed, made[0].action, 2, number).permutation(sources)
    wanted = max(1, round(TEST_SHARE * len(made)))
    test: set[int] = set()
    held = 0
    for s in order.tolist():
        fits = held + size[s] <= wanted or not test
        if fits and len(test) < len(sources) - 1 and held < wanted:
            test.add(s)
            held += size[s]
    return [2 if job.source in test else 1 for job in made]
