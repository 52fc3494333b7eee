"""The paper's Tables I to III and Fig. 6 as a sweep of train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rstan_lite.lab.sweep.description import Description

NAME = "ablations"  # of this sweep on the command line
FULL = "silhouettes"  # the variant of all parts, which Table III and Fig. 6 start from
SHARPNESS = (2.0, 5.0, 10.0, 20.0)  # beside 1; ours, as the figure's numbers are not in the text


def ablations(sharpness: Sequence[float] = SHARPNESS, **common: Any) -> Description:
    """Each run of Tables I to III and Fig. 6 once, on one split; give it seeds of your own.

    sharpness: values of gamma_alpha (gamma_beta at 1) and of gamma_beta (gamma_alpha at 1).
    common: options of train for all runs, see `TrainConfig`, and `profile`.
    """
    rows = ["lstm", "attention", "fusion-mean", "fusion-max", "silhouettes-ce", FULL]
    grids: list[dict[str, list[Any]]] = [
        {"variant": ["lstm", "attention"], "streams": [["appearance"], ["motion"]]},  # Table I
        {"variant": [*rows, "current-frame"]},  # Tables I to III, two streams
        {"variant": [FULL], "gamma_alpha": list(sharpness)},  # Fig. 6
        {"variant": [FULL], "gamma_beta": list(sharpness)},
    ]
    return Description("train", common, tuple(grids))
