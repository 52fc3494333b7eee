"""Models beside one another: seeds, intervals, the paper's claims, confused classes, shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from rstan_lite.show import style
from rstan_lite.show.charts import spread
from rstan_lite.show.style import describe, listed, named_lines, new_axes, percent, plain, styled

if TYPE_CHECKING:
    from rstan_lite.lab.ledger.claims import Claim, Difference
    from rstan_lite.lab.ledger.error_analysis import Change, Pair
    from rstan_lite.lab.ledger.ledger_runs import Ledger

BySeed = Mapping[str, Mapping[int, float]]  # name -> seed -> a share of 1

LINE = 0.27  # inches that a class or pair takes
MOST_PAIRS = 12
MARKS: Any = (
    {"marker": "o", "mfc": "white", "color": style.BLUE},
    {"marker": "s", "color": style.VERMILION},
)
RING: Any = {"marker": "o", "linestyle": "", "markersize": 5, "mfc": "none", "mew": 1.0}
PAPER: Any = {"marker": "D", "linestyle": "", "color": "black", "mfc": "white", "markersize": 6}
TICK: Any = {"marker": "|", "linestyle": "", "markersize": 13, "mew": 2.4}
SMALL_TICK: Any = {"marker": "|", "linestyle": "", "color": "black", "markersize": 9, "mew": 2}
VERDICTS = {"shown": style.GREEN, "contradicted": style.VERMILION}  # any other one is grey


@styled
def interval_figure(
    shares: Mapping[str, tuple[float, tuple[float, float] | None]], *,
    mark: tuple[str, float] | None = None, strong: str = "",
) -> Figure:  # fmt: skip
    """Draw accuracies as points with their intervals, one line a name, from above.

    shares: name -> (accuracy, its ends or None for no interval), in [0, 1]. mark: words and an
    accuracy, an upright line. strong: the name that is drawn in black.
    """
    (figure, axes), said = new_axes(6.8, 0.21 * len(shares) + 1.0), {}
    for y, (name, (share, ends)) in enumerate(shares.items()):
        look: Any = {"color": style.BLACK if name == strong else style.BLUE}
        said[name] = f"{share:.1%}"
        if ends is not None:
            axes.plot([100 * end for end in ends], [y, y], linewidth=2.2, alpha=0.45, **look)
            said[name] += f" ({ends[0]:.1%} to {ends[1]:.1%})"
        axes.plot(100 * share, y, marker="D" if name == strong else "o", markersize=6, **look)
    if mark is not None:
        style.mark_at(axes, 100 * mark[1], mark[0])
    named_lines(axes, list(shares), xlim=(-2, 102), xlabel="accuracy (%)")
    return describe(figure, f"accuracy (%). {listed(said)}.")


@styled
def row_figure(ledger: Ledger) -> Figure:
    """Draw each row's seeds, mean and deviation, and the paper's number."""
    entries = [entry for entry in ledger.entries.values() if entry.seeds]
    named = {f"{entry.row.label} ({entry.row.table})": entry for entry in entries}
    rows = {name: dict(zip(e.seeds, e.accuracies, strict=True)) for name, e in named.items()}
    papers = {name: e.row.paper for name, e in named.items() if e.row.paper is not None}
    marks = {name: paper / 100 for name, paper in papers.items()}
    return _seed_rows(rows, "test accuracy (%)", marks)


@styled
def differences_figure(rows: BySeed, *, title: str = "") -> Figure:
    """Draw differences of accuracies, seed by seed, about a line at zero.

    rows: name -> seed -> difference of two accuracies.
    """
    figure = _seed_rows(rows, "difference of accuracy (points)", {}, title)
    figure.axes[0].axvline(0, color="black", linewidth=1, zorder=0)
    return figure


def _seed_rows(rows: BySeed, xlabel: str, marks: Mapping[str, float], title: str = "") -> Figure:
    """Draw a line a row: its seeds, their mean and deviation, and a diamond where the paper is."""
    (figure, axes), said = new_axes(7.0, 0.28 * len(rows) + 1.2), {}
    for y, (name, seeds) in enumerate(rows.items()):
        values, mean, apart = _by_seed(seeds)
        _dots(axes, y, values, mean, (mean - apart, mean + apart), style.BLUE)
        said[name] = spread(list(seeds.values()))
        if name in marks:
            axes.plot(100 * marks[name], y, label="the paper, other networks and clips", **PAPER)
            said[name] += f", in the paper {100 * marks[name]:.1f}"
    named_lines(axes, list(rows), xlabel=xlabel)
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))  # each row has named its own
    figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=4)
    return describe(figure, f"{xlabel}. {listed(said)}.", title)


def _by_seed(seeds: Mapping[int, float]) -> tuple[NDArray, float, float]:
    """Shares of 1 as per cent: each seed's, their mean, and their standard deviation."""
    values = 100 * np.array(list(seeds.values()))
    return values, float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _dots(
    axes: Axes, y: int, values: ArrayLike, mean: float, ends: tuple[float, float], colour: str
) -> None:
    """Draw a ring a seed on a line at y, a tick at their mean, and a pale bar from end to end."""
    look: Any = {"color": colour, "linewidth": 3, "alpha": 0.4}
    axes.plot(ends, [y, y], label="standard deviation", **look)
    axes.plot(values, np.full(np.shape(values), y), color=colour, label="one seed", **RING)
    axes.plot(mean, y, color=colour, label="mean", **TICK)


