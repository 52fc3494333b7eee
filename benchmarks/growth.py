"""How time and memory grow with T, N and P, as exponents of a power law."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.cases import Bench, Sizes
from benchmarks.memory import peak
from benchmarks.timing import interleaved

# Small matrices, so that what grows is not hidden by what stays.
BASE = Sizes(4, 16, 256, 64, d_h=64, d_att=256, classes=21)
STEPS, PLACES = (4, 8, 16, 32, 64), (9, 49, 196)


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Slope of log value over log size by least squares: value grows with size to this power."""
    x, y = ([math.log(v) for v in values_] for values_ in (sizes, values))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)


def growth(rounds: int, threads: int, ways: Sequence[str] = ("plain", "fast")) -> dict[str, Any]:
    """Forward and backward over T for all frames and for a window, and over P.

    With all frames attended N = T; a window holds N at 2, so the difference of their exponents is
    what N adds. Seconds are processor time, which other programs disturb least.
    """
    found: dict[str, Any] = {"threads": threads}
    series: dict[str, tuple[Sequence[int], Callable[[int], Sizes]]] = {
        "T, all frames": (STEPS, lambda t: replace(BASE, steps=t)),
        "T, window": (STEPS, lambda t: replace(BASE, steps=t, attention="window")),
        "P": (PLACES, lambda p: replace(BASE, places=p)),
    }
    for name, (values, sized) in series.items():
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        memory: dict[str, list[float]] = {way: [] for way in ways}
        for value in values:
            bench = Bench(sized(value))
            timed = interleaved(bench.passes()["forward+backward"], ways, rounds, ways[0])
            for way in ways:
                seconds[way].append(timed[way]["cpu_seconds"])
                memory[way].append(peak(sized(value), way, True, threads))
        found[name] = {
            way: {
                "values": list(values),
                "seconds": seconds[way],
                "mebibytes": memory[way],
                # of the last three: before them overhead hides what growth comes to
                "time_exponent": exponent(values[-3:], seconds[way][-3:]),
                "memory_exponent": exponent(values[-3:], memory[way][-3:]),
            }
            for way in ways
        }
    return found
