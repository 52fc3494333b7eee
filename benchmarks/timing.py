"""Interleaved timings: each round runs every way once, so that all meet the same other load."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any


def interleaved(
    run: Callable[[str], object], ways: Sequence[str], rounds: int, against: str
) -> dict[str, dict[str, Any]]:
    """Time run(way) in rounds, after one that does not count, each the other way round.

    Returns for each way the median of wall-clock and of processor seconds, the lowest and highest
    wall-clock, and `ratio`, `cpu_ratio`: the medians of what `against` took in the same round over
    what this way took.
    """
    wall: dict[str, list[float]] = {way: [] for way in ways}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    for i in range(rounds + 1):
        for way in ways if i % 2 == 0 else reversed(ways):
            start = time.perf_counter(), time.process_time()
            run(way)
            if i > 0:
                wall[way].append(time.perf_counter() - start[0])
                cpu[way].append(time.process_time() - start[1])
    return {
        way: {
            "seconds": statistics.median(wall[way]),
            "cpu_seconds": statistics.median(cpu[way]),
            "lowest": min(wall[way]),
            "highest": max(wall[way]),
            "ratio": _ratio(wall[against], wall[way]),
            "cpu_ratio": _ratio(cpu[against], cpu[way]),
        }
        for way in ways
    }


def _ratio(one: Sequence[float], other: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(one, other, strict=True))