@styled
def sharpness_seeds(
    lines: Mapping[str, Mapping[float, Mapping[int, float]]], *, title: str = ""
) -> Figure:
    """Draw accuracy over a sharpness: each line the mean over seeds, bars their deviation.

    lines: name of the sharpness -> its value, above 0 -> seed -> accuracy in [0, 1]; some at least.
    """
    (figure, axes), said = new_axes(6.8, 3.2), {}
    for (name, points), look in zip(lines.items(), cycle(style.LINES), strict=False):
        values = sorted(points)
        _, means, apart = zip(*(_by_seed(points[value]) for value in values), strict=True)
        axes.errorbar(values, means, apart, label=name, **look)
        told = (f"{value:g}: {spread(list(points[value].values()))}" for value in values)
        said[name] = ", ".join(told)
    marked = sorted({value for points in lines.values() for value in points})
    axes.set(xlabel="sharpness (the other one is 1)", ylabel="accuracy (%)", ylim=(0, 100))
    axes.set_xscale("log")
    axes.set_xticks(marked, [f"{value:g}" for value in marked])
    axes.minorticks_off()
    axes.grid(axis="y", **style.GRID)
    axes.legend()
    return describe(figure, f"accuracy (%). {listed(said)}.", title)


@styled
def claim_figure(judged: Sequence[tuple[Claim, Difference]]) -> Figure:
    """Draw the difference behind each claim: rings are seeds, the bar is the 95 % interval."""
    (figure, axes), said = new_axes(7.0, 0.3 * len(judged) + 1.1), {}
    for y, (claim, found) in enumerate(judged):
        low, mean, high = 100 * found.low, 100 * found.mean, 100 * found.high
        colour = VERDICTS.get(found.verdict, "#777777")
        _dots(axes, y, 100 * np.array(found.by_seed), mean, (low, high), colour)
        axes.annotate(found.verdict, (1.01, y), color=colour, **style.BESIDE)
        said[claim.text] = f"{mean:+.1f} points ({low:+.1f} to {high:+.1f}), {found.verdict}"
    axes.axvline(0, color="black", linewidth=1)
    named_lines(axes, list(said), xlabel="difference in test accuracy (points)")
    return describe(figure, f"Claims. {listed(said)}.")


@styled
def pair_figure(pairs: Sequence[Pair], *, title: str = "") -> Figure:
    """Draw pairs of classes that are taken for one another, both directions, a line a pair.

    pairs: of `confused_pairs`; the first MOST_PAIRS are drawn. Numbers are answers of all runs,
    with their share of the answers to clips of the class.
    """
    shown = pairs[:MOST_PAIRS]
    there, back = [pair.there for pair in shown], [pair.back for pair in shown]
    forth, returned = ([_count(pair, i) for pair in shown] for i in (0, 1))
    names = [(plain(pair.first), plain(pair.second)) for pair in shown]
    sides = {
        "first taken for second": (there, style.BLUE),
        "second taken for first": (back, style.ORANGE),
    }
    lines, room = [", ".join(both) for both in names], 3 + 0.3 * max(there + back)
    figure, axes, (right, left) = _two_sided(lines, sides, "answers, all runs", room)
    axes.bar_label(right, forth, padding=3, fontsize=7.5)
    seen = [words if count else "" for words, count in zip(returned, back, strict=True)]
    axes.bar_label(left, seen, padding=3, fontsize=7.5)
    figure.legend(loc="outside lower center", ncols=2)
    each = zip(names, forth, returned, strict=True)
    said = "; ".join(f"{a} taken for {b} {one}, back {other}" for (a, b), one, other in each)
    return describe(figure, f"answers. {said}.", title)


