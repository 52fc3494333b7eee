"""Models beside one another: intervals, the paper's rows and claims, confused classes, shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rstan_lite.show.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    VERMILION,
    describe,
    named_lines,
    new_figure,
    percent,
    plain,
    styled,
)

if TYPE_CHECKING:
    from rstan_lite.lab.ledger.claims import Claim, Difference
    from rstan_lite.lab.ledger.error_analysis import Change, Pair
    from rstan_lite.lab.ledger.ledger_runs import Ledger

LINE = 0.27  # inches that a class or pair takes
HATCHED: Any = {"hatch": "//", "edgecolor": "white"}
MARKS: Any = ({"marker": "o", "mfc": "white", "color": BLUE}, {"marker": "s", "color": VERMILION})
DOT: Any = {"marker": "o", "linestyle": "", "mew": 0}
TICK: Any = {"marker": "|", "linestyle": "", "markersize": 13, "mew": 2.4}
SMALL_TICK: Any = {"marker": "|", "linestyle": "", "color": BLACK, "markersize": 9, "mew": 2}
VERDICTS = {"shown": GREEN, "contradicted": VERMILION}  # any other one is grey
BESIDE: Any = {"xycoords": ("axes fraction", "data"), "va": "center"}


@styled
def interval_figure(
    shares: Mapping[str, tuple[float, tuple[float, float] | None]],
    *,
    xlabel: str = "accuracy (%)",
    mark: tuple[str, float] | None = None,
    strong: str = "",
    title: str = "",
) -> Figure:
    """Draw shares as points with their intervals, one line a name, from above.

    shares: name -> (share, its ends or None where there is no interval), all in [0, 1]. mark: words
    and a share, an upright line. strong: the name that is drawn in black.
    Raises ValueError without shares.
    """
    if not shares:
        raise ValueError("no shares to show")
    figure = new_figure(6.8, 0.21 * len(shares) + 1.0)
    axes = figure.subplots()
    for y, (name, (share, ends)) in enumerate(shares.items()):
        look: Any = {"color": BLACK if name == strong else BLUE}
        if ends is not None:
            axes.plot([100 * end for end in ends], [y, y], linewidth=2.2, alpha=0.45, **look)
        axes.plot(100 * share, y, marker="D" if name == strong else "o", markersize=6, **look)
    if mark is not None:
        axes.axvline(100 * mark[1], color="#777777", linestyle=(0, (2, 2)), linewidth=1, zorder=0)
        place: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        axes.annotate(mark[0], (100 * mark[1], 1.0), xytext=(3, 2), fontsize=7.5, **place)
    named_lines(axes, list(shares), xlim=(-2, 102), xlabel=xlabel)
    said = "; ".join(
        f"{name}: {share:.1%}" + (f" ({ends[0]:.1%} to {ends[1]:.1%})" if ends else "")
        for name, (share, ends) in shares.items()
    )
    return describe(figure, f"{xlabel}. {said}.", title)


@styled
def row_figure(ledger: Ledger) -> Figure:
    """Draw each row's runs as dots with their mean, beside the paper's number.

    Raises ValueError where no row has a finished run.
    """
    entries = [entry for entry in ledger.entries.values() if entry.seeds]
    if not entries:
        raise ValueError("no finished run to show")
    figure = new_figure(7.0, 0.28 * len(entries) + 1.2)
    axes = figure.subplots()
    said = []
    for y, entry in enumerate(entries):
        values, paper = 100 * entry.accuracies, entry.row.paper
        axes.plot(values, [y] * len(values), color=BLUE, alpha=0.4, markersize=5, **DOT)
        axes.plot(values.mean(), y, color=BLUE, **TICK)
        said.append(f"{entry.row.label}: {values.mean():.1f} %")
        if paper is not None:
            axes.plot(paper, y, "D", color=BLACK, mfc="white", markersize=6)
            said[-1] += f", in the paper {paper:.1f}"
    labels = [f"{entry.row.label} ({entry.row.table})" for entry in entries]
    named_lines(axes, labels, xlabel="test accuracy (%)")
    axes.plot([], [], color=BLUE, alpha=0.4, label="one seed", **DOT)
    axes.plot([], [], color=BLUE, label="mean", **TICK)
    axes.plot([], [], "D", color=BLACK, mfc="white", label="the paper, other networks and clips")
    figure.legend(loc="outside lower center", ncols=3)
    return describe(figure, f"Test accuracy by model. {'; '.join(said)}.")


@styled
def claim_figure(judged: Sequence[tuple[Claim, Difference]]) -> Figure:
    """Draw the difference behind each claim: dots are seeds, the bar is the 95 % interval.

    Raises ValueError without claims.
    """
    if not judged:
        raise ValueError("no claim to show")
    figure = new_figure(7.0, 0.3 * len(judged) + 1.1)
    axes = figure.subplots()
    said = []
    for y, (claim, found) in enumerate(judged):
        low, mean, high = 100 * found.low, 100 * found.mean, 100 * found.high
        look: Any = {"color": VERDICTS.get(found.verdict, "#777777")}
        seeds = [100 * x for x in found.by_seed]
        axes.plot([low, high], [y, y], linewidth=3, alpha=0.6, **look)
        axes.plot(seeds, [y] * len(seeds), markersize=4, alpha=0.5, **DOT, **look)
        axes.plot(mean, y, **TICK, **look)
        axes.annotate(found.verdict, (1.01, y), **BESIDE, **look)
        interval = f"{low:+.1f} to {high:+.1f}"
        said.append(f"{claim.text}: {mean:+.1f} points ({interval}), {found.verdict}")
    axes.axvline(0, color=BLACK, linewidth=1)
    names = [claim.text for claim, _ in judged]
    named_lines(axes, names, xlabel="difference in test accuracy (points)")
    return describe(figure, f"Claims. {'; '.join(said)}.")


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
    there, back = [pair.there for pair in shown], [pair.back for pair in shown]
    forth, returned = ([_count(pair, i) for pair in shown] for i in (0, 1))
    labels, room = ("first taken for second", "second taken for first"), 3 + 0.3 * max(there + back)
    right, left = _two_sided(axes, there, back, (BLUE, ORANGE), labels, room)
    axes.bar_label(right, forth, padding=3, fontsize=7.5)
    seen = [words if count else "" for words, count in zip(returned, back, strict=True)]
    axes.bar_label(left, seen, padding=3, fontsize=7.5)
    names = [(plain(pair.first), plain(pair.second)) for pair in shown]
    named_lines(axes, [", ".join(both) for both in names], xlabel="answers, all runs")
    figure.legend(loc="outside lower center", ncols=2)
    said = "; ".join(
        f"{first} taken for {second} {one}, back {other}"
        for (first, second), one, other in zip(names, forth, returned, strict=True)
    )
    return describe(figure, f"answers. {said}.", title)


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
    fixed, broken = [change.fixed for change in changes], [change.broken for change in changes]
    _two_sided(axes, fixed, broken, (GREEN, VERMILION), ("fixed", "broken"))
    net = np.subtract(fixed, broken)
    axes.plot(net, range(len(changes)), label="fixed less broken", **SMALL_TICK)
    said = []
    for y, change in enumerate(changes):
        votes = f"{change.up} : {change.down}, p {change.p:.2g}"
        axes.annotate(votes, (1.02, y), fontsize=7.5, **BESIDE)
        counts = f"{change.fixed} fixed, {change.broken} broken"
        said.append(f"{plain(change.name)}: {counts}, videos {votes}")
    axes.annotate(
        "videos up : down", (1.02, 1.0), xycoords="axes fraction", xytext=(0, 2),
        textcoords="offset points", fontsize=7.5, color="#777777",
    )  # fmt: skip
    names = [f"{plain(change.name)} ({change.clips})" for change in changes]
    named_lines(axes, names, xlabel="answers broken (left) and fixed (right), all seeds")
    figure.legend(loc="outside lower center", ncols=3)
    return describe(figure, f"answers. {'; '.join(said)}.", title)


def _two_sided(
    axes: Axes,
    right: Sequence[int],
    left: Sequence[int],
    colours: tuple[str, str],
    labels: tuple[str, str],
    room: float = 0.5,
) -> tuple[BarContainer, BarContainer]:
    """Draw bars to the right and left of zero, a line each, with room where there are any."""
    axes.axvline(0, color=BLACK, linewidth=0.9)
    y, minus = range(len(right)), [-count for count in left]
    lower = axes.barh(y, minus, 0.66, color=colours[1], label=labels[1], **HATCHED)
    upper = axes.barh(y, right, 0.66, color=colours[0], label=labels[0])
    low, high = (max(counts) + room if any(counts) else 0.1 for counts in (left, right))
    axes.set_xlim(-low, high)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(lambda x, _: f"{abs(x):g}")
    return upper, lower


def _count(pair: Pair, direction: int) -> str:
    """How often a pair is confused in a direction, with its share where there is one."""
    count, share = (pair.there, pair.back)[direction], pair.shares[direction]
    return f"{count}" + ("" if share is None else f" ({percent(share)})")


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
    said = []
    for i, name in enumerate(names):
        each = [f"{m} {percent(shares[m][i])}, right {percent(accuracies[m][i])}" for m in shares]
        said.append(f"{name}: even {percent(even[i])}, {', '.join(each)}")
    return describe(figure, f"share on the silhouette. {'; '.join(said)}.", title)
