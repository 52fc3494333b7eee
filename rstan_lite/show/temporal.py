"""Figures over time: which frames each step attends to, and how training goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.show.style import LINES, describe, new_figure, styled


def by_frame(
    beta: NDArray, frames: NDArray | None = None, valid: NDArray | None = None, n: int = 0
) -> NDArray[np.float64]:
    """Lay frame weights out by the frame they belong to.

    beta: (T, N) weights of step t for its N attended frames. frames: (T, N), the sampled frame each
    weight belongs to (None: N = all frames, in order). valid: (T, N), False where a window reaches
    past the end. n: number of sampled frames (0: T). Returns (T, n), NaN where step t does not look
    at a frame at all.
    """
    beta = np.asarray(beta, dtype=np.float64)
    if beta.ndim != 2:
        raise ValueError(f"frame weights have shape (T, N), not {beta.shape}")
    steps, attended = beta.shape
    frames = np.broadcast_to(np.arange(attended), beta.shape) if frames is None else frames
    valid = np.ones(beta.shape, bool) if valid is None else np.asarray(valid, bool)
    if frames.shape != beta.shape or valid.shape != beta.shape:
        raise ValueError(
            f"weights {beta.shape}, frames {frames.shape} and valid {valid.shape} differ in shape"
        )
    table = np.full((steps, max(n or steps, int(frames[valid].max()) + 1)), np.nan)
    step = np.broadcast_to(np.arange(steps)[:, None], beta.shape)
    table[step[valid], frames[valid]] = beta[valid]
    return table


@styled
def beta_heatmap(
    beta: Mapping[str, NDArray],
    frames: NDArray | None = None,
    valid: NDArray | None = None,
    *,
    indices: Sequence[int] | None = None,
    title: str = "",
) -> Figure:
    """Show which sampled frames each step of the LSTM attends to, a panel for each set of weights.

    beta: panel label -> (T, N), for example each stream's beta and the fused one. frames, valid:
    see `by_frame`; frames that a step does not look at are hatched. indices: the sampled frames'
    numbers in the clip. All panels share one scale, from 0 to the largest weight shown.
    """
    tables = {label: by_frame(one, frames, valid) for label, one in beta.items()}
    if not tables:
        raise ValueError("no frame weights to show")
    steps, n = next(iter(tables.values())).shape
    peak = max(float(np.nanmax(table)) for table in tables.values())
    figure = new_figure(1.2 + 2.6 * len(tables), 3.4)
    axes = figure.subplots(1, len(tables), squeeze=False)[0]
    for i, (axis, (label, table)) in enumerate(zip(axes, tables.items(), strict=True)):
        sns.heatmap(
            table, mask=np.isnan(table), vmin=0, vmax=peak, cmap="Blues", square=True,
            annot=n <= 8, fmt=".2f", annot_kws={"fontsize": 7}, ax=axis, cbar=False,
            linewidths=0.5, linecolor="white",
        )  # fmt: skip
        axis.patch.set(facecolor="white", edgecolor="#cccccc", hatch="////", linewidth=0)
        names = list(range(n)) if indices is None else [int(k) for k in indices]
        axis.set_xticklabels(_thin([names[int(x)] for x in axis.get_xticks()]), rotation=0)
        axis.set_yticklabels(_thin([int(y) + 1 for y in axis.get_yticks()]), rotation=0)
        axis.set(title=label, xlabel="sampled frame" if indices is None else "frame of the clip")
        axis.set_ylabel("step t" if i == 0 else "")
    hatched = any(np.isnan(table).any() for table in tables.values())
    unseen = " (hatched: not looked at)" if hatched else ""
    figure.colorbar(
        axes[0].collections[0],
        ax=list(axes),
        label=f"frame weight{unseen}",
        aspect=25,
        shrink=0.8,
    )
    if title:
        figure.suptitle(title)
    fused = ", ".join(f"{k}: {np.nansum(v, axis=1).mean():.2f}" for k, v in tables.items())
    return describe(
        figure,
        f"{title + ': ' if title else ''}frame weights of {steps} steps over {n} frames. "
        f"Mean sum of a row: {fused}.",
    )


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
        for (model, values), line in zip(history.items(), _lines(len(history)), strict=True):
            _curve(axis, column, values.get(column, ()), model, line)
        axis.set(xlabel="epoch", ylabel=column.replace("_", " "))
        if _is_share(column):
            axis.set(ylim=(0, 100), ylabel=f"{column.replace('_', ' ')} (%)")
        axis.grid(axis="y", color="#e5e5e5", linewidth=0.6)
        axis.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    if title:
        figure.suptitle(title)
    return describe(figure, f"{title + ': ' if title else ''}{_last_values(history)}")


def _curve(axis: Axes, column: str, values: Sequence[float], model: str, line: dict) -> None:
    """Draw one line, leaving out epochs without a value."""
    y = np.asarray(values, dtype=np.float64) * (100 if _is_share(column) else 1)
    known = np.flatnonzero(np.isfinite(y))
    axis.plot(known + 1, y[known], label=model, markevery=max(1, len(known) // 8), **line)


def _is_share(column: str) -> bool:
    return "accuracy" in column or "share" in column


def _last_values(history: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Say where each curve stands, for the text alternative."""
    said = []
    for model, columns in history.items():
        last = ", ".join(f"{k.replace('_', ' ')} {v[-1]:.2f}" for k, v in columns.items() if len(v))
        said.append(f"{model} after {max(map(len, columns.values()))} epochs: {last}")
    return "Training curves. " + "; ".join(said) + "."


def _lines(n: int) -> list[dict]:
    """Return n line styles, the common ones repeated where there are more lines than styles."""
    return [LINES[i % len(LINES)] for i in range(n)]


def _thin(labels: Sequence[int]) -> list[str]:
    """Keep at most about ten tick labels, so that they do not touch."""
    every = max(1, -(-len(labels) // 10))
    return [str(label) if i % every == 0 else "" for i, label in enumerate(labels)]
