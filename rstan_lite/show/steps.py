"""Figures over the steps: which frames each attends to, what it remembers, what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.show.frames import common_peak, overlay
from rstan_lite.show.strips import panel
from rstan_lite.show.style import BLACK, BLUE, LINES, ORANGE, describe, new_figure, styled

WIDTH = 1.25  # inches that one frame is wide


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
    look: Any = {"label": f"frame weight{unseen}", "aspect": 25, "shrink": 0.8}
    figure.colorbar(axes[0].collections[0], ax=list(axes), **look)
    fused = ", ".join(f"{k}: {np.nansum(v, axis=1).mean():.2f}" for k, v in tables.items())
    text = f"frame weights of {steps} steps over {n} frames. Mean sum of a row: {fused}."
    return describe(figure, text, title)


def _thin(labels: Sequence[int]) -> list[str]:
    """Keep at most about ten tick labels, so that they do not touch."""
    every = max(1, -(-len(labels) // 10))
    return [str(label) if i % every == 0 else "" for i, label in enumerate(labels)]


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
        for side, length in ((axis.yaxis, len(table)), (axis.xaxis, table.shape[1])):
            side.set_ticks(range(length), range(1, length + 1))
            side.set_ticks(np.arange(0.5, length - 1), minor=True)
        axis.grid(which="minor", color="#bbbbbb", linewidth=0.6)
        axis.tick_params(length=0, which="both")
        axis.set(title=name, xlabel="frame n", ylabel="step t" if i == 0 else "")
    said = "; ".join(
        f"{name}: {', '.join(str(int(k)) for k in table.sum(1))}" for name, table in tables.items()
    )
    return describe(figure, f"Number of frames that each step may look at. {said}.", title)


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
    alpha, beta, steps = np.asarray(alpha), np.asarray(beta), len(frames)
    if alpha.shape[:2] != (steps, steps) or beta.shape != (steps, steps):
        raise ValueError(f"{steps} frames, but alpha {alpha.shape} and beta {beta.shape}")
    if not 1 <= step <= steps:
        raise ValueError(f"step {step} of {steps}")
    peak, most = common_peak(alpha.reshape(steps * steps, -1)), max(float(beta.max()), 2 / steps)
    height = WIDTH * frames.shape[1] / frames.shape[2]
    figure = new_figure(WIDTH * steps + 0.7, 2 * height + (1.0 if title else 0.7))
    axes = figure.subplots(2, steps, squeeze=False)
    for n in range(steps):
        top, bottom = axes[:, n]
        own, name = n == step - 1, f"frame {n + 1 if indices is None else int(indices[n])}"
        laid = overlay(frames[n], alpha[step - 1, n], crop, peak=peak)
        panel(top, laid, f"{name}\n{'(own)' if own else ''}")
        _weight_bar(bottom, float(beta[step - 1, n]), most, steps)
        if own:
            size = (frames.shape[2], frames.shape[1])
            top.add_patch(Rectangle((-0.5, -0.5), *size, fill=False, color=ORANGE, linewidth=4))
    axes[0, 0].set_ylabel(rf"$\alpha_{{{step}}}(n, \cdot)$")
    axes[1, 0].set_ylabel(rf"$\beta_{{{step}}}(n)$")
    weights = ", ".join(f"{weight:.3f}" for weight in beta[step - 1])
    largest = ", ".join(f"{weight:.3f}" for weight in alpha[step - 1].max(-1))
    return describe(
        figure,
        f"Step {step} of {steps}. Frame weights beta: {weights}. "
        f"Largest place weight alpha in each frame: {largest}.",
        title,
    )


def _weight_bar(axis: Axes, weight: float, most: float, steps: int) -> None:
    """Draw one frame's weight, on a scale that ends a little above `most`."""
    axis.bar([0], [weight], width=0.55, color=BLUE, edgecolor="black", linewidth=0.6)
    axis.axhline(1 / steps, color="black", linewidth=0.9, linestyle=(0, (3, 2)))
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # hides the line behind it
    look: Any = {"ha": "center", "va": "bottom", "fontsize": 8, "bbox": ground}
    axis.text(0, weight + 0.03 * most, f"{weight:.2f}", **look)
    axis.set(xlim=(-0.6, 0.6), ylim=(0, 1.3 * most), xticks=[], yticks=[])


