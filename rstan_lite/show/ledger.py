"""Figures of a ledger: the paper's rows beside ours, and each claim with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from rstan_lite.lab.ledger.experiment import Ledger
from rstan_lite.lab.ledger.rows import Claim
from rstan_lite.lab.ledger.statistics import CONTRADICTED, SHOWN, Difference
from rstan_lite.show.style import BLACK, BLUE, GREEN, VERMILION, describe, new_figure, styled

COLOURS = {SHOWN: GREEN, CONTRADICTED: VERMILION}


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
        values = 100 * entry.accuracies
        axes.plot(values, [y] * len(values), "o", color=BLUE, alpha=0.4, markersize=5, mew=0)
        axes.plot(values.mean(), y, "|", color=BLUE, markersize=13, markeredgewidth=2.4)
        text = f"{entry.row.label}: {values.mean():.1f} %"
        if entry.row.paper is not None:
            axes.plot(entry.row.paper, y, "D", color=BLACK, mfc="white", markersize=6)
            text += f", in the paper {entry.row.paper:.1f}"
        said.append(text)
    labels = [f"{entry.row.label} ({entry.row.table})" for entry in entries]
    axes.set_yticks(range(len(entries)), labels)
    axes.set(ylim=(len(entries) - 0.5, -0.6), xlabel="test accuracy (%)")
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    axes.plot([], [], "o", color=BLUE, alpha=0.4, mew=0, label="one seed")
    axes.plot([], [], "|", color=BLUE, markersize=13, mew=2.4, linestyle="", label="mean")
    axes.plot([], [], "D", color=BLACK, mfc="white", label="the paper, other networks and clips")
    figure.legend(loc="outside lower center", ncols=3)
    return describe(figure, "Test accuracy by model. " + "; ".join(said) + ".")


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
        colour = COLOURS.get(found.verdict, "#777777")
        axes.plot([100 * found.low, 100 * found.high], [y, y], color=colour, linewidth=3, alpha=0.6)
        axes.plot([100 * x for x in found.by_seed], [y] * len(found.by_seed), "o", color=colour,
                  markersize=4, alpha=0.5, mew=0)  # fmt: skip
        axes.plot(100 * found.mean, y, "|", color=colour, markersize=13, markeredgewidth=2.4)
        axes.annotate(
            found.verdict, (1.01, y), xycoords=("axes fraction", "data"), va="center", color=colour
        )
        said.append(
            f"{claim.text}: {100 * found.mean:+.1f} points ({100 * found.low:+.1f} to "
            f"{100 * found.high:+.1f}), {found.verdict}"
        )
    axes.axvline(0, color=BLACK, linewidth=1)
    axes.set_yticks(range(len(judged)), [claim.text for claim, _ in judged])
    axes.set(ylim=(len(judged) - 0.5, -0.6), xlabel="difference in test accuracy (points)")
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    return describe(figure, "Claims. " + "; ".join(said) + ".")
