"""Lines and tables of numbers: training curves, values over x, results, who is taken for whom."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.show import style
from rstan_lite.show.style import describe, draw_lines, heat_panels, listed, new_axes, styled
from rstan_lite.system.tables import Table

RESULT_COLUMNS = ("model", "accuracy (%)", "attention on the person (%)", "test clips", "seeds")
Values = Sequence[float] | NDArray


@styled
def curves(history: Mapping[str, Mapping[str, Sequence[float]]], *, title: str = "") -> Figure:
    """Draw training curves, one line a model, one panel a quantity.

    history: model -> column -> one value an epoch (NaN where none was measured). A column with
    `accuracy` or `share` in its name is drawn in per cent.
    """
    columns = list(next(iter(history.values())))
    figure = style.new_figure(1.6 + 3.2 * len(columns), 3.0)
    axes = figure.subplots(1, len(columns), squeeze=False)[0]
    for column, axis in zip(columns, axes, strict=True):
        name, share = column.replace("_", " "), "accuracy" in column or "share" in column
        for i, (model, values) in enumerate(history.items()):
            y = np.asarray(values.get(column, ()), np.float64) * (100 if share else 1)
            draw_lines(axis, np.arange(1, len(y) + 1), {model: y}, i)
        axis.set(xlabel="epoch", ylabel=name)
        if share:
            axis.set(ylim=(0, 100), ylabel=f"{name} (%)")
        axis.grid(axis="y", **style.GRID)
        axis.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    said = {}
    for model, found in history.items():
        last = ", ".join(f"{k.replace('_', ' ')} {v[-1]:.2f}" for k, v in found.items() if len(v))
        said[f"{model} after {max(map(len, found.values()))} epochs"] = last
    return describe(figure, f"Training curves. {listed(said)}.", title)


class LiveCurves:
    """Collects values epoch by epoch and redraws one picture in place.

    columns: the quantities to draw, a panel each. every: seconds between two drawings at least, so
    that drawing never costs more than training. An epoch is an object with attributes; what is
    missing or None counts as not measured (NaN). Outside a notebook nothing is shown.
    """

    def __init__(self, *columns: str, every: float = 2.0) -> None:
        self.columns, self.every = columns, every
        self.history: dict[str, dict[str, list[float]]] = {}
        self._handle: Any = None
        self._drawn = -np.inf

    def of(self, model: str) -> Callable[[object], None]:
        """Return a function that takes this model's epochs, one after the other."""
        epochs: list[object] = []

        def add(epoch: object) -> None:
            epochs.append(epoch)
            self.set(model, epochs)
            if time.monotonic() - self._drawn > self.every:
                self.close(dpi=80)

        return add

    def set(self, model: str, epochs: Sequence[object]) -> None:
        """Replace all that is known of one model, for example by the log of a finished run."""
        rows = [[getattr(epoch, column, None) for column in self.columns] for epoch in epochs]
        values = np.array(rows, np.float64).T.tolist()  # None becomes NaN
        self.history[model] = dict(zip(self.columns, values, strict=True))

    def close(self, path: str | Path | None = None, dpi: int = style.DPI) -> style.Picture:
        """Draw everything in place, and write it to a .png if a path is given."""
        picture = style.keep(curves(self.history, title="training"), path, dpi)
        self._drawn = time.monotonic()
        if self._handle is not None:
            self._handle.update(picture)
        elif "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
            self._handle = sys.modules["IPython"].display.display(picture, display_id=True)
        return picture


def result_table(metrics: Mapping[str, Mapping], caption: str = "") -> Table:
    """Put runs side by side, one row a model, in the order given.

    metrics: model -> its `metrics.json`, or several of them (other seeds) under `"runs"`, of which
    `test_accuracy`, `n_test` and `attention_on_silhouette` are shown: means in per cent, with the
    deviation over seeds. caption: name the data, the split, the seeds and the profile.
    """
    rows = []
    for model, found in metrics.items():
        runs = list(found.get("runs", [found]))
        accuracy = spread([run["test_accuracy"] for run in runs])
        attention = spread([run.get("attention_on_silhouette") for run in runs])
        rows.append((model, accuracy, attention, str(int(runs[0]["n_test"])), str(len(runs))))
    return Table(RESULT_COLUMNS, tuple(rows), caption)


