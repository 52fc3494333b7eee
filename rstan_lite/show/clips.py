"""Figures of frames in a row: a clip with silhouette and flow, and attention over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.show.pixels import (
    as_grid,
    common_peak,
    draw_contour,
    flow_to_colour,
    heat_colours,
    overlay,
)
from rstan_lite.show.style import describe, new_figure, styled

COLUMN = 1.5  # inches that one frame is wide


@styled
def clip_strip(
    frames: NDArray[np.uint8],
    silhouettes: NDArray | None = None,
    flow: NDArray | None = None,
    *,
    indices: Sequence[int] | None = None,
    crop: Geometry | None = None,
    bound: float | None = None,
    title: str = "",
) -> Figure:
    """Show sampled frames with the silhouette's contour, and their flow below.

    frames: (n, H, W, 3) uint8. silhouettes: (n, H, W), nonzero on the person. flow: (n, H, W, 2)
    in pixels a frame, drawn by `flow_to_colour` with a key beside it. indices: the frames' numbers
    in the clip, counted from 0. crop: what the network sees, drawn as a dashed box. bound: the
    speed at full colour (None: the 99th percentile of all that is shown).
    """
    n, names = len(frames), _numbers(len(frames), indices)
    for array, what in ((silhouettes, "silhouettes"), (flow, "flow")):
        if array is not None and len(array) != n:
            raise ValueError(f"{n} frames, but {what} of length {len(array)}")
    figure, axes = _grid(frames, 1 if flow is None else 2, title)
    for i in range(n):
        shown = frames[i] if silhouettes is None else draw_contour(frames[i], silhouettes[i])
        _image(axes[0, i], shown, names[i])
        if crop is not None:
            _draw_box(axes[0, i], crop, frames.shape[1:3])
    axes[0, 0].set_ylabel("frame" if silhouettes is None else "frame, silhouette")
    text = f"{n} frames of a clip" + (", the person outlined" if silhouettes is not None else "")
    if flow is not None:
        full = bound or max(1.0, float(np.percentile(np.hypot(flow[..., 0], flow[..., 1]), 99)))
        for i, picture in enumerate(flow_to_colour(flow, full)):
            _image(axes[1, i], picture)
        axes[1, 0].set_ylabel("flow")
        _flow_key(figure, axes[:, -1], full)
        text += f"; below each its optical flow as colour, up to {full:.0f} pixels a frame"
    return describe(figure, f"{title + ': ' if title else ''}{text}.")


@styled
def attention_strip(
    frames: NDArray[np.uint8],
    maps: Mapping[str, NDArray],
    *,
    indices: Sequence[int] | Sequence[str] | None = None,
    crop: Geometry | None = None,
    silhouettes: NDArray | None = None,
    target: NDArray | None = None,
    peak: float | None = None,
    title: str = "",
    smooth: bool = True,
    scale: str = "weight",
) -> Figure:
    """Show attention maps over frames: one row a map, one column a frame.

    frames: (n, H, W, 3) uint8. maps: row label -> (n, K, K) or (n, P), for example the alpha of
    each stream and the fused one. All rows share one scale, from 0 to `peak`; the colour
    bar marks 1/P, the weight of every place of an even map. crop: what the network saw.
    silhouettes: (n, H, W), drawn in a row of their own. target: (n, P), M of Eq. 18; where given,
    the share of each map that lies on its places stands below the map. peak: the end of the scale,
    for figures that are to be compared (None: `common_peak` of these maps). The white line on a
    map is half of the scale. indices: the frames' numbers, or heads of the columns in words.
    scale: what the colours are, of a place; "" for maps of 0 and 1, which need no colour bar.
    """
    grids = {row: [as_grid(m) for m in stack] for row, stack in maps.items()}
    if not grids or any(len(stack) != len(frames) for stack in grids.values()):
        raise ValueError(f"attention for {len(frames)} frames, found {_lengths(maps)}")
    places = next(iter(grids.values()))[0].size
    largest = max(float(grid.max()) for stack in grids.values() for grid in stack)
    if peak is None:
        peak = common_peak(grid for stack in grids.values() for grid in stack)
    first = 0 if silhouettes is None else 1
    figure, axes = _grid(frames, len(grids) + first, title)
    names = _numbers(len(frames), indices)
    for i, frame in enumerate(frames):
        if silhouettes is not None:
            _image(axes[0, i], draw_contour(frame, silhouettes[i]), names[i])
            if crop is not None:
                _draw_box(axes[0, i], crop, frames.shape[1:3])
        for r, stack in enumerate(grids.values(), first):
            laid = overlay(frame, stack[i], crop, peak=peak, smooth=smooth)
            _image(axes[r, i], laid, names[i] if r == 0 else "")
            if target is not None:
                axes[r, i].set_xlabel(_share(stack[i], target[i]), fontsize=7.5, labelpad=2)
    for label, axis in zip(["frame, silhouette"] * first + list(grids), axes[:, 0], strict=True):
        axis.set_ylabel(label)
    rows, numbers = ", ".join(grids), ""
    if scale:
        heat_bar(figure, axes[first:], peak, places, largest > peak, scale)
        numbers = (
            f" The largest {scale} of a place is {largest:.2f}; of an even map {1 / places:.2f}."
        )
    return describe(
        figure,
        f"{title + ': ' if title else ''}{_what(scale)} over {len(frames)} frames, in rows: {rows}."
        + numbers,
    )


def _what(scale: str) -> str:
    """Name the maps of a strip by what their colours are."""
    return {"weight": "attention", "": "marked places"}.get(scale, f"maps of the {scale}")


def heat_bar(
    figure: Figure, axes: NDArray, peak: float, places: int, beyond: bool, scale: str = "weight"
) -> None:
    """Add the colour bar of `overlay`, with the weight of an even map marked on it.

    beyond: some weights are larger than the peak, which the bar's pointed end says.
    """
    colours = ListedColormap(heat_colours(np.linspace(0, 1, 256)))
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, peak), colours),
        ax=list(axes.ravel()),
        extend="max" if beyond else "neither",
        label=f"{scale} of a place",
        shrink=0.9,
        aspect=30,
        pad=0.01,
    )
    bar.ax.axhline(1 / places, color="white", linewidth=1.2)
    bar.ax.axhline(1 / places, color="black", linewidth=1.2, linestyle=(0, (2, 2)))
    bar.ax.annotate(
        "even",
        (0.0, 1 / places),
        xycoords=("axes fraction", "data"),
        xytext=(-3, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=7,
    )


def _flow_key(figure: Figure, axes: NDArray, bound: float) -> None:
    """Draw the wheel of directions beside the last column: where a colour points to."""
    side = np.linspace(-bound, bound, 121)
    wheel = np.stack(np.meshgrid(side, side), axis=-1)  # (121, 121, 2), y down
    picture = flow_to_colour(wheel, bound)
    picture[np.hypot(wheel[..., 0], wheel[..., 1]) > bound] = 255
    key = axes[-1].inset_axes((1.12, 0.12, 0.5, 0.76))
    key.imshow(picture, extent=(-bound, bound, bound, -bound))
    key.set_aspect("equal")
    key.set_xticks([-bound, 0, bound], [f"{-bound:.0f}", "0", f"{bound:.0f}"], fontsize=7)
    key.set_yticks([])
    key.tick_params(length=2, pad=1)
    key.set_xlabel("x, y flow\n(pixels a frame)", fontsize=7)
    for spine in key.spines.values():
        spine.set_visible(False)


def _grid(frames: NDArray, rows: int, title: str) -> tuple[Figure, NDArray]:
    """Return a figure with rows x n axes, made for pictures of the frames' proportions."""
    height, width = frames.shape[1:3]
    row = COLUMN * height / width + 0.2  # a picture and the line below it
    figure = new_figure(COLUMN * len(frames) + 1.1, rows * row + (0.6 if title else 0.3))
    axes = figure.subplots(rows, len(frames), squeeze=False)
    if title:
        figure.suptitle(title)
    return figure, axes


