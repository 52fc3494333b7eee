"""Figures of what models get wrong: confused classes, changed clips, shares of attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rstan_lite.lab.ledger.changes import Change
from rstan_lite.lab.ledger.errors import Pair
from rstan_lite.show.clips import COLUMN, heat_bar
from rstan_lite.show.pixels import common_peak, draw_contour, overlay
from rstan_lite.show.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    VERMILION,
    describe,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from rstan_lite.lab.ledger.attention import Attended

LINE = 0.27  # inches that a class or pair takes
HATCHED: Any = {"hatch": "//", "edgecolor": "white"}
MARKS: Any = ({"marker": "o", "mfc": "white", "color": BLUE}, {"marker": "s", "color": VERMILION})


@styled
def pair_figure(pairs: Sequence[Pair], *, most: int = 12, title: str = "") -> Figure:
    """Draw pairs of classes that are taken for one another, both directions, a line a pair.

    pairs: of `confused_pairs`; the first `most` are drawn. Numbers are answers of all runs, with
    their share of the answers to clips of the class. Raises ValueError without pairs.
    """
    shown = pairs[:most]
    if not shown:
        raise ValueError("no pair of classes to show")
    figure = new_figure(7.4, LINE * len(shown) + 1.3)
    axes = figure.subplots()
    said = []
    for y, pair in enumerate(shown):
        there, back = (_count(*both) for both in zip(_counts(pair), pair.shares, strict=True))
        axes.barh(y, pair.there, 0.66, color=BLUE)
        axes.barh(y, -pair.back, 0.66, color=ORANGE, **HATCHED)
        _beside(axes, pair.there, y, there)
        _beside(axes, -pair.back, y, back if pair.back else "", left=True)
        first, second = _plain(pair.first), _plain(pair.second)
        said.append(f"{first} taken for {second} {there}, back {back}")
    names = [f"{_plain(pair.first)}, {_plain(pair.second)}" for pair in shown]
    peaks = (max(pair.back for pair in shown), max(pair.there for pair in shown))
    _two_sided(axes, names, peaks, "answers, all runs", 3 + 0.3 * max(peaks))
    axes.barh(0, 0, color=ORANGE, label="second taken for first", **HATCHED)
    axes.barh(0, 0, color=BLUE, label="first taken for second")
    figure.legend(loc="outside lower center", ncols=2)
    return _described(figure, title, "answers", said)


@styled
def change_figure(changes: Sequence[Change], *, title: str = "") -> Figure:
    """Draw what one model fixes and breaks of another's answers, a line a set of clips.

    changes: of `Comparison`. The tick is the difference. Beside each line stands how many of its
    videos gain and lose, and the p of McNemar's test by videos. Raises ValueError without changes.
    """
    if not changes:
        raise ValueError("no change to show")
    figure = new_figure(7.4, LINE * len(changes) + 1.3)
    axes = figure.subplots()
    said = []
    for y, change in enumerate(changes):
        axes.barh(y, change.fixed, 0.66, color=GREEN)
        axes.barh(y, -change.broken, 0.66, color=VERMILION, **HATCHED)
        axes.plot(change.fixed - change.broken, y, "|", color=BLACK, markersize=9, mew=2)
        votes = f"{change.up} : {change.down}, p {change.p:.2g}"
        axes.annotate(
            votes, (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=7.5
        )
        said.append(
            f"{_plain(change.name)}: {change.fixed} fixed, {change.broken} broken, videos {votes}"
        )
    names = [f"{_plain(change.name)} ({change.clips})" for change in changes]
    peaks = (max(change.broken for change in changes), max(change.fixed for change in changes))
    _two_sided(axes, names, peaks, "answers broken (left) and fixed (right), all seeds")
    axes.annotate(
        "videos up : down", (1.02, 1.0), xycoords="axes fraction", xytext=(0, 2),
        textcoords="offset points", fontsize=7.5, color="#777777",
    )  # fmt: skip
    axes.barh(0, 0, color=VERMILION, label="broken", **HATCHED)
    axes.barh(0, 0, color=GREEN, label="fixed")
    axes.plot([], [], "|", color=BLACK, mew=2, linestyle="", label="fixed less broken")
    figure.legend(loc="outside lower center", ncols=3)
    return _described(figure, title, "answers", said)


@styled
def share_figure(
    shares: Mapping[str, NDArray],
    even: NDArray,
    accuracies: Mapping[str, NDArray],
    classes: Sequence[str],
    *,
    title: str = "",
) -> Figure:
    """Draw each class's share of attention on the silhouette, and beside it its accuracy.

    shares, accuracies: one or two models' names -> (C,), in [0, 1]; NaN is left out. even: (C,),
    the share that even attention would have. Raises ValueError for arrays that do not fit.
    """
    panels = (("attention on the silhouette (%)", shares), ("accuracy (%)", accuracies))
    sizes = {len(values) for values in (even, *shares.values(), *accuracies.values())}
    if sizes != {len(classes)} or not 1 <= len(shares) <= len(MARKS) or {*shares} != {*accuracies}:
        raise ValueError(f"{len(shares)} models of {sorted(sizes)} for {len(classes)} classes")
    figure = new_figure(7.4, LINE * len(classes) + 1.4)
    both = figure.subplots(1, 2, sharey=True)
    y = np.arange(len(classes))
    for axes, (label, models) in zip(both, panels, strict=True):
        ends = np.array(list(models.values()))  # (models, C)
        axes.hlines(y, 100 * ends.min(0), 100 * ends.max(0), color="#bbbbbb", linewidth=1.4)
        for mark, (name, values) in zip(MARKS, models.items(), strict=False):
            axes.plot(100 * values, y, linestyle="none", markersize=5.5, label=name, **mark)
        axes.set(xlabel=label, xlim=(-3, 103))
        axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    both[0].plot(100 * even, y, "|", color=BLACK, markersize=9, mew=1.6, label="even attention")
    both[0].set_yticks(y, [_plain(name) for name in classes])
    both[0].set_ylim(len(classes) - 0.5, -0.5)
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    said = [
        f"{_plain(name)}: even {_percent(even[i])}"
        + "".join(f", {m} {_percent(shares[m][i])}, right {_percent(accuracies[m][i])}"
                  for m in shares)
        for i, name in enumerate(classes)
    ]  # fmt: skip
    return _described(figure, title, "share on the silhouette", said)


@styled
def gallery_figure(
    cases: Sequence[tuple[str, Attended]], *, columns: int = 4, title: str = ""
) -> Figure:
    """Draw what models looked at in clips, a row a model and clip, with the silhouette outlined.

    cases: words for each row, and what was attended; rows of one clip should follow each other.
    columns: how many of the steps are drawn, evenly spaced. All maps share one scale. Below each
    picture stands the share of its map on the silhouette. Raises ValueError without cases.
    """
    if not cases or columns < 1:
        raise ValueError(f"{len(cases)} clips in {columns} columns")
    columns = min(columns, *(len(case.frames) for _, case in cases))
    peak = common_peak(grid for _, case in cases for grid in case.maps)
    largest, places = max(case.maps.max() for _, case in cases), cases[0][1].maps.shape[1]
    height, width = cases[0][1].frames.shape[1:3]
    tall = COLUMN * height / width + 0.22
    figure = new_figure(COLUMN * columns + 2.8, tall * len(cases) + (0.5 if title else 0.2))
    every = figure.subplots(len(cases), columns, squeeze=False)
    said = []
    for line, (words, case) in zip(every, cases, strict=True):
        steps = np.linspace(0, len(case.frames) - 1, columns).round().astype(int)
        for axes, t in zip(line, steps, strict=True):
            laid = overlay(case.frames[t], case.maps[t], case.crop, peak=peak, outline=False)
            axes.imshow(draw_contour(laid, case.silhouettes[t], thickness=2))
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            below = f"frame {int(case.indices[t])}, {_on_silhouette(case, t)}"
            axes.set_xlabel(below, fontsize=7.5, labelpad=2)
        answer = f"{_plain(case.answer)} ({_percent(case.probability)})"
        head = [words, f"{_plain(case.action)}, named", answer]
        line[0].set_ylabel("\n".join(head), rotation=0, ha="right", va="center", fontsize=8)
        shares = ", ".join(_on_silhouette(case, t) for t in steps)
        said.append(f"{words}: {head[1]} {answer}; on the silhouette {shares}")
    heat_bar(figure, every, peak, places, largest > peak)
    return _described(figure, title, "attention over frames", [". ".join(said)])


def _on_silhouette(case: Attended, t: int) -> str:
    """The share of a step's map that lies on the silhouette."""
    inside = case.target[t] > 0
    if not inside.any():
        return "no silhouette"
    return _percent(case.maps[t][inside].sum() / case.maps[t].sum())


