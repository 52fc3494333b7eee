"""What a test protocol looks at: its sequences as a table, as crops over a frame, as a timeline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from rstan_lite.data.transforms import CROP
from rstan_lite.show.style import LINES, VERMILION, describe, new_figure, styled
from rstan_lite.system.tables import Table

if TYPE_CHECKING:
    from rstan_lite.training.protocol import SequenceRow

COLUMNS = (
    "sequence", "extent", "scale", "crop", "mirror", "rows", "columns", "input", "K", "frames",
)  # fmt: skip


def sequence_table(rows: Sequence[SequenceRow], clip: str = "") -> Table:
    """One line a sequence: its name, extent, scale, crop, mirror, source pixels, input, K, frames.

    rows: of one clip. clip: words that say of which, for the caption. Rows and columns of the crop
    are source pixels, ends not included; a run of frames 4, 5, 6 is written 4-6.
    """
    lines = []
    for row in rows:
        top, bottom, left, right = row.rectangle
        sides = sorted(set(row.sides.values()))
        lines.append(
            (
                row.name,
                row.extent,
                str(row.scale),
                row.crop,
                "yes" if row.mirror else "no",
                f"{top}-{bottom}",
                f"{left}-{right}",
                ", ".join(map(str, sides)),
                str(row.k),
                runs_of(row.index),
            )
        )
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
    numbered = list(enumerate(rows, 1))
    groups: dict[tuple[bool, bool], list[tuple[int, SequenceRow]]] = {}
    for number, row in numbered:
        groups.setdefault((row.scale != CROP, row.mirror), []).append((number, row))
    extents: dict[str, SequenceRow] = {}
    for row in rows:
        extents.setdefault(row.extent, row)
    height = 10.0 / len(groups) * frame.shape[0] / frame.shape[1]
    low = 0.34 * len(extents) + 0.7
    figure = new_figure(10.0, min(height, 3.2) + low + 0.8)
    parts: Any = figure.subfigures(2, 1, height_ratios=(min(height, 3.2) + 0.7, low))
    above, below = parts
    panels = above.subplots(1, len(groups), squeeze=False)[0]
    for axes, (group, members) in zip(panels, sorted(groups.items()), strict=True):
        _crops(axes, frame, group[1], members)
    _timeline(below.subplots(), n_frames, extents)
    if title:
        figure.suptitle(title)
    boxes = sorted({(row.scale, row.crop) for row in rows})
    said = ", ".join(f"{scale} pixels {crop}" for scale, crop in boxes)
    spans = "; ".join(
        f"{name}: frames {row.index[0]} to {row.index[-1]}" for name, row in extents.items()
    )
    return describe(
        figure,
        f"{len(rows)} sequences of a clip of {n_frames} frames. Crops, as they are or mirrored: "
        f"{said}. Extents: {spans}.",
    )


def _crops(
    axes: Axes, frame: NDArray[np.uint8], mirror: bool, members: Sequence[tuple[int, SequenceRow]]
) -> None:
    """Draw a group's rectangles over the frame, and name its sequences by their numbers."""
    width = frame.shape[1]
    axes.imshow(frame[:, ::-1] if mirror else frame, alpha=0.55)
    lines: Sequence[dict[str, Any]] = LINES
    boxes = dict.fromkeys(row.rectangle for _, row in members)
    for line, (top, bottom, left, right) in zip(cycle(lines), boxes, strict=False):
        left, right = (width - right, width - left) if mirror else (left, right)
        look = {"color": line["color"], "linestyle": line["linestyle"], "linewidth": 2.0}
        axes.add_patch(
            Rectangle((left, top), right - left - 1, bottom - top - 1, fill=False, **look)
        )
    axes.set(xticks=[], yticks=[])
    kinds = sorted({row.scale for _, row in members}, reverse=True)
    axes.set_title(f"{' and '.join(map(str, kinds))} pixels{', mirrored' if mirror else ''}")
    axes.set_xlabel("sequences " + runs_of([number for number, _ in members]).replace(" ", ", "))
    axes.spines[:].set_visible(False)


def _timeline(axes: Axes, n_frames: int, extents: dict[str, SequenceRow]) -> None:
    """Draw which frames each extent takes."""
    for y, row in enumerate(extents.values()):
        times = np.bincount(row.index, minlength=n_frames)
        for i, count in enumerate(times.tolist()):
            axes.bar(
                i + 0.5, 0.6, 0.92, y - 0.3, color=VERMILION if count else "#f2f2f2",
                edgecolor="#555555", linewidth=0.5,
            )  # fmt: skip
            if count > 1:
                look: Any = {"ha": "center", "va": "center", "color": "white", "fontsize": 7}
                axes.text(i + 0.5, y, str(count), **look)
    axes.set(xlim=(0, n_frames), ylim=(len(extents) - 0.5, -0.5))
    names = {"first": "first two thirds", "last": "last two thirds"}
    axes.set_yticks(range(len(extents)), [names.get(name, name) for name in extents])
    every = max(1, n_frames // 20)
    axes.set_xticks(np.arange(0, n_frames, every) + 0.5, list(map(str, range(0, n_frames, every))))
    axes.set_xlabel("frame of the clip (filled: in the sequence; a number: so many times)")
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