@styled
def memory_figure(
    values: Mapping[str, NDArray], *, ranges: Mapping[str, tuple[float, float]], title: str = ""
) -> Figure:
    """Show quantities of a recurrence over its steps, a panel each, one above the other.

    values: label -> (T,) or (T, units); units are drawn as lines of their own. ranges: label ->
    the ends of that panel's axis. Steps are counted from 1.
    """
    steps = {len(value) for value in values.values()}
    if len(steps) != 1 or values.keys() != ranges.keys():
        raise ValueError(f"one number of steps and a range for each panel, not {sorted(steps)}")
    (n,) = steps
    figure = new_figure(6.4, 0.78 * len(values) + 0.8)
    axes = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (label, value) in zip(axes, values.items(), strict=True):
        units = np.asarray(value, np.float64).reshape(n, -1).T
        for i, (unit, line) in enumerate(zip(units, LINES * len(units), strict=False)):
            axis.plot(range(1, n + 1), unit, label=f"unit {i + 1}", **line)
        low, high = ranges[label]
        pad = 0.12 * (high - low)
        axis.set(ylim=(low - pad, high + pad), yticks=[low, high])
        axis.set_ylabel(label, rotation=0, ha="right", va="center")
        axis.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    if any(np.ndim(value) == 2 for value in values.values()):
        many = max(axes, key=lambda axis: len(axis.lines))
        figure.legend(*many.get_legend_handles_labels(), loc="outside right center")
    axes[-1].set(xlabel="step t", xticks=range(1, n + 1))
    last = {k: ", ".join(f"{x:.2f}" for x in np.ravel(v[-1])) for k, v in values.items()}
    said = "; ".join(f"{label.replace(chr(10), ' ')}: {value}" for label, value in last.items())
    return describe(figure, f"{n} steps of an LSTM. At the last one, {said}.", title)


@styled
def accuracy_by_step(
    shares: Mapping[str, NDArray], chance: float, clips: int, *, title: str = ""
) -> Figure:
    """Show the accuracy of each step's answer, one line a model or part.

    shares: label -> (T,), in 0 to 1. chance: the accuracy of guessing. clips: how many one point
    of a line is measured on; one clip's worth is drawn as a bar at the side.
    """
    lengths = {len(share) for share in shares.values()}
    if len(lengths) != 1:
        raise ValueError(f"one number of steps for all lines, not {sorted(lengths)}")
    (steps,) = lengths
    figure = new_figure(6.4, 3.2)
    axes, middle = figure.subplots(), 100 * chance + 50 / clips + 6
    for (label, share), line in zip(shares.items(), LINES[1:] * len(shares), strict=False):
        axes.plot(range(1, steps + 1), 100 * np.asarray(share), label=label, **line)
    axes.axhline(100 * chance, color=BLACK, linewidth=1, linestyle=(0, (2, 2)), label="guessing")
    bar: Any = {"color": "#555555", "capsize": 3, "linewidth": 1}
    axes.errorbar([steps + 0.5], [middle], yerr=[50 / clips], **bar)
    axes.annotate("one\nclip", (steps + 0.6, middle), fontsize=7, va="center")
    axes.set(xlabel="step t", ylabel="accuracy of its answer (%)", ylim=(0, 104))
    axes.set(xlim=(0.7, steps + 1.1), xticks=range(1, steps + 1))
    figure.legend(loc="outside right center")
    said = "; ".join(
        f"{label}: {share[0]:.0%} at step 1, {share[-1]:.0%} at step {steps}"
        for label, share in shares.items()
    )
    text = f"Accuracy by step on {clips} clips. {said}; guessing {chance:.0%}."
    return describe(figure, text, title)
