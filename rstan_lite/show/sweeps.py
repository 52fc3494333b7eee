"""Figures of runs over several seeds: every seed, their mean and spread, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from rstan_lite.show.style import BLACK, BLUE, LINES, VERMILION, describe, new_figure, styled

BySeed = Mapping[str, Mapping[int, float]]  # name -> seed -> a share of 1


@styled
def seeds_figure(
    rows: BySeed, *, marks: Mapping[str, float] | None = None, title: str = ""
) -> Figure:
    """Draw each seed's accuracy as a ring, and mean and standard deviation beside it, a line a row.

    rows: name -> seed -> accuracy in [0, 1]. marks: name -> a published accuracy, drawn as a cross.
    Raises ValueError without rows.
    """
    figure = _points(rows, "accuracy (%)", marks or {}, title)
    figure.axes[0].set_xlim(-2, 102)
    return figure


@styled
def differences_figure(rows: BySeed, *, title: str = "") -> Figure:
    """Draw differences of accuracies, seed by seed, about a line at zero.

    rows: name -> seed -> difference of two accuracies. Raises ValueError without rows.
    """
    figure = _points(rows, "difference of accuracy (points)", {}, title)
    axes = figure.axes[0]
    axes.axvline(0, color="#777777", linewidth=1, linestyle=(0, (2, 2)), zorder=0)
    widest = max(1.0, *map(abs, axes.get_xlim()))  # seaborn's, about rings and bars
    axes.set_xlim(-widest, widest)
    return figure


def _points(rows: BySeed, xlabel: str, marks: Mapping[str, float], title: str) -> Figure:
    long = _long(rows)
    figure = new_figure(6.8, 0.3 * len(rows) + 1.1)
    axes = figure.subplots()
    look: Any = {"data": long, "x": "value", "y": "name", "order": list(rows), "ax": axes}
    sns.stripplot(**look, marker="$\\circ$", size=7, jitter=False, color=BLUE, zorder=2)
    sns.pointplot(
        **look, errorbar="sd", linestyle="none", marker="D", markersize=5, color=BLACK,
        err_kws={"linewidth": 1.6, "color": BLACK}, capsize=0.25,
    )  # fmt: skip
    for y, name in enumerate(rows):
        if name in marks:
            axes.plot(100 * marks[name], y, "x", color=VERMILION, markersize=7, label="the paper")
    if marks:
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[-1:], labels[-1:], loc="lower left")
    axes.set(xlabel=xlabel, ylabel="")
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    if title:
        figure.suptitle(title)
    said = "; ".join(f"{name}: {_say(list(row.values()))}" for name, row in rows.items())
    return describe(figure, f"{title + ': ' if title else ''}{xlabel}. {said}.")


@styled
def sharpness_seeds(
    lines: Mapping[str, Mapping[float, Mapping[int, float]]], *, title: str = ""
) -> Figure:
    """Draw accuracy over a sharpness: each line the mean over seeds, bars their deviation.

    lines: name of the sharpness -> its value, above 0 -> seed -> accuracy in [0, 1].
    Raises ValueError without lines.
    """
    if not lines:
        raise ValueError("no lines to show")
    figure = new_figure(6.8, 3.2)
    axes = figure.subplots()
    said = []
    for i, (name, points) in enumerate(lines.items()):
        look: Any = LINES[i % len(LINES)]
        long = _long({str(value): row for value, row in sorted(points.items())})
        long["gamma"] = long["name"].astype(float)
        sns.lineplot(
            long, x="gamma", y="value", errorbar="sd", err_style="bars", ax=axes, label=name, **look
        )
        told = (f"{v:g}: {_say(list(row.values()))}" for v, row in sorted(points.items()))
        said.append(f"{name} " + ", ".join(told))
    values = sorted({value for points in lines.values() for value in points})
    axes.set_xscale("log")
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.minorticks_off()
    axes.set(xlabel="sharpness (the other one is 1)", ylabel="accuracy (%)", ylim=(0, 100))
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.6)
    if title:
        figure.suptitle(title)
    return describe(figure, f"{title + ': ' if title else ''}accuracy (%). {'; '.join(said)}.")


def _long(rows: BySeed) -> pd.DataFrame:
    """One line a name and seed, in per cent; ValueError without rows or with an empty one."""
    if not rows or not all(rows.values()):
        raise ValueError("rows without seeds, or no rows")
    found = [(name, 100 * value) for name, row in rows.items() for value in row.values()]
    return pd.DataFrame(found, columns=["name", "value"])


def _say(values: list[float]) -> str:
    """Mean and standard deviation over seeds, in per cent."""
    mean = f"{100 * np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {100 * np.std(values, ddof=1):.1f}"