def _image(axes: Axes, picture: NDArray[np.uint8], title: str = "") -> None:
    """Show one picture without ticks; the y label stays, for the row's name."""
    axes.imshow(picture, interpolation="antialiased")  # thin lines survive a smaller picture
    axes.set(xticks=[], yticks=[], title=title)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_box(axes: Axes, crop: Geometry, shape: tuple[int, ...]) -> None:
    """Draw the crop of a frame of (H, W) pixels as a dashed box."""
    top, bottom, left, right = crop.box(*shape)
    corner, size = (left - 0.5, top - 0.5), (right - left, bottom - top)
    for colour, dash in (("black", "-"), ("white", (0, (3, 3)))):
        axes.add_patch(
            Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=1.0, linestyle=dash)
        )


def _numbers(n: int, indices: Sequence[int] | Sequence[str] | None) -> list[str]:
    """Return the columns' titles: the frames' numbers in the clip, words, or their order."""
    if indices is None:
        return [f"sample {i + 1}" for i in range(n)]
    if len(indices) != n:
        raise ValueError(f"{n} frames, but {len(indices)} indices")
    return [i if isinstance(i, str) else f"frame {int(i)}" for i in indices]


def _share(grid: NDArray, target: NDArray) -> str:
    """Say how much of a map lies on the places of a silhouette."""
    person = as_grid(target) > 0
    if not person.any():
        return "no silhouette"
    return f"{100 * grid[person].sum() / grid.sum():.0f} % on the person"


def _lengths(maps: Mapping[str, NDArray]) -> str:
    return ", ".join(f"{row}: {len(stack)}" for row, stack in maps.items()) or "no map"
