"""Figures of how sure a result is: shares with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from rstan_lite.show.style import BLACK, BLUE, describe, new_figure, styled

Interval = tuple[float, float]


@styled
def interval_figure(
    shares: Mapping[str, tuple[float, Interval | None]],
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
    axes.set_yticks(range(len(shares)), list(shares))
    axes.set(xlim=(-2, 102), ylim=(len(shares) - 0.5, -0.7), xlabel=xlabel)
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    if title:
        figure.suptitle(title)
    said = "; ".join(
        f"{name}: {share:.1%}" + (f" ({ends[0]:.1%} to {ends[1]:.1%})" if ends else "")
        for name, (share, ends) in shares.items()
    )
    return describe(figure, f"{title + ': ' if title else ''}{xlabel}. {said}.")