def _described(figure: Figure, title: str, what: str, said: Sequence[str]) -> Figure:
    """A figure with its title, if any, and a text alternative that names it, line by line."""
    if title:
        figure.suptitle(title)
    return describe(figure, f"{title + ': ' if title else ''}{what}. {'; '.join(said)}.")


def _two_sided(
    axes: Axes, names: Sequence[str], peaks: tuple[float, float], label: str, room: float = 0.5
) -> None:
    """Lines of names beside zero, with bars to both sides, and room where there are any."""
    axes.axvline(0, color=BLACK, linewidth=0.9)
    axes.set_yticks(range(len(names)), names)
    left, right = (peak + room if peak else 0.1 for peak in peaks)
    axes.set(xlim=(-left, right), ylim=(len(names) - 0.5, -0.5), xlabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(lambda x, _: f"{abs(x):g}")
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)


def _beside(axes: Axes, x: float, y: float, words: str, left: bool = False) -> None:
    """Write words at the end of a bar."""
    axes.annotate(
        words, (x, y), xytext=(-3 if left else 3, 0), textcoords="offset points",
        ha="right" if left else "left", va="center", fontsize=7.5,
    )  # fmt: skip


def _counts(pair: Pair) -> tuple[int, int]:
    return pair.there, pair.back


def _count(count: int, share: float | None) -> str:
    return f"{count}" + ("" if share is None else f" ({_percent(share)})")


def _percent(share: float | np.floating) -> str:
    return "none" if np.isnan(share) else f"{100 * share:.0f} %"


def _plain(name: str) -> str:
    return name.replace("_", " ")
