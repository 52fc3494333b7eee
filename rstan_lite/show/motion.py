"""Figures of the motion stream's input, and of what a place of a cube sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from rstan_lite.show.clips import _flow_key, _grid, _image, _numbers
from rstan_lite.show.pixels import draw_contour, flow_to_colour
from rstan_lite.show.style import describe, new_figure, styled


def _greys(coded: NDArray[np.uint8]) -> dict[str, Any]:
    """How 8-bit flow is drawn: mid grey at rest, black and white at the largest codes but few."""
    reach = float(np.percentile(np.abs(coded.astype(float) - 128), 99.5))
    reach = min(127.0, max(8.0, np.ceil(reach)))
    return {"cmap": "gray", "vmin": 128 - reach, "vmax": 128 + reach}


def _code_bar(figure: Figure, axes: NDArray, greys: dict[str, Any], names: Sequence[str]) -> None:
    """Add the colour bar of codes, named at its low end, in the middle and at its high end."""
    shades = ScalarMappable(Normalize(greys["vmin"], greys["vmax"]), greys["cmap"])
    ticks = [greys["vmin"], 128, greys["vmax"]]
    bar = figure.colorbar(
        shades, ax=list(axes.ravel()), label="code", ticks=ticks, pad=0.01, extend="both"
    )
    bar.ax.set_yticklabels([f"{t:.0f}{name}" for t, name in zip(ticks, names, strict=True)])


@styled
def flow_panels(
    frame: NDArray[np.uint8],
    flow: NDArray,
    coded: NDArray[np.uint8],
    *,
    index: int | None = None,
    title: str = "",
) -> Figure:
    """Show one flow field in the two ways it is looked at: as colour, and as 8-bit channels.

    frame: (H, W, 3) uint8. flow: (H, W, 2) in pixels a frame. coded: (H, W, 2) uint8, the same
    field as the motion network gets it, x then y, 128 at rest. index: the frame's number in the
    clip, counted from 0. The greys are stretched to the codes that occur.
    """
    if flow.shape != coded.shape or flow.ndim != 3 or flow.shape[-1] != 2:
        raise ValueError(f"flow and codes of one shape (H, W, 2), not {flow.shape}, {coded.shape}")
    height, width = frame.shape[:2]
    figure = new_figure(10.6, 2.25 * height / width * 320 / 240 * 0.75 + (0.75 if title else 0.5))
    axes = figure.subplots(1, 4)
    full = max(1.0, float(np.percentile(np.hypot(flow[..., 0], flow[..., 1]), 99)))
    greys = _greys(coded)
    _image(axes[0], frame, "frame" if index is None else f"frame {index}")
    next_one = "" if index is None else f" to frame {index + 1}"
    _image(axes[1], flow_to_colour(flow, full), f"flow{next_one}, as colour")
    _flow_key(figure, axes[:2], full)
    for i, name in enumerate(("x", "y")):
        axes[2 + i].imshow(coded[..., i], **greys)
        axes[2 + i].set(xticks=[], yticks=[], title=f"{name} channel, 8 bits")
        axes[2 + i].spines[:].set_visible(False)
    _code_bar(figure, axes[2:], greys, (": left, up", ": rest", ": right, down"))
    if title:
        figure.suptitle(title)
    low, high = (int(f(coded)) for f in (np.min, np.max))
    return describe(
        figure,
        f"{title + ': ' if title else ''}a frame, its flow as colour (up to {full:.0f} pixels a "
        f"frame) and its x and y channels in codes from {low} to {high}, 128 at rest.",
    )


@styled
def flow_stack(stack: NDArray[np.uint8], *, title: str = "") -> Figure:
    """Show a motion network's input: x channels in the upper row, y channels below.

    stack: (H, W, 2 * L) uint8, interleaved x then y, in the order of time. The greys are stretched
    to the codes that occur.
    """
    pairs = stack.shape[2] // 2
    if stack.ndim != 3 or stack.shape[2] % 2 or not pairs:
        raise ValueError(f"a stack has shape (H, W, 2 L), not {stack.shape}")
    figure = new_figure(10.5, 2.8 if title else 2.5)
    axes, greys = figure.subplots(2, pairs, squeeze=False), _greys(stack)
    for i in range(2 * pairs):
        axis = axes[i % 2, i // 2]
        axis.imshow(stack[..., i], **greys)
        axis.set(xticks=[], yticks=[], title=str(i))
        axis.spines[:].set_visible(False)
    axes[0, 0].set_ylabel("x")
    axes[1, 0].set_ylabel("y")
    _code_bar(figure, axes, greys, ("", "", ""))
    figure.supxlabel(
        "channels, numbered from 0 in the order that the network gets them", fontsize=9
    )
    if title:
        figure.suptitle(title)
    return describe(
        figure,
        f"A stack of {pairs} flow fields: channels 0, 2, 4 and so on are x, the others y.",
    )


@styled
def flow_rows(
    frames: NDArray[np.uint8],
    flows: Mapping[str, NDArray],
    silhouettes: NDArray,
    *,
    indices: Sequence[int] | None = None,
    title: str = "",
) -> Figure:
    """Compare several flows of the same frames: a row of frames, then one row a flow.

    frames: (n, H, W, 3) uint8. flows: row label -> (n, H, W, 2) in pixels a frame, all in one
    scale of colours. silhouettes: (n, H, W). In front of the alt text's numbers: the mean speed on
    the person and elsewhere.
    """
    if not flows or any(len(flow) != len(frames) for flow in flows.values()):
        raise ValueError(f"a flow for each of {len(frames)} frames")
    names = _numbers(len(frames), indices)
    speeds = {row: np.hypot(flow[..., 0], flow[..., 1]) for row, flow in flows.items()}
    full = max(1.0, max(float(np.percentile(speed, 99)) for speed in speeds.values()))
    figure, axes = _grid(frames, 1 + len(flows), title)
    for i, frame in enumerate(frames):
        _image(axes[0, i], draw_contour(frame, silhouettes[i]), names[i])
        for row, flow in enumerate(flows.values(), 1):
            picture = flow_to_colour(flow[i], full)
            _image(axes[row, i], draw_contour(picture, silhouettes[i], (0, 0, 0), 1))
    for label, axis in zip(["frame", *flows], axes[:, 0], strict=True):
        axis.set_ylabel(label)
    _flow_key(figure, axes[1:, -1], full)
    on = np.asarray(silhouettes) != 0
    said = "; ".join(
        f"{row}: {s[on].mean():.2f} on the person, {s[~on].mean():.2f} elsewhere"
        for row, s in speeds.items()
    )
    return describe(figure, f"Flow of {len(frames)} frames, mean pixels a frame. {said}.")


@styled
def receptive_figure(
    image: NDArray[np.uint8],
    shares: Mapping[str, NDArray],
    fields: Mapping[str, tuple[int, int, int, int]],
    cells: Mapping[str, tuple[int, int, int, int]],
    *,
    title: str = "",
) -> Figure:
    """Show which pixels places of a cube depend on, one panel a place.

    image: (s, s, 3) uint8. shares: label -> (s, s), how much each pixel matters to the place, not
    negative. fields, cells: label -> top, bottom, left, right in pixels of the place's receptive
    field (dashed) and of its own cell of the grid (solid). Each map has its own scale, the square
    root of its values from 0 to the largest.
    """
    if not (shares.keys() == fields.keys() == cells.keys()) or not shares:
        raise ValueError("shares, fields and cells of the same places")
    figure = new_figure(2.5 * (1 + len(shares)) + 0.8, 3.0 if title else 2.7)
    axes = figure.subplots(1, 1 + len(shares))
    _image(axes[0], image, "the image")
    said = []
    for axis, (label, share) in zip(axes[1:], shares.items(), strict=True):
        shown = axis.imshow(np.sqrt(share / max(share.max(), 1e-12)), cmap="inferno")
        axis.set(xticks=[], yticks=[], title=label)
        for box, dash in ((fields[label], (0, (4, 3))), (cells[label], "-")):
            top, bottom, left, right = box
            for colour, width in (("black", 2.6), ("white", 1.2)):
                axis.add_patch(
                    Rectangle(
                        (left - 0.5, top - 0.5), right - left, bottom - top, fill=False,
                        edgecolor=colour, linewidth=width, linestyle=dash,
                    )
                )  # fmt: skip
        top, bottom, left, right = cells[label]
        inside = share[top:bottom, left:right].sum() / max(share.sum(), 1e-12)
        axis.set_xlabel(f"{inside:.0%} of it in its own tile".replace("%", " %"), fontsize=8)
        said.append(f"{label}: {inside:.0%} inside its own tile")
    bar = figure.colorbar(shown, ax=list(axes[1:]), ticks=[0, 0.5, 1], pad=0.01)
    bar.ax.set_yticklabels(["0", "1/4", "1"])
    bar.set_label("gradient (largest = 1,\nsquare-root scale)")
    if title:
        figure.suptitle(title)
    return describe(figure, f"Pixels that places of a cube depend on. {'; '.join(said)}.")
