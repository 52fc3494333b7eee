"""Two plain charts that lessons share: named lines over a quantity, and a matrix with its numbers.

Both carry their data in the text alternative, so that a reader who can't see them, or a test, has
the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.show.style import LINES, describe, new_figure, styled

DIVERGING = "RdBu_r"  # white at zero; each cell's number says the sign in a grey print
RISING = "Blues"  # where nothing is negative


@styled
def line_chart(
    x: Sequence[float] | NDArray,
    lines: Mapping[str, Sequence[float] | NDArray],
    *,
    xlabel: str,
    ylabel: str,
    bounds: Mapping[str, Sequence[float] | NDArray] | None = None,
    marks: Mapping[str, float] | None = None,
    log: bool = False,
    title: str = "",
) -> Figure:
    """Draw one line a name over x, told apart by colour, dash and marker.

    x: (n,). lines: name -> (n,). bounds: name of a line -> (n,), what it can't exceed, drawn as
    grey rings. marks: words -> x, a thin upright line. log: a logarithmic y axis.
    """
    values = {name: np.asarray(y, dtype=np.float64) for name, y in lines.items()}
    if not values or any(len(y) != len(x) for y in values.values()):
        raise ValueError(f"lines of {[len(y) for y in values.values()]} points over {len(x)}")
    if not set(bounds or {}) <= set(values):
        raise ValueError(f"bounds of {sorted(bounds or {})} for lines {sorted(values)}")
    figure = new_figure(7.0, 3.2)
    axis = figure.subplots()
    for i, (name, y) in enumerate(values.items()):
        look = LINES[i % len(LINES)]
        axis.plot(x, y, label=name, markevery=max(1, len(x) // 8), **look)
    ring: Any = {"linestyle": "none", "marker": "o", "markersize": 9, "markerfacecolor": "none"}
    for i, most in enumerate((bounds or {}).values()):
        label = "best possible" if i == 0 else None
        axis.plot(x, most, color="#777777", label=label, zorder=1, **ring)
    place: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    for words, at in (marks or {}).items():
        axis.axvline(at, color="#777777", linewidth=0.9, linestyle=(0, (2, 2)), zorder=0)
        axis.annotate(words, (at, 1.0), xytext=(3, -9), fontsize=7.5, color="#444444", **place)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        axis.set_yscale("log")
    axis.grid(axis="y", color="#e5e5e5", linewidth=0.6)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    if title:
        figure.suptitle(title)
    said = "; ".join(
        f"{name}: {y[0]:.3g} at {x[0]:.3g}, {y[-1]:.3g} at {x[-1]:.3g}"
        for name, y in values.items()
    )
    return describe(figure, f"{title + ': ' if title else ''}{ylabel} over {xlabel}. {said}.")


@styled
def number_grid(
    panels: Mapping[str, NDArray],
    rows: Sequence[str],
    columns: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    label: str,
    digits: int = 2,
    title: str = "",
) -> Figure:
    """Show small matrices side by side, each number in its cell, on one scale from or about zero.

    panels: name -> (R, C), R the same in all. rows: R names. columns: C names, or panel -> names.
    label: of the colour bar. NaN leaves a cell empty.
    """
    tables = {name: np.asarray(table, dtype=np.float64) for name, table in panels.items()}
    heads = columns if isinstance(columns, Mapping) else dict.fromkeys(tables, columns)
    for name, table in tables.items():
        if table.shape != (len(rows), len(heads[name])):
            raise ValueError(f"{name}: {table.shape} for {len(rows)} x {len(heads[name])} names")
    peak = max(1e-12, *(float(np.nanmax(np.abs(table))) for table in tables.values()))
    signed = any(np.nanmin(table) < 0 for table in tables.values())
    look_up = {"cmap": DIVERGING, "vmin": -peak} if signed else {"cmap": RISING, "vmin": 0.0}
    widths = [table.shape[1] for table in tables.values()]
    longest = max(len(row) for row in rows)
    figure = new_figure(1.6 + 0.07 * longest + 0.62 * sum(widths), 1.25 + 0.36 * len(rows))
    axes = figure.subplots(1, len(tables), squeeze=False, width_ratios=widths)[0]
    for i, (axis, (name, table)) in enumerate(zip(axes, tables.items(), strict=True)):
        picture = axis.imshow(table, vmax=peak, aspect="auto", **look_up)
        for (row, column), value in np.ndenumerate(table):
            if np.isfinite(value):
                ink = "white" if abs(value) > 0.65 * peak else "black"
                look = {"ha": "center", "va": "center", "fontsize": 8, "color": ink}
                axis.text(column, row, f"{value:.{digits}f}", **look)
        axis.set_xticks(range(table.shape[1]), heads[name])
        axis.set_yticks(range(len(rows)), rows if i == 0 else [""] * len(rows))
        axis.tick_params(length=0)
        axis.set_title(name)
        axis.spines[:].set_visible(False)
    figure.colorbar(picture, ax=list(axes), label=label, aspect=15)
    if title:
        figure.suptitle(title)
    return describe(figure, f"{title + ': ' if title else ''}{_say(tables, rows, digits)}")


def _say(tables: Mapping[str, NDArray], rows: Sequence[str], digits: int) -> str:
    """Read the tables out, row by row."""
    said = []
    for name, table in tables.items():
        lines = (
            f"{row.replace('$', '')}: {', '.join(f'{v:.{digits}f}' for v in values)}"
            for row, values in zip(rows, table, strict=True)
        )
        said.append(f"{name.replace('$', '')}: {'; '.join(lines)}.")
    return " ".join(said)
