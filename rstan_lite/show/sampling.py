"""Figures of what a clip is made of: sampled frames, views of it, silhouettes on places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from rstan_lite.show.pixels import draw_contour
from rstan_lite.show.style import BLUE, LINES, VERMILION, describe, new_figure, styled


@styled
def sampling_figure(n_frames: int, rows: Mapping[str, Sequence[int]], *, title: str = "") -> Figure:
    """Show which frames of a clip stand for the time steps, a row for each way to choose.

    n_frames: F. rows: label -> the frame of each step, counted from 0; all rows have as many
    steps. A box is a frame, a filled one is chosen and holds the numbers of its steps, counted
    from 1. Blue lines cut the clip into as many equal intervals as there are steps.
    Raises ValueError for no rows, rows of unlike length, or a frame that the clip does not have.
    """
    lengths = {len(chosen) for chosen in rows.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"rows of one common length, not {sorted(lengths)}")
    (steps,) = lengths
    if any(not 0 <= i < n_frames for chosen in rows.values() for i in chosen):
        raise ValueError(f"frames from 0 to {n_frames - 1} only")
    figure = new_figure(7.5, 0.62 * len(rows) + (1.0 if title else 0.7))
    axes = figure.subplots()
    for y, chosen in enumerate(rows.values()):
        for i in range(n_frames):
            at = [t + 1 for t, frame in enumerate(chosen) if frame == i]
            axes.bar(
                i + 0.5, 0.5, 0.92, y - 0.25, color=VERMILION if at else "#f2f2f2",
                edgecolor="#555555", linewidth=0.7,
            )  # fmt: skip
            _write_steps(axes, i + 0.5, y, at, n_frames)
        edges = np.arange(steps + 1) * n_frames / steps
        axes.vlines(edges, y - 0.42, y + 0.42, color=BLUE, linewidth=1.8, zorder=0)
    axes.set(xlim=(-0.2, n_frames + 0.2), ylim=(len(rows) - 0.45, -0.55))
    axes.set_yticks(range(len(rows)), list(rows))
    every = max(1, n_frames // 20)
    axes.set_xticks(np.arange(0, n_frames, every) + 0.5, list(map(str, range(0, n_frames, every))))
    axes.set_xlabel(
        "frame of the clip (filled: chosen for the step written in it; blue: the intervals)"
    )
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    if title:
        figure.suptitle(title)
    said = "; ".join(f"{label}: {', '.join(map(str, c))}" for label, c in rows.items())
    return describe(figure, f"{steps} steps over a clip of {n_frames} frames. {said}.")


def _write_steps(axes: Axes, x: float, y: float, steps: list[int], n_frames: int) -> None:
    """Write the steps that a frame stands for, where boxes are wide enough to read them."""
    if steps and n_frames <= 20:
        text = ",".join(map(str, steps))
        axes.text(x, y, text, ha="center", va="center", color="white", fontsize=8, weight="bold")


@styled
def views_figure(
    views: Mapping[str, tuple[NDArray[np.uint8], NDArray]], *, title: str = ""
) -> Figure:
    """Show transformed frames with their silhouettes' contours, side by side.

    views: label -> (frame (H, W, 3) uint8, mask (H, W) nonzero on the person), of any sizes.
    Under each stands the share of the view that the person covers.
    """
    if not views:
        raise ValueError("no views to show")
    figure = new_figure(1.9 * len(views), 2.6 if title else 2.3)
    axes = figure.subplots(1, len(views), squeeze=False)[0]
    said = []
    for axis, (label, (frame, mask)) in zip(axes, views.items(), strict=True):
        axis.imshow(draw_contour(frame, mask, thickness=max(1, len(frame) // 110)))
        axis.set(xticks=[], yticks=[], title=label)
        share = f"person: {np.mean(np.asarray(mask) != 0):.1%}"
        axis.set_xlabel(share.replace("%", " %"), fontsize=8)
        axis.spines[:].set_visible(False)
        said.append(f"{label} ({share})".replace("\n", " "))
    if title:
        figure.suptitle(title)
    return describe(figure, f"Views of a frame, the person outlined: {', '.join(said)}.")


@styled
def covering_figure(
    area: NDArray, largest: NDArray, rules: Mapping[str, float], *, title: str = ""
) -> Figure:
    """Show which frames end with nobody when a place must be covered by a certain share.

    area: (n,) share of the view that the silhouette covers, frames with somebody only. largest:
    (n,) the largest share that it covers of any place. rules: label -> the share of a place that
    must be covered; a frame whose largest share is smaller ends with no place at all, and lies
    below that rule's line. The axis of areas is logarithmic.
    """
    area, largest = np.asarray(area, np.float64), np.asarray(largest, np.float64)
    if area.shape != largest.shape or area.ndim != 1 or not len(area) or not rules:
        raise ValueError(f"one area and one largest share a frame, not {area.shape}")
    lost = {label: float((largest < share).mean()) for label, share in rules.items()}
    figure = new_figure(8.0, 3.4)
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    left.scatter(100 * area, 100 * largest, s=9, color="#777777", alpha=0.6, linewidths=0)
    lines: Sequence[dict[str, Any]] = LINES[1:]
    for (label, share), line in zip(rules.items(), lines, strict=False):
        style = {k: line[k] for k in ("color", "linestyle")}
        left.axhline(100 * share, **style)
        left.annotate(
            label, (0.01, 100 * share), xycoords=("axes fraction", "data"), xytext=(0, 2),
            textcoords="offset points", color=line["color"], fontsize=8,
        )  # fmt: skip
    left.set(xlabel="person's share of the view (%, logarithmic)", ylabel="best covered place (%)")
    left.set(xscale="log", ylim=(-2, 104), title="below a line: no place at all under that rule")
    room = max(1.5, (area.max() / area.min()) ** 0.35)  # at the left, for the lines' names
    left.set_xlim(100 * area.min() / room, 115 * area.max())
    left.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    left.xaxis.set_minor_locator(NullLocator())
    bars = right.barh(list(lost), [100 * v for v in lost.values()], color="#777777", height=0.6)
    right.bar_label(bars, [f"{v:.1%}".replace("%", " %") for v in lost.values()], padding=3)
    right.set(xlabel="frames that end with nobody (%)")
    right.set_xlim(0, max(1.0, 130 * max(lost.values())))
    right.invert_yaxis()
    if title:
        figure.suptitle(title)
    said = ", ".join(f"{label}: {v:.1%}" for label, v in lost.items())
    return describe(figure, f"Of {len(area)} frames with a person, lost by rule: {said}.")
