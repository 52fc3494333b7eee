"""How a clip is prepared: sampled frames, views, silhouettes on places, sequences of a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from rstan_lite.data.transforms import CROP
from rstan_lite.show.frames import draw_contour
from rstan_lite.show.strips import panel
from rstan_lite.show.style import BLUE, LINES, VERMILION, describe, new_figure, percent, styled
from rstan_lite.system.tables import Table

if TYPE_CHECKING:
    from rstan_lite.lab.protocols import SequenceRow

COLUMNS = (
    "sequence", "extent", "scale", "crop", "mirror", "rows", "columns", "input", "K", "frames",
)  # fmt: skip


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
    axes, edges = figure.subplots(), np.arange(steps + 1) * n_frames / steps
    for y, chosen in enumerate(rows.values()):
        at = [[t + 1 for t, frame in enumerate(chosen) if frame == i] for i in range(n_frames)]
        words = [",".join(map(str, steps)) if n_frames <= 20 else "" for steps in at]
        _frame_boxes(axes, y, [bool(steps) for steps in at], words)
        axes.vlines(edges, y - 0.42, y + 0.42, color=BLUE, linewidth=1.8, zorder=0)
    _frame_axis(axes, n_frames, list(rows))
    axes.set_xlabel(
        "frame of the clip (filled: chosen for the step written in it; blue: the intervals)"
    )
    said = "; ".join(f"{label}: {', '.join(map(str, c))}" for label, c in rows.items())
    return describe(figure, f"{steps} steps over a clip of {n_frames} frames. {said}.", title)


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
        share = float(np.mean(np.asarray(mask) != 0))
        panel(axis, draw_contour(frame, mask, thickness=max(1, len(frame) // 110)), label)
        axis.set_xlabel(f"person: {percent(share, 1)}", fontsize=8)
        said.append(f"{label} (person: {share:.1%})".replace("\n", " "))
    return describe(figure, f"Views of a frame, the person outlined: {', '.join(said)}.", title)


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
    place: Any = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    for (label, share), line in zip(rules.items(), LINES[1:], strict=False):
        colour = line["color"]
        left.axhline(100 * share, color=colour, linestyle=line["linestyle"])
        at = (0.01, 100 * share)
        left.annotate(label, at, xytext=(0, 2), color=colour, fontsize=8, **place)
    left.set(xlabel="person's share of the view (%, logarithmic)", ylabel="best covered place (%)")
    left.set(xscale="log", ylim=(-2, 104), title="below a line: no place at all under that rule")
    room = max(1.5, (area.max() / area.min()) ** 0.35)  # at the left, for the lines' names
    left.set_xlim(100 * area.min() / room, 115 * area.max())
    left.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    left.xaxis.set_minor_locator(NullLocator())
    bars = right.barh(list(lost), [100 * v for v in lost.values()], color="#777777", height=0.6)
    right.bar_label(bars, [percent(v, 1) for v in lost.values()], padding=3)
    right.set(xlabel="frames that end with nobody (%)")
    right.set_xlim(0, max(1.0, 130 * max(lost.values())))
    right.invert_yaxis()
    said = ", ".join(f"{label}: {v:.1%}" for label, v in lost.items())
    text = f"Of {len(area)} frames with a person, lost by rule: {said}."
    return describe(figure, text, title)


def sequence_table(rows: Sequence[SequenceRow], clip: str = "") -> Table:
    """One line a sequence: its name, extent, scale, crop, mirror, source pixels, input, K, frames.

    rows: of one clip. clip: words that say of which, for the caption. Rows and columns of the crop
    are source pixels, ends not included; a run of frames 4, 5, 6 is written 4-6.
    """
    lines = []
    for row in rows:
        top, bottom, left, right = row.rectangle
        sides, mirror = sorted(set(row.sides.values())), "yes" if row.mirror else "no"
        crop = row.crop, mirror, f"{top}-{bottom}", f"{left}-{right}"
        network = ", ".join(map(str, sides)), str(row.k), runs_of(row.index)
        lines.append((row.name, row.extent, str(row.scale), *crop, *network))
    frames = f"{len(rows)} sequences of {len(rows[0].index)} frames" if rows else "no sequences"
    return Table(COLUMNS, tuple(lines), f"{frames}; {clip}" if clip else frames)


def runs_of(index: Sequence[int]) -> str:
    """Frame numbers in few letters: 4, 5, 6, 6, 8 is `4-6 6 8`."""
    parts: list[list[int]] = []
    for i in index:
        if parts and i == parts[-1][-1] + 1:
            parts[-1].append(i)
        else:
            parts.append([i])
    return " ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)


@styled
def protocol_figure(
    frame: NDArray[np.uint8], n_frames: int, rows: Sequence[SequenceRow], *, title: str = ""
) -> Figure:
    """Show a protocol's sequences: their crops over a frame, and their frames on a timeline.

    frame: (H, W, 3) uint8, of a clip of n_frames. rows: its sequences, numbered from 1.
    Above stand a panel for the crops of 224 pixels and one for other scales, each with its mirrored
    twin; below, a line for each temporal extent, where a box is a frame and a filled one is used (a
    number says how often, if more than once).
    Raises ValueError without rows.
    """
    if not rows:
        raise ValueError("no sequences to show")
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
    axes = below.subplots()
    for y, row in enumerate(extents.values()):
        times = np.bincount(row.index, minlength=n_frames).tolist()
        _frame_boxes(axes, y, [n > 0 for n in times], [str(n) if n > 1 else "" for n in times])
    names = {"first": "first two thirds", "last": "last two thirds"}
    _frame_axis(axes, n_frames, [names.get(name, name) for name in extents])
    axes.set_xlabel("frame of the clip (filled: in the sequence; a number: so many times)")
    boxes = sorted({(row.scale, row.crop) for row in rows})
    said = ", ".join(f"{scale} pixels {crop}" for scale, crop in boxes)
    ends = (f"{name}: frames {r.index[0]} to {r.index[-1]}" for name, r in extents.items())
    return describe(
        figure,
        f"{len(rows)} sequences of a clip of {n_frames} frames. Crops, as they are or mirrored: "
        f"{said}. Extents: {'; '.join(ends)}.",
        title,
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
    for line, (top, bottom, left, right) in zip(cycle(LINES), boxes, strict=False):
        left, right = (width - right, width - left) if mirror else (left, right)
        look = {"color": line["color"], "linestyle": line["linestyle"], "linewidth": 2.0}
        size = (right - left - 1, bottom - top - 1)
        axes.add_patch(Rectangle((left, top), *size, fill=False, **look))
    axes.set_xlabel("sequences " + runs_of([number for number, _ in members]).replace(" ", ", "))


def _frame_boxes(axes: Axes, y: int, chosen: Sequence[bool], words: Sequence[str]) -> None:
    """Draw a clip as a row of boxes, the chosen ones filled, with words in them."""
    colours = [VERMILION if one else "#f2f2f2" for one in chosen]
    at, edge = np.arange(len(chosen)) + 0.5, "#555555"
    bars = axes.bar(at, 0.55, 0.92, y - 0.275, color=colours, edgecolor=edge, linewidth=0.6)
    look: Any = {"color": "white", "fontsize": 8, "weight": "bold"}
    axes.bar_label(bars, words, label_type="center", **look)


def _frame_axis(axes: Axes, n_frames: int, names: Sequence[str]) -> None:
    """Name rows of `_frame_boxes`, and number about twenty of the frames."""
    axes.set(xlim=(-0.2, n_frames + 0.2), ylim=(len(names) - 0.45, -0.55))
    axes.set_yticks(range(len(names)), names)
    shown = np.arange(0, n_frames, max(1, n_frames // 20))
    axes.set_xticks(shown + 0.5, list(map(str, shown)))
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