@styled
def change_figure(changes: Sequence[Change], *, title: str = "") -> Figure:
    """Draw what one model fixes and breaks of another's answers, a line a set of clips.

    changes: of `Comparison`. The tick is the difference. Beside it stands how many videos gain and
    lose, and the p of McNemar's test by videos.
    """
    fixed, broken = [change.fixed for change in changes], [change.broken for change in changes]
    names = [f"{plain(change.name)} ({change.clips})" for change in changes]
    sides = {"fixed": (fixed, style.GREEN), "broken": (broken, style.VERMILION)}
    xlabel = "answers broken (left) and fixed (right), all seeds"
    figure, axes, _ = _two_sided(names, sides, xlabel, 0.5)
    net = np.subtract(fixed, broken)
    axes.plot(net, range(len(changes)), label="fixed less broken", **SMALL_TICK)
    said = {}
    for y, change in enumerate(changes):
        votes = f"{change.up} : {change.down}, p {change.p:.2g}"
        axes.annotate(votes, (1.02, y), fontsize=7.5, **style.BESIDE)
        said[plain(change.name)] = f"{change.fixed} fixed, {change.broken} broken, videos {votes}"
    axes.annotate("videos up : down", (1.02, -0.6), fontsize=7.5, color="#777777", **style.BESIDE)
    figure.legend(loc="outside lower center", ncols=3)
    return describe(figure, f"answers. {listed(said)}.", title)


def _two_sided(
    names: Sequence[str], sides: Mapping[str, tuple[Sequence[int], str]], xlabel: str, room: float
) -> tuple[Figure, Axes, tuple[BarContainer, BarContainer]]:
    """Draw bars to the right and left of zero, a named line each, with room where there are any.

    sides: of the right and the left, name -> the counts and their colour.
    """
    (figure, axes), y = new_axes(7.4, LINE * len(names) + 1.3), range(len(names))
    axes.axvline(0, color="black", linewidth=0.9)
    (label, (right, colour)), (other, (left, hatched)) = sides.items()
    look: Any = {"color": hatched, "label": other, "hatch": "//", "edgecolor": "white"}
    lower = axes.barh(y, [-count for count in left], 0.66, **look)
    upper = axes.barh(y, right, 0.66, color=colour, label=label)
    low, high = (max(counts) + room if any(counts) else 0.1 for counts in (left, right))
    named_lines(axes, names, xlabel=xlabel, xlim=(-low, high))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(lambda x, _: f"{abs(x):g}")
    return figure, axes, (upper, lower)


def _count(pair: Pair, direction: int) -> str:
    """How often a pair is confused in a direction, with its share where there is one."""
    count, share = (pair.there, pair.back)[direction], pair.shares[direction]
    return f"{count}" + ("" if share is None else f" ({percent(share)})")


@styled
def share_figure(
    shares: Mapping[str, NDArray], even: NDArray, accuracies: Mapping[str, NDArray],
    classes: Sequence[str],
) -> Figure:  # fmt: skip
    """Draw each class's share of attention on the silhouette, and beside it its accuracy.

    shares, accuracies: one or two models' names -> (C,), in [0, 1]; NaN is left out. even: (C,),
    the share that even attention would have.
    """
    panels = (("attention on the silhouette (%)", shares), ("accuracy (%)", accuracies))
    figure = style.new_figure(7.4, LINE * len(classes) + 1.4)
    both, y = figure.subplots(1, 2, sharey=True), np.arange(len(classes))
    names = [plain(name) for name in classes]
    for axes, (label, models) in zip(both, panels, strict=True):
        ends = np.array(list(models.values()))  # (models, C)
        axes.hlines(y, 100 * ends.min(0), 100 * ends.max(0), color="#bbbbbb", linewidth=1.4)
        for mark, (name, values) in zip(MARKS, models.items(), strict=False):
            axes.plot(100 * values, y, linestyle="none", markersize=5.5, label=name, **mark)
        named_lines(axes, names, xlabel=label, xlim=(-3, 103))
    both[1].tick_params(left=False)
    both[0].plot(100 * even, y, label="even attention", **SMALL_TICK)
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    said = {}
    for i, name in enumerate(names):
        each = [f"{m} {percent(shares[m][i])}, right {percent(accuracies[m][i])}" for m in shares]
        said[name] = f"even {percent(even[i])}, {', '.join(each)}"
    return describe(figure, f"share on the silhouette. {listed(said)}.")
