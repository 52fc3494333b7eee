"""Weights at one step: sharpness of places and frames (Eq. 3, 6) and their fusion (Eq. 14-15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.show.frames import common_peak, overlay
from rstan_lite.show.strips import attention_strip, heat_bar, panel
from rstan_lite.show.style import (
    BLACK,
    BLUE,
    LINES,
    ORANGE,
    STREAM_COLOURS,
    VERMILION,
    describe,
    new_figure,
    styled,
)

FUSIONS = ("none", "mean", "max")
EVEN = {"color": BLACK, "linewidth": 1.0, "linestyle": (0, (3, 2))}  # the line of even weights


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
    places, count = len(alpha), effective_number(alpha)
    figure = new_figure(8.2, 3.1)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    laid = overlay(frame, alpha, crop, peak=peak)
    panel(left, laid, f"weights at $\\gamma_\\alpha$ = {gamma:g}")
    heat_bar(figure, np.array([left]), peak, places, bool(alpha.max() > peak))
    right.bar(range(1, places + 1), np.sort(alpha)[::-1], color=VERMILION, width=0.9)
    right.axhline(1 / places, **EVEN)
    right.text(places, 1 / places * 1.15, "even", ha="right", va="bottom", fontsize=8)
    right.set(xlabel="places, largest weight first", ylabel="weight $\\alpha$")
    right.set(yscale="log", ylim=(1e-4, 1.3), xlim=(0, places + 1))
    right.set_title(f"as if shared by {count:.1f} of {places} places")
    return describe(
        figure,
        f"Location weights at sharpness {gamma:g}: the largest is {alpha.max():.3f}, the smallest "
        f"{alpha.min():.3g}; shared as if by {count:.1f} of {places} places.",
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
    axes, every = figure.subplots(), max(1, len(gammas) // 8)
    for k, (line, score) in enumerate(zip(LINES, scores, strict=False)):
        label = f"place {k + 1}, score {score:.2f}"
        axes.plot(gammas, weights[:, k], label=label, markevery=every, **line)
    for gamma in mark:
        axes.axvline(gamma, color=BLUE, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
        axes.text(gamma, 1.02, f"{gamma:g}", ha="center", va="bottom", fontsize=8, color=BLUE)
    axes.set(xlabel="sharpness $\\gamma_\\alpha$", ylabel="weight $\\alpha$", ylim=(0, 1.0))
    axes.margins(x=0.01)
    figure.legend(loc="outside right center")
    last = ", ".join(f"{w:.3f}" for w in weights[-1])
    return describe(
        figure,
        f"Weights of {weights.shape[1]} places against sharpness {gammas[0]:g} to {gammas[-1]:g}. "
        f"They begin at {weights[0].min():.3f} to {weights[0].max():.3f} and end at {last}.",
        title,
    )


@styled
def frame_sharpness(scores: NDArray, gamma_beta: float = 1.0, *, title: str = "") -> Figure:
    """Show un-normalised frame scores and the weights that Eq. 6 makes of them.

    scores: (N,) of Eq. 5. gamma_beta: 0 or more. The right panel also says over how many frames
    the weight is spread: exp of the entropy, N for equal weights and 1 for a single frame.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"scores (N,), not {scores.shape}")
    beta = sharpened(scores, gamma_beta)
    spread = effective_number(beta)
    figure = new_figure(7.0, 2.8)
    left, right = figure.subplots(1, 2)
    _bars(left, scores, ORANGE, "")
    left.axhline(0, color=BLACK, linewidth=0.8)
    left.margins(y=0.18)
    left.set(xlabel="frame n", ylabel="score of Eq. 5")
    _bars(right, beta, BLUE, "//")
    right.axhline(1 / len(beta), **EVEN)
    right.text(len(beta) - 0.5, 1 / len(beta), "1/N", ha="right", va="bottom", fontsize=8)
    right.set(xlabel="frame n", ylabel=r"weight $\beta$ of Eq. 6", ylim=(0, 1.08))
    right.set_title(rf"$\gamma_\beta$ = {gamma_beta:g}: spread over {spread:.2f} frames")
    weights = ", ".join(f"{weight:.3f}" for weight in beta)
    text = f"frame weights {weights}; spread over {spread:.2f} of {len(beta)} frames."
    return describe(figure, f"gamma_beta {gamma_beta:g}: {text}", title)


def _bars(axis: Axes, values: NDArray, colour: str, hatch: str) -> None:
    """Draw numbered bars with their values on top."""
    names = [str(n + 1) for n in range(len(values))]
    drawn = axis.bar(names, values, color=colour, edgecolor="white", hatch=hatch)
    axis.bar_label(drawn, fmt="%.2f", fontsize=7, padding=1)


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
    lengths = ", ".join(f"{k}: {np.linalg.norm(v):.2f}" for k, v in zip(rows, table, strict=True))
    text = f"{len(rows)} feature vectors as rows of colour. Lengths: {lengths}."
    return describe(figure, text, title)


