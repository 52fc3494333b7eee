"""The paper's Tables I to III and Fig. 6 as a sweep of train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rstan_lite.lab.sweep.description import Description
from rstan_lite.training.paper_rows import ROWS, SHARPNESS, sharper

NAME = "ablations"  # of this sweep on the command line


def ablations(
    sharpness: Sequence[float] = SHARPNESS, fix: bool = False, **common: Any
) -> Description:
    """Each run of Tables I to III and Fig. 6 once, on one split; give it seeds of your own.

    sharpness: values of gamma_alpha (gamma_beta at 1) and of gamma_beta (gamma_alpha at 1).
    fix: name the 1 in a run's options, for the paper's settings of UCF101 and HMDB51, which have
    others; elsewhere it holds anyway, and a run's folder is named by its options.
    common: options of train for all runs, see `TrainConfig`, and `profile`.
    """
    rows = [row for row in ROWS if row.paper is not None]
    rows += [sharper(f"gamma_{name}", value) for name in ("alpha", "beta") for value in sharpness]
    grids: dict[tuple[str, ...], dict[str, list[Any]]] = {}
    for row in rows:  # rows that name the same options make a grid
        point: dict[str, Any] = {"variant": row.variant}
        for name, value in row.beside.items():
            if fix or value != 1.0:
                point[name] = list(value) if isinstance(value, tuple) else value
        grid = grids.setdefault(tuple(point), {name: [] for name in point})
        for name, value in point.items():
            if value not in grid[name]:
                grid[name].append(value)
    return Description("train", common, tuple(grids.values()))