def spread(values: Sequence[float | None]) -> str:
    """Write shares as per cent: a mean, and a standard deviation if there is one to give."""
    known = [100 * float(v) for v in values if v is not None]
    if not known:
        return "none"
    mean = f"{np.mean(known):.1f}"
    return mean if len(known) == 1 else f"{mean} ± {np.std(known, ddof=1):.1f}"


@styled
def confusion_figure(
    matrix: NDArray, classes: Sequence[str], *, title: str = "confusion matrix"
) -> Figure:
    """Show which actions are taken for which.

    matrix: (C, C) counts, true class by row. Colour is the share of the row, numbers are clips.
    """
    matrix = np.asarray(matrix)
    share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    names, side = [style.plain(name) for name in classes], 2.2 + 0.34 * len(classes)
    look: Any = {"cmap": "Blues", "vmin": 0, "vmax": 100, "square": True}
    look |= {"annot": np.where(matrix > 0, matrix.astype(str), ""), "fmt": ""}
    label, size = "share of the action's clips (%)", (side + 0.9, side)
    table, heads, sides = {title: share}, {title: names}, ("predicted action", "true action")
    figure, (axes,) = heat_panels(table, names, heads, size, label, sides, **look)
    axes.tick_params(axis="x", rotation=90)
    wrong = matrix - np.diag(np.diag(matrix))
    text = f"{title}: {int(np.trace(matrix))} of {int(matrix.sum())} clips on the diagonal."
    if wrong.any():
        row, column = divmod(int(wrong.argmax()), len(names))
        text += f" Most frequent mistake: {names[row]} taken for {names[column]}"
        text += f" ({int(wrong[row, column])} clips)."
    return describe(figure, text)


@styled
def line_chart(
    x: Values, lines: Mapping[str, Values], *, xlabel: str, ylabel: str,
    bounds: Mapping[str, Values] | None = None, marks: Mapping[str, float] | None = None,
    log: bool = False, title: str = "",
) -> Figure:  # fmt: skip
    """Draw one line a name over x, told apart by colour, dash and marker.

    x: (n,). lines: name -> (n,). bounds: name of a line -> (n,), what it can't exceed, drawn as
    grey rings. marks: words -> x, a thin upright line. log: a logarithmic y axis.
    """
    values = {name: np.asarray(y, dtype=np.float64) for name, y in lines.items()}
    figure, axis = new_axes(7.0, 3.2)
    draw_lines(axis, x, values)
    ring: Any = {"linestyle": "none", "marker": "o", "markersize": 9, "markerfacecolor": "none"}
    for i, most in enumerate((bounds or {}).values()):
        label = "best possible" if i == 0 else None
        axis.plot(x, most, color="#777777", label=label, zorder=1, **ring)
    for words, at in (marks or {}).items():
        style.mark_at(axis, at, words)
    axis.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    axis.grid(axis="y", **style.GRID)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    ends = {
        name: f"{y[0]:.3g} at {x[0]:.3g}, {y[-1]:.3g} at {x[-1]:.3g}" for name, y in values.items()
    }
    return describe(figure, f"{ylabel} over {xlabel}. {listed(ends)}.", title)