@styled
def fused_bars(
    appearance: NDArray, motion: NDArray, *, what: str = "place", title: str = ""
) -> Figure:
    """Show two streams' weights side by side, and under a line their maximum (Eq. 14 or 15).

    appearance, motion: (N,), each summing to 1. what: the name of an entry, "place" or "frame".
    The title of the axes gives the three sums; the maximum's is 1 plus half of the sum of
    |appearance - motion|.
    """
    a, m = np.asarray(appearance, float), np.asarray(motion, float)
    if a.shape != m.shape or a.ndim != 1:
        raise ValueError(f"two rows of weights of one length, not {a.shape} and {m.shape}")
    fused, at = np.maximum(a, m), np.arange(len(a), dtype=float)
    figure = new_figure(3.4 + 0.8 * len(a), 2.8)
    axis, drawn = figure.subplots(), []
    for values, name, shift, hatch in ((a, "appearance", -0.19, ""), (m, "motion", 0.19, "//")):
        label = f"{name}, sum {values.sum():.2f}"
        look: Any = {"color": STREAM_COLOURS[name], "edgecolor": "white", "hatch": hatch}
        drawn.append(axis.bar(at + shift, values, 0.36, label=label, **look))
    label = f"maximum, sum {fused.sum():.2f}"
    lines = axis.hlines(fused, at - 0.42, at + 0.42, color=BLACK, linewidth=2.2, label=label)
    axis.set_xticks(at, [str(k + 1) for k in range(len(a))])
    axis.set(xlabel=what, ylabel="weight", ylim=(0, 1.15 * float(fused.max())))
    figure.legend(handles=[*drawn, lines], loc="outside right center")
    return describe(
        figure,
        f"Weights of {len(a)} {what}s. Sums: appearance {a.sum():.3f}, motion {m.sum():.3f}, "
        f"maximum {fused.sum():.3f}; half of the absolute differences adds up to "
        f"{np.abs(a - m).sum() / 2:.3f}.",
        title,
    )


def fusion_figure(
    frames: NDArray[np.uint8],
    maps: Mapping[str, NDArray],
    fusion: str = "max",
    *,
    indices: Sequence[int] | None = None,
    crop: Geometry | None = None,
    silhouettes: NDArray | None = None,
) -> Figure:
    """Show the streams' maps over frames, and what a fusion makes of them (Eq. 14).

    frames: (n, H, W, 3) uint8. maps: stream -> (n, P). fusion: "none" (both rows alone), "mean" or
    "max". silhouettes: (n, H, W), for a first row of frames with the person outlined. The scale is
    the same for all fusions, so that they can be compared.
    """
    if fusion not in FUSIONS:
        raise ValueError(f"fusion {fusion!r}; it is one of {', '.join(FUSIONS)}")
    stack = np.stack([np.asarray(one, float) for one in maps.values()])  # (S, n, P)
    rows, peak = dict(maps), common_peak(stack.reshape(-1, stack.shape[-1]))
    if fusion != "none":
        rows[f"fused ({fusion})"] = stack.max(0) if fusion == "max" else stack.mean(0)
    around: Any = {"indices": indices, "crop": crop, "silhouettes": silhouettes}
    figure = attention_strip(frames, rows, peak=peak, title=f"fusion: {fusion}", **around)
    sums = "; ".join(
        f"{name}: {', '.join(f'{s:.3f}' for s in np.asarray(row).sum(-1))}"
        for name, row in rows.items()
    )
    return describe(figure, f"Fusion {fusion}. Sums of the maps over their places: {sums}.")


def trained_maps(
    frames: NDArray[np.uint8],
    maps: Mapping[float, Mapping[str, NDArray]],
    lambda_aa: float = 0.0,
    *,
    target: NDArray,
    indices: Sequence[int] | None = None,
    crop: Geometry | None = None,
    silhouettes: NDArray | None = None,
) -> Figure:
    """Show the attention of one of several trained models, chosen by its lambda_AA of Eq. 19.

    frames: (n, H, W, 3) uint8. maps: lambda_AA -> row label -> (n, P). target: (n, P), M of Eq. 18.
    The scale is the same for all models. The text alternative gives each row's mean share of
    attention on the silhouette.
    """
    if lambda_aa not in maps:
        raise ValueError(f"lambda_AA {lambda_aa}; there are {', '.join(f'{k:g}' for k in maps)}")
    peak = common_peak(grid for rows in maps.values() for stack in rows.values() for grid in stack)
    around: Any = {"indices": indices, "crop": crop, "silhouettes": silhouettes, "target": target}
    title = rf"trained with $\lambda_{{AA}}$ = {lambda_aa:g}"
    figure = attention_strip(frames, maps[lambda_aa], peak=peak, title=title, **around)
    shown, said = np.asarray(target).any(-1), []  # shown: frames with a silhouette
    for label, stack in maps[lambda_aa].items():
        weights = np.asarray(stack)[shown]
        shares = (weights * (np.asarray(target)[shown] > 0)).sum(-1) / weights.sum(-1)
        said.append(f"{label.strip()}: {shares.mean() if len(shares) else np.nan:.1%}")
    return describe(
        figure,
        f"lambda_AA {lambda_aa:g}. Share of the attention on the silhouette: {'; '.join(said)}.",
    )
