"""What came out: training curves, the table of results, who is taken for whom, runs over seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.show.style import (
    BLACK,
    BLUE,
    DPI,
    GRID,
    LINES,
    VERMILION,
    Picture,
    describe,
    keep,
    new_figure,
    plain,
    styled,
)
from rstan_lite.system.tables import Table

RESULT_COLUMNS = ("model", "accuracy (%)", "attention on the person (%)", "test clips", "seeds")
BySeed = Mapping[str, Mapping[int, float]]  # name -> seed -> a share of 1


@styled
def curves(history: Mapping[str, Mapping[str, Sequence[float]]], *, title: str = "") -> Figure:
    """Draw training curves, one line a model, one panel a quantity.

    history: model -> column -> one value an epoch (NaN where none was measured). The columns are
    those of the first model; a column whose name has `accuracy` or `share` in it is drawn in per
    cent. Lines differ in colour, dash and marker.
    """
    if not history:
        raise ValueError("no training history to show")
    columns = list(next(iter(history.values())))
    figure = new_figure(1.6 + 3.2 * len(columns), 3.0)
    axes = figure.subplots(1, len(columns), squeeze=False)[0]
    for column, axis in zip(columns, axes, strict=True):
        name, share = column.replace("_", " "), "accuracy" in column or "share" in column
        for i, (model, values) in enumerate(history.items()):
            y = np.asarray(values.get(column, ()), dtype=np.float64) * (100 if share else 1)
            known = np.flatnonzero(np.isfinite(y))  # epochs without a value are left out
            _line(axis, known + 1, y[known], model, i)
        axis.set(xlabel="epoch", ylabel=name)
        if share:
            axis.set(ylim=(0, 100), ylabel=f"{name} (%)")
        axis.grid(axis="y", **GRID)
        axis.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    said = []
    for model, found in history.items():
        last = ", ".join(f"{k.replace('_', ' ')} {v[-1]:.2f}" for k, v in found.items() if len(v))
        said.append(f"{model} after {max(map(len, found.values()))} epochs: {last}")
    return describe(figure, f"Training curves. {'; '.join(said)}.", title)


def _line(axis: Axes, x: Any, y: Any, label: str, i: int) -> None:
    """Draw the i-th line of a chart, with a marker at about eight of its points."""
    axis.plot(x, y, label=label, markevery=max(1, len(x) // 8), **LINES[i % len(LINES)])


class LiveCurves:
    """Collects values epoch by epoch and redraws one picture in place.

    columns: the quantities to draw, a panel each. every: seconds between two drawings at least,
    so that drawing never costs more than training; `close` draws the last state in any case.
    An epoch is a mapping or an object with the columns as attributes, such as the training's
    EpochLog; a column that is missing or None counts as not measured (NaN).
    Outside a notebook nothing is shown and the history is kept all the same.
    """

    def __init__(self, *columns: str, title: str = "training", every: float = 2.0) -> None:
        self.columns, self.title, self.every = columns, title, every
        self.history: dict[str, dict[str, list[float]]] = {}
        self._handle, self._started, self._drawn = _display_handle(), False, -np.inf

    def add(self, model: str, epoch: object) -> None:
        """Take one epoch of one model."""
        lines = self.history.setdefault(model, {column: [] for column in self.columns})
        for column in self.columns:
            lines[column].append(_value(epoch, column))
        if time.monotonic() - self._drawn > self.every:
            self._show()

    def of(self, model: str) -> Callable[[object], None]:
        """Return a function that takes this model's epochs, one after the other."""
        return lambda epoch: self.add(model, epoch)

    def set(self, model: str, epochs: Sequence[object]) -> None:
        """Replace all that is known of one model, for example by the log of a finished run."""
        self.history[model] = {
            column: [_value(epoch, column) for epoch in epochs] for column in self.columns
        }

    def close(self, path: str | Path | None = None) -> Picture:
        """Draw everything a last time, in place, and write it to a .png if a path is given."""
        return self._show(path, DPI)

    def _show(self, path: str | Path | None = None, dpi: int = 80) -> Picture:
        picture = keep(curves(self.history, title=self.title), path, dpi)
        self._drawn = time.monotonic()
        if self._handle is not None and self._started:
            self._handle.update(picture)
        elif self._handle is not None:
            self._handle.display(picture)
            self._started = True
        return picture


def _value(epoch: object, column: str) -> float:
    found = epoch.get(column) if isinstance(epoch, Mapping) else getattr(epoch, column, None)
    return np.nan if found is None else float(found)


