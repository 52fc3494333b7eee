"""Figures of temporal attention: frames a step may look at, sharpness, and one step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.show.pixels import common_peak, overlay
from rstan_lite.show.sharpness import effective_number, sharpened
from rstan_lite.show.style import BLUE, ORANGE, describe, new_figure, styled

COLUMN = 1.25  # inches that one frame is wide


@styled
def attended_figure(seen: Mapping[str, NDArray], *, title: str = "") -> Figure:
    """Show which frames each step may look at, a panel for each rule.

    seen: name of the rule -> (T, n) bool, True where step t may look at frame n.
    """
    tables = {name: np.asarray(table, bool) for name, table in seen.items()}
    if not tables or any(table.ndim != 2 for table in tables.values()):
        raise ValueError("one table of steps and frames for each rule")
    figure = new_figure(0.8 + 2.3 * len(tables), 3.3 if title else 2.9)
    axes = figure.subplots(1, len(tables), squeeze=False)[0]
    for i, (axis, (name, table)) in enumerate(zip(axes, tables.items(), strict=True)):
        axis.imshow(table, cmap="Blues", vmin=0, vmax=1.6)
        for step, frame in np.argwhere(table):
            axis.text(frame, step, "•", ha="center", va="center")
        steps, frames = table.shape
        axis.set_xticks(range(frames), range(1, frames + 1))
        axis.set_yticks(range(steps), range(1, steps + 1))
        axis.set_xticks(np.arange(0.5, frames - 1), minor=True)
        axis.set_yticks(np.arange(0.5, steps - 1), minor=True)
        axis.grid(which="minor", color="#bbbbbb", linewidth=0.6)
        axis.tick_params(length=0, which="both")
        axis.set(title=name, xlabel="frame n", ylabel="step t" if i == 0 else "")
    if title:
        figure.suptitle(title)
    said = "; ".join(
        f"{name}: {', '.join(str(int(k)) for k in table.sum(1))}" for name, table in tables.items()
    )
    return describe(figure, f"Number of frames that each step may look at. {said}.")


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
    names = [str(n + 1) for n in range(len(scores))]
    _bars(left, names, scores, ORANGE, "")
    left.axhline(0, color="black", linewidth=0.8)
    left.margins(y=0.18)
    left.set(xlabel="frame n", ylabel="score of Eq. 5")
    _bars(right, names, beta, BLUE, "//")
    right.axhline(1 / len(beta), color="black", linewidth=1.0, linestyle=(0, (3, 2)))
    right.text(len(beta) - 0.5, 1 / len(beta), "1/N", ha="right", va="bottom", fontsize=8)
    right.set(xlabel="frame n", ylabel=r"weight $\beta$ of Eq. 6", ylim=(0, 1.08))
    right.set_title(rf"$\gamma_\beta$ = {gamma_beta:g}: spread over {spread:.2f} frames")
    if title:
        figure.suptitle(title)
    weights = ", ".join(f"{weight:.3f}" for weight in beta)
    return describe(
        figure,
        f"gamma_beta {gamma_beta:g}: frame weights {weights}; spread over {spread:.2f} of "
        f"{len(beta)} frames.",
    )


@styled
def step_attention(
    frames: NDArray[np.uint8],
    alpha: NDArray,
    beta: NDArray,
    step: int = 1,
    *,
    indices: Sequence[int] | None = None,
    crop: Geometry | None = None,
    title: str = "",
) -> Figure:
    """Show one step's attention: alpha over every frame, and beta as a bar under each.

    frames: (T, H, W, 3) uint8. alpha: (T, T, P) and beta: (T, T) of all steps over all frames.
    step: t, counted from 1; its own frame is framed. indices: the frames' numbers in the clip.
    The scales are those of all steps, so that steps can be compared.
    """
    alpha, beta = np.asarray(alpha), np.asarray(beta)
    steps = len(frames)
    if alpha.shape[:2] != (steps, steps) or beta.shape != (steps, steps):
        raise ValueError(f"{steps} frames, but alpha {alpha.shape} and beta {beta.shape}")
    if not 1 <= step <= steps:
        raise ValueError(f"step {step} of {steps}")
    peak = common_peak(alpha.reshape(steps * steps, -1))
    height = COLUMN * frames.shape[1] / frames.shape[2]
    figure = new_figure(COLUMN * steps + 0.7, 2 * height + (1.0 if title else 0.7))
    axes = figure.subplots(2, steps, squeeze=False)
    most = max(float(beta.max()), 2 / steps)
    for n in range(steps):
        top, bottom = axes[:, n]
        picture = overlay(frames[n], alpha[step - 1, n], crop, peak=peak)
        top.imshow(picture, interpolation="antialiased")
        name = f"frame {n + 1 if indices is None else int(indices[n])}"
        top.set(xticks=[], yticks=[], title=f"{name}\n" + ("(own)" if n == step - 1 else ""))
        top.spines[:].set_visible(False)
        _weight_bar(bottom, float(beta[step - 1, n]), most, steps)
        if n == step - 1:
            size = (frames.shape[2], frames.shape[1])
            top.add_patch(Rectangle((-0.5, -0.5), *size, fill=False, color=ORANGE, linewidth=4))
    axes[0, 0].set_ylabel(rf"$\alpha_{{{step}}}(n, \cdot)$")
    axes[1, 0].set_ylabel(rf"$\beta_{{{step}}}(n)$")
    if title:
        figure.suptitle(title)
    weights = ", ".join(f"{weight:.3f}" for weight in beta[step - 1])
    largest = ", ".join(f"{weight:.3f}" for weight in alpha[step - 1].max(-1))
    return describe(
        figure,
        f"Step {step} of {steps}. Frame weights beta: {weights}. "
        f"Largest place weight alpha in each frame: {largest}.",
    )


def _weight_bar(axis: Axes, weight: float, most: float, steps: int) -> None:
    """Draw one frame's weight, on a scale that ends a little above `most`."""
    axis.bar([0], [weight], width=0.55, color=BLUE, edgecolor="black", linewidth=0.6)
    axis.axhline(1 / steps, color="black", linewidth=0.9, linestyle=(0, (3, 2)))
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # hides the line behind it
    axis.text(
        0, weight + 0.03 * most, f"{weight:.2f}", ha="center", va="bottom", fontsize=8, bbox=ground
    )
    axis.set(xlim=(-0.6, 0.6), ylim=(0, 1.3 * most), xticks=[], yticks=[])


def _bars(axis: Axes, names: Sequence[str], values: NDArray, colour: str, hatch: str) -> None:
    """Draw labelled bars with their values on top."""
    drawn = axis.bar(names, values, color=colour, edgecolor="white", hatch=hatch)
    axis.bar_label(drawn, fmt="%.2f", fontsize=7, padding=1)
