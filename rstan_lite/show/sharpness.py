"""Figures of what sharpness does to attention (gamma of Eq. 3 and Eq. 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.show.clips import _image, heat_bar
from rstan_lite.show.pixels import overlay
from rstan_lite.show.style import BLACK, BLUE, LINES, VERMILION, describe, new_figure, styled


def sharpened(scores: NDArray, gamma: float) -> NDArray[np.float64]:
    """Weights of Eq. 3 in NumPy: scores (P,) and sharpness to weights (P,) that sum to 1."""
    if gamma < 0:
        raise ValueError(f"a sharpness of 0 or more, not {gamma}")
    powers = np.exp(gamma * (np.asarray(scores, np.float64) - np.max(scores)))
    return powers / powers.sum()


def effective_number(weights: NDArray) -> float:
    """How many places or frames share the weight: exp of its entropy, 1 for one, n for even."""
    some = np.asarray(weights, np.float64)
    some = some[some > 0]
    return float(np.exp(-(some * np.log(some)).sum()))


@styled
def sharpness_figure(
    frame: NDArray[np.uint8], scores: NDArray, gamma: float, crop: Geometry | None = None
) -> Figure:
    """Show one frame's location weights at a sharpness: over the frame, and sorted by size.

    frame: (H, W, 3) uint8. scores: (P,) un-normalised scores of Eq. 2. gamma: 0 or more. crop:
    what the network saw. Colours and the axis of weights have the same scale for every gamma, so
    that two figures can be compared: full strength is a weight of 0.25.
    """
    alpha, peak = sharpened(scores, gamma), 0.25
    count = effective_number(alpha)
    figure = new_figure(8.2, 3.1)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _image(
        left, overlay(frame, alpha, crop, peak=peak), f"weights at $\\gamma_\\alpha$ = {gamma:g}"
    )
    heat_bar(figure, np.array([left]), peak, len(alpha), bool(alpha.max() > peak))
    order = np.sort(alpha)[::-1]
    right.bar(range(1, len(alpha) + 1), order, color=VERMILION, width=0.9)
    right.axhline(1 / len(alpha), color=BLACK, linewidth=1.2, linestyle=(0, (3, 2)))
    right.text(len(alpha), 1 / len(alpha) * 1.15, "even", ha="right", va="bottom", fontsize=8)
    right.set(xlabel="places, largest weight first", ylabel="weight $\\alpha$")
    right.set(yscale="log", ylim=(1e-4, 1.3), xlim=(0, len(alpha) + 1))
    right.set_title(f"as if shared by {count:.1f} of {len(alpha)} places")
    return describe(
        figure,
        f"Location weights at sharpness {gamma:g}: the largest is {alpha.max():.3f}, the smallest "
        f"{alpha.min():.3g}; shared as if by {count:.1f} of {len(alpha)} places.",
    )


@styled
def sharpness_curves(
    scores: NDArray, gammas: Sequence[float], mark: Sequence[float] = (), *, title: str = ""
) -> Figure:
    """Show each place's weight against the sharpness, for a handful of places.

    scores: (P,), P up to 6. gammas: where the lines are drawn. mark: values to mark by a vertical
    line, for example those of the paper.
    """
    weights = np.array([sharpened(scores, gamma) for gamma in gammas])  # (len(gammas), P)
    if not 1 <= weights.shape[1] <= len(LINES):
        raise ValueError(f"1 to {len(LINES)} places, not {weights.shape[1]}")
    figure = new_figure(6.4, 3.0)
    axes = figure.subplots()
    for k, line in enumerate(LINES[: weights.shape[1]]):
        label = f"place {k + 1}, score {scores[k]:.2f}"
        axes.plot(gammas, weights[:, k], label=label, markevery=max(1, len(gammas) // 8), **line)
    for gamma in mark:
        axes.axvline(gamma, color=BLUE, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
        axes.text(gamma, 1.02, f"{gamma:g}", ha="center", va="bottom", fontsize=8, color=BLUE)
    axes.set(xlabel="sharpness $\\gamma_\\alpha$", ylabel="weight $\\alpha$", ylim=(0, 1.0))
    axes.margins(x=0.01)
    figure.legend(loc="outside right center")
    if title:
        figure.suptitle(title)
    last = ", ".join(f"{w:.3f}" for w in weights[-1])
    return describe(
        figure,
        f"Weights of {weights.shape[1]} places against sharpness {gammas[0]:g} to {gammas[-1]:g}. "
        f"They begin at {weights[0].min():.3f} to {weights[0].max():.3f} and end at {last}.",
    )


@styled
def features_figure(rows: Mapping[str, NDArray], *, first: int = 40, title: str = "") -> Figure:
    """Show several feature vectors below each other, in the channels where they differ most.

    rows: label -> (d,), not negative. first: how many channels are shown, those with the largest
    spread over the rows, sorted by the last row. All share one scale from 0.
    """
    table = np.array([np.asarray(row, np.float64) for row in rows.values()])  # (rows, d)
    if table.ndim != 2 or len(table) < 2:
        raise ValueError("two vectors of one length, or more")
    chosen = np.argsort(table.max(0) - table.min(0))[::-1][:first]
    chosen = chosen[np.argsort(table[-1, chosen])]
    figure = new_figure(7.6, 0.42 * len(rows) + (1.3 if title else 1.0))
    axes = figure.subplots()
    shown = axes.imshow(table[:, chosen], aspect="auto", cmap="magma_r", vmin=0)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xticks([])
    axes.set_xlabel(
        f"the {len(chosen)} of {table.shape[1]} channels that differ most, sorted by the last row"
    )
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", axis="y", color="white", linewidth=3)
    axes.tick_params(length=0, which="both")
    axes.spines[:].set_visible(False)
    figure.colorbar(shown, ax=axes, label="value", pad=0.01)
    if title:
        figure.suptitle(title)
    lengths = ", ".join(f"{k}: {np.linalg.norm(v):.2f}" for k, v in zip(rows, table, strict=True))
    return describe(figure, f"{len(rows)} feature vectors as rows of colour. Lengths: {lengths}.")