@styled
def accuracy_by_step(shares: Mapping[str, NDArray], chance: float, clips: int) -> Figure:
    """Show the accuracy of each step's answer, one line a model or part.

    shares: label -> (T,), in 0 to 1. chance: the accuracy of guessing. clips: how many one point is
    measured on; one clip's worth is drawn as a bar at the side.
    """
    steps = len(next(iter(shares.values())))
    lines = {label: 100 * np.asarray(share) for label, share in shares.items()}
    words: Any = {"xlabel": "step t", "ylabel": "accuracy of its answer (%)"}
    figure = line_chart(range(1, steps + 1), lines, **words)
    (axes,), middle = figure.axes, 100 * chance + 50 / clips + 6
    axes.axhline(100 * chance, color=style.BLACK, linewidth=1, linestyle=(0, (2, 2)))
    below: Any = {"xytext": (0, -3), "textcoords": "offset points", "va": "top", "fontsize": 8}
    axes.annotate("guessing", (0.75, 100 * chance), **below)
    bar: Any = {"color": "#555555", "capsize": 3, "linewidth": 1}
    axes.errorbar([steps + 0.5], [middle], yerr=[50 / clips], **bar)
    axes.annotate("one\nclip", (steps + 0.6, middle), fontsize=7, va="center")
    axes.set(xlim=(0.7, steps + 1.1), ylim=(0, 104), xticks=range(1, steps + 1))
    ends = {k: f"{v[0]:.0%} at step 1, {v[-1]:.0%} at step {steps}" for k, v in shares.items()}
    text = f"Accuracy by step on {clips} clips. {listed(ends)}; guessing {chance:.0%}."
    return describe(figure, text)


@styled
def memory_figure(
    values: Mapping[str, NDArray], *, ranges: Mapping[str, tuple[float, float]]
) -> Figure:
    """Show quantities of a recurrence over its steps, a panel each, one above the other.

    values: label -> (T,) or (T, units), a line a unit. ranges: label -> the ends of that panel's
    axis.
    """
    n = len(next(iter(values.values())))
    figure = style.new_figure(6.4, 0.78 * len(values) + 0.8)
    axes = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (label, value) in zip(axes, values.items(), strict=True):
        units = np.asarray(value, np.float64).reshape(n, -1).T
        draw_lines(axis, range(1, n + 1), {f"unit {i}": unit for i, unit in enumerate(units, 1)})
        low, high = ranges[label]
        pad = 0.12 * (high - low)
        axis.set(ylim=(low - pad, high + pad), yticks=[low, high])
        axis.set_ylabel(label, rotation=0, ha="right", va="center")
        axis.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    if any(np.ndim(value) == 2 for value in values.values()):
        many = max(axes, key=lambda axis: len(axis.lines))
        figure.legend(*many.get_legend_handles_labels(), loc="outside right center")
    axes[-1].set(xlabel="step t", xticks=range(1, n + 1))
    last = {k: ", ".join(f"{x:.2f}" for x in np.ravel(value[-1])) for k, value in values.items()}
    return describe(figure, f"{n} steps of an LSTM. At the last one, {listed(last)}.")


@styled
def number_grid(
    panels: Mapping[str, NDArray], rows: Sequence[str],
    columns: Sequence[str] | Mapping[str, Sequence[str]], *, label: str, digits: int = 2,
    title: str = "",
) -> Figure:  # fmt: skip
    """Show small matrices side by side, each number in its cell, on one scale from or about zero.

    panels: name -> (R, C), R the same in all. rows: R names. columns: C names, or panel -> names.
    label: of the colour bar. NaN leaves a cell empty.
    """
    tables = {name: np.asarray(table, dtype=np.float64) for name, table in panels.items()}
    heads = columns if isinstance(columns, Mapping) else dict.fromkeys(tables, columns)
    peak = max(1e-12, *(float(np.nanmax(np.abs(table))) for table in tables.values()))
    signed = any(np.nanmin(table) < 0 for table in tables.values())  # white is zero
    look: Any = {"cmap": "RdBu_r", "vmin": -peak} if signed else {"cmap": "Blues", "vmin": 0.0}
    look |= {"vmax": peak, "annot": True, "fmt": f".{digits}f", "linewidths": 0}
    wide = 0.62 * sum(table.shape[1] for table in tables.values())
    size = 1.6 + 0.07 * max(map(len, rows)) + wide, 1.25 + 0.36 * len(rows)
    figure, _ = heat_panels(tables, rows, heads, size, label, **look)
    said = []
    for name, table in tables.items():
        each = zip(rows, table, strict=True)
        cells = {row: ", ".join(f"{v:.{digits}f}" for v in values) for row, values in each}
        said.append(f"{name}: {listed(cells)}.".replace("$", ""))
    return describe(figure, " ".join(said), title)
