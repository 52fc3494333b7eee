"""Figures of an LSTM at work: its gates over time, and its answers step by step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.show.style import BLACK, LINES, describe, new_figure, styled


@styled
def memory_figure(
    values: Mapping[str, NDArray], *, ranges: Mapping[str, tuple[float, float]], title: str = ""
) -> Figure:
    """Show quantities of a recurrence over its steps, a panel each, one above the other.

    values: label -> (T,) or (T, units); units are drawn as lines of their own. ranges: label ->
    the ends of that panel's axis. Steps are counted from 1.
    """
    steps = {len(value) for value in values.values()}
    if len(steps) != 1 or values.keys() != ranges.keys():
        raise ValueError(f"one number of steps and a range for each panel, not {sorted(steps)}")
    (n,) = steps
    figure = new_figure(6.4, 0.78 * len(values) + 0.8)
    axes = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (label, value) in zip(axes, values.items(), strict=True):
        units = np.asarray(value, np.float64).reshape(n, -1).T
        for i, (unit, line) in enumerate(zip(units, LINES * len(units), strict=False)):
            axis.plot(range(1, n + 1), unit, label=f"unit {i + 1}", **line)
        low, high = ranges[label]
        pad = 0.12 * (high - low)
        axis.set(ylim=(low - pad, high + pad), yticks=[low, high])
        axis.set_ylabel(label, rotation=0, ha="right", va="center")
        axis.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    if any(np.ndim(value) == 2 for value in values.values()):
        many = max(axes, key=lambda axis: len(axis.lines))
        handles, labels = many.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center")
    axes[-1].set(xlabel="step t", xticks=range(1, n + 1))
    if title:
        figure.suptitle(title)
    last = {k: ", ".join(f"{x:.2f}" for x in np.ravel(v[-1])) for k, v in values.items()}
    said = "; ".join(f"{label.replace(chr(10), ' ')}: {value}" for label, value in last.items())
    return describe(figure, f"{n} steps of an LSTM. At the last one, {said}.")


@styled
def accuracy_by_step(
    shares: Mapping[str, NDArray], chance: float, clips: int, *, title: str = ""
) -> Figure:
    """Show the accuracy of each step's answer, one line a model or part.

    shares: label -> (T,), in 0 to 1. chance: the accuracy of guessing. clips: how many one point
    of a line is measured on; one clip's worth is drawn as a bar at the side.
    """
    lengths = {len(share) for share in shares.values()}
    if len(lengths) != 1:
        raise ValueError(f"one number of steps for all lines, not {sorted(lengths)}")
    (steps,) = lengths
    figure = new_figure(6.4, 3.2)
    axes = figure.subplots()
    for (label, share), line in zip(shares.items(), LINES[1:] * len(shares), strict=False):
        axes.plot(range(1, steps + 1), 100 * np.asarray(share), label=label, **line)
    axes.axhline(100 * chance, color=BLACK, linewidth=1, linestyle=(0, (2, 2)), label="guessing")
    axes.errorbar(
        [steps + 0.5], [100 * chance + 50 / clips + 6], yerr=[50 / clips], color="#555555",
        capsize=3, linewidth=1,
    )  # fmt: skip
    axes.annotate(
        "one\nclip", (steps + 0.6, 100 * chance + 50 / clips + 6), fontsize=7, va="center"
    )
    axes.set(xlabel="step t", ylabel="accuracy of its answer (%)", ylim=(0, 104))
    axes.set(xlim=(0.7, steps + 1.1), xticks=range(1, steps + 1))
    figure.legend(loc="outside right center")
    if title:
        figure.suptitle(title)
    said = "; ".join(
        f"{label}: {share[0]:.0%} at step 1, {share[-1]:.0%} at step {steps}"
        for label, share in shares.items()
    )
    return describe(figure, f"Accuracy by step on {clips} clips. {said}; guessing {chance:.0%}.")