def _display_handle() -> Any:
    """Return IPython's handle of a display to be updated, or None outside a notebook."""
    try:
        from IPython import get_ipython
        from IPython.display import DisplayHandle
    except ImportError:
        return None
    return None if get_ipython() is None else DisplayHandle()


def result_table(metrics: Mapping[str, Mapping], caption: str = "") -> Table:
    """Put runs side by side, one row a model, in the order given.

    metrics: model -> its `metrics.json`, or several of them (other seeds) under `"runs"`. Uses
    `test_accuracy`, `n_test` and `attention_on_silhouette` (None without attention), both shares
    of 1. Accuracy and attention become per cent: a mean, with the standard deviation where there
    are several seeds. caption: name the data, the split, the seeds and the profile.
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

    matrix: (C, C) counts, true class by row. Colour is the share of the row, the numbers are clips
    (zeros are left out), so that classes of different size can be compared.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"a matrix of shape {matrix.shape} for {len(classes)} classes")
    share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    names, side = [plain(name) for name in classes], 2.2 + 0.34 * len(classes)
    figure = new_figure(side + 0.9, side)
    axes = figure.subplots()
    sns.heatmap(
        share, vmin=0, vmax=100, cmap="Blues", square=True, ax=axes, linewidths=0.5,
        linecolor="#dddddd", annot=np.where(matrix > 0, matrix.astype(str), ""), fmt="",
        annot_kws={"fontsize": 7.5}, xticklabels=names, yticklabels=names,
        cbar_kws={"label": "share of the action's clips (%)", "shrink": 0.8},
    )  # fmt: skip
    axes.set(title=title, xlabel="predicted action", ylabel="true action")
    axes.tick_params(axis="x", rotation=90, length=2)
    axes.tick_params(axis="y", rotation=0, length=2)
    wrong = matrix - np.diag(np.diag(matrix))
    text = f"{title}: {int(np.trace(matrix))} of {int(matrix.sum())} clips on the diagonal."
    if wrong.any():
        row, column = divmod(int(wrong.argmax()), len(names))
        text += f" Most frequent mistake: {names[row]} taken for {names[column]}"
        text += f" ({int(wrong[row, column])} clips)."
    return describe(figure, text)


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
    bounds = bounds or {}
    if not values or any(len(y) != len(x) for y in values.values()):
        raise ValueError(f"lines of {[len(y) for y in values.values()]} points over {len(x)}")
    if not set(bounds) <= set(values):
        raise ValueError(f"bounds of {sorted(bounds)} for lines {sorted(values)}")
    figure = new_figure(7.0, 3.2)
    axis = figure.subplots()
    for i, (name, y) in enumerate(values.items()):
        _line(axis, x, y, name, i)
    ring: Any = {"linestyle": "none", "marker": "o", "markersize": 9, "markerfacecolor": "none"}
    for i, most in enumerate(bounds.values()):
        label = "best possible" if i == 0 else None
        axis.plot(x, most, color="#777777", label=label, zorder=1, **ring)
    place: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    for words, at in (marks or {}).items():
        axis.axvline(at, color="#777777", linewidth=0.9, linestyle=(0, (2, 2)), zorder=0)
        axis.annotate(words, (at, 1.0), xytext=(3, -9), fontsize=7.5, color="#444444", **place)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        axis.set_yscale("log")
    axis.grid(axis="y", **GRID)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    said = "; ".join(
        f"{name}: {y[0]:.3g} at {x[0]:.3g}, {y[-1]:.3g} at {x[-1]:.3g}"
        for name, y in values.items()
    )
    return describe(figure, f"{ylabel} over {xlabel}. {said}.", title)


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
    signed = any(np.nanmin(table) < 0 for table in tables.values())  # white is zero
    scale: Any = {"cmap": "RdBu_r", "vmin": -peak} if signed else {"cmap": "Blues", "vmin": 0.0}
    widths = [table.shape[1] for table in tables.values()]
    wide = 1.6 + 0.07 * max(map(len, rows)) + 0.62 * sum(widths)
    figure = new_figure(wide, 1.25 + 0.36 * len(rows))
    axes = figure.subplots(1, len(tables), squeeze=False, width_ratios=widths)[0]
    said = []
    for i, (axis, (name, table)) in enumerate(zip(axes, tables.items(), strict=True)):
        picture = axis.imshow(table, vmax=peak, aspect="auto", **scale)
        for (row, column), value in np.ndenumerate(table):
            if np.isfinite(value):
                ink = "white" if abs(value) > 0.65 * peak else "black"
                look: Any = {"ha": "center", "va": "center", "fontsize": 8, "color": ink}
                axis.text(column, row, f"{value:.{digits}f}", **look)
        axis.set_xticks(range(table.shape[1]), heads[name])
        axis.set_yticks(range(len(rows)), rows if i == 0 else [""] * len(rows))
        axis.tick_params(length=0)
        axis.set_title(name)
        axis.spines[:].set_visible(False)
        lines = (
            f"{row}: {', '.join(f'{v:.{digits}f}' for v in values)}"
            for row, values in zip(rows, table, strict=True)
        )
        said.append(f"{name}: {'; '.join(lines)}.".replace("$", ""))
    figure.colorbar(picture, ax=list(axes), label=label, aspect=15)
    return describe(figure, " ".join(said), title)


@styled
def seeds_figure(
    rows: BySeed, *, marks: Mapping[str, float] | None = None, title: str = ""
) -> Figure:
    """Draw each seed's accuracy as a ring, and mean and standard deviation beside it, a line a row.

    rows: name -> seed -> accuracy in [0, 1]. marks: name -> a published accuracy, drawn as a cross.
    Raises ValueError without rows.
    """
    figure = _points(rows, "accuracy (%)", title)
    (axes,) = figure.axes
    for y, name in enumerate(rows):
        if marks and name in marks:
            axes.plot(100 * marks[name], y, "x", color=VERMILION, markersize=7, label="the paper")
    if marks:
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[-1:], labels[-1:], loc="lower left")
    axes.set_xlim(-2, 102)
    return figure


@styled
def differences_figure(rows: BySeed, *, title: str = "") -> Figure:
    """Draw differences of accuracies, seed by seed, about a line at zero.

    rows: name -> seed -> difference of two accuracies. Raises ValueError without rows.
    """
    figure = _points(rows, "difference of accuracy (points)", title)
    (axes,) = figure.axes
    axes.axvline(0, color="#777777", linewidth=1, linestyle=(0, (2, 2)), zorder=0)
    widest = max(1.0, *map(abs, axes.get_xlim()))  # seaborn's, about rings and bars
    axes.set_xlim(-widest, widest)
    return figure


def _points(rows: BySeed, xlabel: str, title: str) -> Figure:
    figure = new_figure(6.8, 0.3 * len(rows) + 1.1)
    axes = figure.subplots()
    look: Any = {"data": _long(rows), "x": "value", "y": "name", "order": list(rows), "ax": axes}
    sns.stripplot(**look, marker="$\\circ$", size=7, jitter=False, color=BLUE, zorder=2)
    sns.pointplot(
        **look, errorbar="sd", linestyle="none", marker="D", markersize=5, color=BLACK,
        err_kws={"linewidth": 1.6, "color": BLACK}, capsize=0.25,
    )  # fmt: skip
    axes.set(xlabel=xlabel, ylabel="")
    axes.grid(axis="x", **GRID)
    said = "; ".join(f"{name}: {spread(list(row.values()))}" for name, row in rows.items())
    return describe(figure, f"{xlabel}. {said}.", title)


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
    axes, said = figure.subplots(), []
    for i, (name, points) in enumerate(lines.items()):
        long = _long({str(value): row for value, row in sorted(points.items())})
        long["gamma"] = long["name"].astype(float)
        look: Any = {"errorbar": "sd", "err_style": "bars", **LINES[i % len(LINES)]}
        sns.lineplot(long, x="gamma", y="value", ax=axes, label=name, **look)
        told = (f"{v:g}: {spread(list(row.values()))}" for v, row in sorted(points.items()))
        said.append(f"{name} " + ", ".join(told))
    values = sorted({value for points in lines.values() for value in points})
    axes.set_xscale("log")
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.minorticks_off()
    axes.set(xlabel="sharpness (the other one is 1)", ylabel="accuracy (%)", ylim=(0, 100))
    axes.grid(axis="y", **GRID)
    return describe(figure, f"accuracy (%). {'; '.join(said)}.", title)


def _long(rows: BySeed) -> pd.DataFrame:
    """One line a name and seed, in per cent; ValueError without rows or with an empty one."""
    if not rows or not all(rows.values()):
        raise ValueError("rows without seeds, or no rows")
    found = [(name, 100 * value) for name, row in rows.items() for value in row.values()]
    return pd.DataFrame(found, columns=["name", "value"])
