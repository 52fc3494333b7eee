"""The method on paper: its step as a diagram, and which frames of a clip it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from numpy.typing import NDArray

from rstan_lite.data.transforms import CROP
from rstan_lite.show import style
from rstan_lite.show.style import describe, listed, new_axes, new_figure, panel, styled

if TYPE_CHECKING:
    from rstan_lite.lab.protocols import SequenceRow

# name, text, equation, column; one box for each stream
STREAM_BOXES = (
    ("cnn", "CNN\non {input}", "", 0.0),
    ("cube", "cube $CV$\nvector $FC$", "Eq. 1", 1.0),
    ("alpha", "where to look\n$\\alpha_t$", "Eq. 2, 3", 2.0),
    ("L", "frame vectors\n$L_t$", "Eq. 4", 3.2),
    ("beta", "when to look\n$\\beta_t$", "Eq. 5, 6", 4.2),
    ("Phi", "context\n$\\Phi_t$", "Eq. 7", 5.4),
    ("lstm", "LSTM\n$h_t,\\ c_t$", "Eq. 8-13", 6.5),
)
FUSED_BOXES = (
    ("alpha_com", "max of both\n$\\alpha_t^{com}$", "Eq. 14", 2.6),
    ("beta_com", "max of both\n$\\beta_t^{com}$", "Eq. 15", 4.8),
    ("y", "action\n$\\hat y_t$", "Eq. 16, 17", 7.5),
)
ARROWS = (
    ("cnn", "cube"), ("cube", "alpha"), ("L", "beta"), ("Phi", "lstm"), ("alpha", "alpha_com"),
    ("alpha_com", "L"), ("beta", "beta_com"), ("beta_com", "Phi"), ("lstm", "y"),
)  # fmt: skip
WIDTH, HEIGHT, GREY = 0.80, 0.66, "#444444"  # of a box; of arrows
ARROW: Any = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 1}


@styled
def step_diagram() -> Figure:
    """Draw what the two-stream model does at step t, from frames to the predicted action.

    Boxes name the quantity, its symbol and its equation: above the appearance stream, below motion,
    in the middle their fusion, with the regularisation of Eq. 18.
    """
    (figure, axes), middle = new_axes(9.8, 3.9), 1.0
    axes.set(xlim=(-0.55, 8.05), ylim=(-0.85, 2.85))
    axes.axis("off")
    fused = {
        name: _box(axes, x, middle, text, equation, style.STREAM_COLOURS["fused"])
        for name, text, equation, x in FUSED_BOXES
    }
    for stream, source, side in (("appearance", "RGB", 1), ("motion", "flow", -1)):
        y, colour, boxes = middle + side, style.STREAM_COLOURS[stream], dict(fused)
        for name, text, equation, x in STREAM_BOXES:
            boxes[name] = _box(axes, x, y, text.replace("{input}", source), equation, colour)
        for start, end in ARROWS:
            _arrow(axes, boxes[start], boxes[end])
        axes.text(-WIDTH / 2, y + 0.45, stream, color=colour, weight="bold")
        _around(axes, y, side)
    person = _box(axes, 1.3, middle, "silhouette\n$M_t$", "Eq. 18", style.BLACK)
    _arrow(axes, person, fused["alpha_com"], linestyle="--")
    return describe(
        figure,
        "Diagram of one step. Two rows, appearance and motion: a CNN gives a cube and a vector "
        "(Eq. 1); location weights (Eq. 2, 3) of both rows are fused by the maximum (Eq. 14), sum "
        "up each frame (Eq. 4); frame weights (Eq. 5, 6) are fused likewise (Eq. 15) and give the "
        "context (Eq. 7) that enters each row's LSTM (Eq. 8 to 13); both LSTMs name the action "
        "together (Eq. 16), and their state steers the attention of the next step. The silhouette "
        "pulls the fused location weights (Eq. 18).",
    )


def _box(axes: Axes, x: float, y: float, text: str, equation: str, colour: str) -> FancyBboxPatch:
    """Draw one labelled box about a point, its equation in small letters at the bottom."""
    middle: Any = {"ha": "center", "va": "center", "zorder": 3}
    axes.text(x, y + (0.07 if equation else 0), text, fontsize=8, linespacing=1.4, **middle)
    axes.text(x, y - 0.24, equation, fontsize=7, color=colour, **middle)
    look: Any = {"facecolor": "white", "edgecolor": colour, "linewidth": 1.8, "zorder": 2}
    corner, rounded = (x - WIDTH / 2, y - HEIGHT / 2), "round,pad=0,rounding_size=0.08"
    box = FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle=rounded, **look)
    axes.add_patch(box)
    return box


def _arrow(axes: Axes, start: FancyBboxPatch, end: FancyBboxPatch, **look: Any) -> None:
    """Draw an arrow between two boxes, on the line through their middles."""
    tail, head = ((box.get_x() + WIDTH / 2, box.get_y() + HEIGHT / 2) for box in (start, end))
    arrow = {**ARROW, "patchA": start, "patchB": end, **look}
    axes.annotate("", head, tail, zorder=1, arrowprops=arrow)


def _around(axes: Axes, row: float, side: int) -> None:
    """Draw a row's own input of the LSTM, and outside the row the state's way to the next step."""
    at = {name: x for name, _, _, x in STREAM_BOXES}
    inner, outer, far = row - side * HEIGHT / 2, row + side * HEIGHT / 2, row + side * 0.6
    away, towards = ("bottom", "top") if side > 0 else ("top", "bottom")
    words: Any = {"ha": "center", "fontsize": 8}
    x = at["lstm"] - 0.15
    below = (x, inner - side * 0.2)
    axes.annotate("$x_t = FC_t$", (x, inner), below, va=towards, arrowprops=ARROW, **words)
    ends = [at["lstm"], at["lstm"], at["alpha"]]
    axes.plot(ends, [outer, far, far], color=GREY, linewidth=1.2, zorder=1)
    for name in ("alpha", "beta"):
        axes.annotate("", (at[name], outer), (at[name], far), zorder=1, arrowprops=ARROW)
    state = "$h_{t-1}$: the state of the step before"
    axes.text((at["lstm"] + at["alpha"]) / 2, far + side * 0.04, state, va=away, **words)


@styled
def sampling_figure(n_frames: int, rows: Mapping[str, Sequence[int]]) -> Figure:
    """Show which frames of a clip stand for the time steps, a row for each way to choose.

    n_frames: F. rows: label -> the frame of each step, from 0; all of one length. A filled box
    holds the numbers of its frame's steps, from 1. Blue lines cut the clip into equal intervals.
    """
    steps = len(next(iter(rows.values())))
    figure, axes = new_axes(7.5, 0.62 * len(rows) + 0.7)
    edges = np.arange(steps + 1) * n_frames / steps
    lines = {}
    for y, (label, chosen) in enumerate(rows.items()):
        at = [[str(t) for t, frame in enumerate(chosen, 1) if frame == i] for i in range(n_frames)]
        few = n_frames <= 20  # else there is no room for words
        lines[label] = [(",".join(steps) if few else "") if steps else None for steps in at]
        axes.vlines(edges, y - 0.42, y + 0.42, color=style.BLUE, linewidth=1.8, zorder=0)
    below = "frame of the clip (filled: chosen for the step written in it; blue: the intervals)"
    _timelines(axes, lines, below)
    said = listed({label: ", ".join(map(str, chosen)) for label, chosen in rows.items()})
    return describe(figure, f"{steps} steps over a clip of {n_frames} frames. {said}.")


@styled
def protocol_figure(frame: NDArray[np.uint8], n_frames: int, rows: Sequence[SequenceRow]) -> Figure:
    """Show a protocol's sequences: their crops over a frame, and their frames on a timeline.

    frame: (H, W, 3) uint8, of a clip of n_frames. rows: its sequences, numbered from 1. Below the
    crops is a line for each temporal extent: a filled box is a frame that is used, a number says
    how often, if more than once.
    """
    groups: dict[tuple[bool, bool], list[tuple[int, SequenceRow]]] = {}
    extents: dict[str, SequenceRow] = {}
    for number, row in enumerate(rows, 1):
        groups.setdefault((row.scale != CROP, row.mirror), []).append((number, row))
        extents.setdefault(row.extent, row)
    high = min(10.0 / len(groups) * frame.shape[0] / frame.shape[1], 3.2)
    low = 0.34 * len(extents) + 0.7
    figure = new_figure(10.0, high + low + 0.8)
    parts: Any = figure.subfigures(2, 1, height_ratios=(high + 0.7, low))
    above, below = parts
    panels = above.subplots(1, len(groups), squeeze=False)[0]
    for axes, (group, members) in zip(panels, sorted(groups.items()), strict=True):
        _crops(axes, frame, group[1], members)
    names, lines = {"first": "first two thirds", "last": "last two thirds"}, {}
    for extent, row in extents.items():
        times = np.bincount(row.index, minlength=n_frames).tolist()
        lines[names.get(extent, extent)] = [(str(n) if n > 1 else "") if n else None for n in times]
    words = "frame of the clip (filled: in the sequence; a number: so many times)"
    _timelines(below.subplots(), lines, words)
    boxes = sorted({(row.scale, row.crop) for row in rows})
    said = ", ".join(f"{scale} pixels {crop}" for scale, crop in boxes)
    ends = {name: f"frames {row.index[0]} to {row.index[-1]}" for name, row in extents.items()}
    return describe(
        figure,
        f"{len(rows)} sequences of a clip of {n_frames} frames. Crops, as they are or mirrored: "
        f"{said}. Extents: {listed(ends)}.",
    )


def _crops(
    axes: Axes, frame: NDArray[np.uint8], mirror: bool, members: Sequence[tuple[int, SequenceRow]]
) -> None:
    """Draw a group's rectangles over the frame, and name its sequences by their numbers."""
    width = frame.shape[1]
    boxes = dict.fromkeys(row.rectangle for _, row in members)
    scales = sorted({row.scale for _, row in members}, reverse=True)
    title = f"{' and '.join(map(str, scales))} pixels{', mirrored' if mirror else ''}"
    panel(axes, frame[:, ::-1] if mirror else frame, title, alpha=0.55)
    for line, (top, bottom, left, right) in zip(cycle(style.LINES), boxes, strict=False):
        left, right = (width - right, width - left) if mirror else (left, right)
        look = {"color": line["color"], "linestyle": line["linestyle"], "linewidth": 2.0}
        size = (right - left - 1, bottom - top - 1)
        axes.add_patch(Rectangle((left, top), *size, fill=False, **look))
    from rstan_lite.lab.protocols import runs_of  # who has rows has loaded it

    axes.set_xlabel("sequences " + runs_of([number for number, _ in members]).replace(" ", ", "))


def _timelines(axes: Axes, rows: Mapping[str, Sequence[str | None]], xlabel: str) -> None:
    """Draw clips as rows of boxes: a frame that is not taken is pale, another one has its words."""
    n = len(next(iter(rows.values())))
    for y, words in enumerate(rows.values()):
        colours = ["#f2f2f2" if word is None else style.VERMILION for word in words]
        look: Any = {"color": colours, "edgecolor": "#555555", "linewidth": 0.6}
        bars = axes.bar(np.arange(n) + 0.5, 0.55, 0.92, y - 0.275, **look)
        inside: Any = {"color": "white", "fontsize": 8, "weight": "bold", "label_type": "center"}
        axes.bar_label(bars, [word or "" for word in words], **inside)
    axes.set(xlim=(-0.2, n + 0.2), ylim=(len(rows) - 0.45, -0.55), xlabel=xlabel)
    axes.set_yticks(range(len(rows)), list(rows))
    shown = np.arange(0, n, max(1, n // 20))  # about twenty numbers
    axes.set_xticks(shown + 0.5, list(map(str, shown)))
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
