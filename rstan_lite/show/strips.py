"""Frames in rows: a clip with silhouettes and flow, attention over it, and what places see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.show.frames import (
    HEAT_COLOURS,
    as_grid,
    common_peak,
    draw_contour,
    flow_to_colour,
    full_speed,
    overlay,
)
from rstan_lite.show.style import describe, new_figure, percent, plain, styled

if TYPE_CHECKING:
    from rstan_lite.lab.ledger.ledger_attention import Attended

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
        panel(axes[0, i], shown, names[i])
        if crop is not None:
            draw_box(axes[0, i], crop.box(*frames.shape[1:3]))
    axes[0, 0].set_ylabel("frame" if silhouettes is None else "frame, silhouette")
    text = f"{n} frames of a clip" + (", the person outlined" if silhouettes is not None else "")
    if flow is not None:
        full = bound or full_speed(flow)
        for i, picture in enumerate(flow_to_colour(flow, full)):
            panel(axes[1, i], picture)
        axes[1, 0].set_ylabel("flow")
        _flow_key(axes[1, -1], full)
        text += f"; below each its optical flow as colour, up to {full:.0f} pixels a frame"
    return describe(figure, f"{text}.", title)


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
        found = ", ".join(f"{row}: {len(stack)}" for row, stack in maps.items()) or "no map"
        raise ValueError(f"attention for {len(frames)} frames, found {found}")
    every = [grid for stack in grids.values() for grid in stack]
    places, largest = every[0].size, max(float(grid.max()) for grid in every)
    peak = common_peak(every) if peak is None else peak
    first, names = int(silhouettes is not None), _numbers(len(frames), indices)
    figure, axes = _grid(frames, len(grids) + first, title)
    for i, frame in enumerate(frames):
        if silhouettes is not None:
            panel(axes[0, i], draw_contour(frame, silhouettes[i]))
            if crop is not None:
                draw_box(axes[0, i], crop.box(*frames.shape[1:3]))
        for r, stack in enumerate(grids.values(), first):
            panel(axes[r, i], overlay(frame, stack[i], crop, peak=peak, smooth=smooth))
            if target is not None:
                below = share_on(stack[i], target[i])
                below += " on the person" if below.endswith("%") else ""
                axes[r, i].set_xlabel(below, fontsize=7.5, labelpad=2)
        axes[0, i].set_title(names[i])
    for label, axis in zip(["frame, silhouette"] * first + list(grids), axes[:, 0], strict=True):
        axis.set_ylabel(label)
    what = {"weight": "attention", "": "marked places"}.get(scale, f"maps of the {scale}")
    text = f"{what} over {len(frames)} frames, in rows: {', '.join(grids)}."
    if scale:
        heat_bar(figure, axes[first:], peak, places, largest > peak, scale)
        text += (
            f" The largest {scale} of a place is {largest:.2f}; of an even map {1 / places:.2f}."
        )
    return describe(figure, text, title)


@styled
def gallery_figure(
    cases: Sequence[tuple[str, Attended]], *, columns: int = 4, title: str = ""
) -> Figure:
    """Draw what models looked at in clips, a row a model and clip, with the silhouette outlined.

    cases: words for each row, and what was attended; rows of one clip should follow each other.
    columns: how many of the steps are drawn, evenly spaced. All maps share one scale. Below each
    picture stands the share of its map on the silhouette. Raises ValueError without cases.
    """
    if not cases or columns < 1:
        raise ValueError(f"{len(cases)} clips in {columns} columns")
    columns = min(columns, *(len(case.frames) for _, case in cases))
    peak = common_peak(grid for _, case in cases for grid in case.maps)
    largest, places = max(case.maps.max() for _, case in cases), cases[0][1].maps.shape[1]
    height, width = cases[0][1].frames.shape[1:3]
    tall = COLUMN * height / width + 0.22
    figure = new_figure(COLUMN * columns + 2.8, tall * len(cases) + (0.5 if title else 0.2))
    every = figure.subplots(len(cases), columns, squeeze=False)
    said = []
    for line, (words, case) in zip(every, cases, strict=True):
        steps = np.linspace(0, len(case.frames) - 1, columns).round().astype(int)
        shares = [share_on(case.maps[t], case.target[t]) for t in steps]
        for axes, t, share in zip(line, steps, shares, strict=True):
            laid = overlay(case.frames[t], case.maps[t], case.crop, peak=peak, outline=False)
            panel(axes, draw_contour(laid, case.silhouettes[t]))
            axes.set_xlabel(f"frame {int(case.indices[t])}, {share}", fontsize=7.5, labelpad=2)
        action, answer = plain(case.action), f"{plain(case.answer)} ({percent(case.probability)})"
        head = "\n".join([words, f"{action}, named", answer])
        line[0].set_ylabel(head, rotation=0, ha="right", va="center", fontsize=8)
        shown = ", ".join(shares)
        said.append(f"{words}: {action}, named {answer}; on the silhouette {shown}")
    heat_bar(figure, every, peak, places, largest > peak)
    return describe(figure, f"attention over frames. {'. '.join(said)}.", title)


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
    full, greys = full_speed(flow), _greys(coded)
    panel(axes[0], frame, "frame" if index is None else f"frame {index}")
    next_one = "" if index is None else f" to frame {index + 1}"
    panel(axes[1], flow_to_colour(flow, full), f"flow{next_one}, as colour")
    _flow_key(axes[1], full)
    for i, name in enumerate(("x", "y")):
        panel(axes[2 + i], coded[..., i], f"{name} channel, 8 bits", **greys)
    _code_bar(figure, axes[2:], greys, (": left, up", ": rest", ": right, down"))
    return describe(
        figure,
        f"a frame, its flow as colour (up to {full:.0f} pixels a frame) and its x and y channels "
        f"in codes from {coded.min()} to {coded.max()}, 128 at rest.",
        title,
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
        panel(axes[i % 2, i // 2], stack[..., i], str(i), **greys)
    axes[0, 0].set_ylabel("x")
    axes[1, 0].set_ylabel("y")
    _code_bar(figure, axes, greys, ("", "", ""))
    below = "channels, numbered from 0 in the order that the network gets them"
    figure.supxlabel(below, fontsize=9)
    text = f"A stack of {pairs} flow fields: channels 0, 2, 4 and so on are x, the others y."
    return describe(figure, text, title)


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
    names, full = _numbers(len(frames), indices), full_speed(*flows.values())
    figure, axes = _grid(frames, 1 + len(flows), title)
    for i, frame in enumerate(frames):
        panel(axes[0, i], draw_contour(frame, silhouettes[i]), names[i])
        for line, flow in enumerate(flows.values(), 1):
            picture = flow_to_colour(flow[i], full)
            panel(axes[line, i], draw_contour(picture, silhouettes[i], (0, 0, 0), 1))
    for label, axis in zip(["frame", *flows], axes[:, 0], strict=True):
        axis.set_ylabel(label)
    _flow_key(axes[-1, -1], full)
    on, said = np.asarray(silhouettes) != 0, []
    for row, flow in flows.items():
        speed = np.hypot(flow[..., 0], flow[..., 1])
        person, elsewhere = speed[on].mean(), speed[~on].mean()
        said.append(f"{row}: {person:.2f} on the person, {elsewhere:.2f} elsewhere")
    text = f"Flow of {len(frames)} frames, mean pixels a frame. {'; '.join(said)}."
    return describe(figure, text, title)


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
    panel(axes[0], image, "the image")
    said = []
    for axis, (label, share) in zip(axes[1:], shares.items(), strict=True):
        shown = axis.imshow(np.sqrt(share / max(share.max(), 1e-12)), cmap="inferno")
        axis.set(xticks=[], yticks=[], title=label)
        draw_box(axis, fields[label], (0, (4, 3)), 1.2, rim=1.4)
        draw_box(axis, cells[label], "-", 1.2, rim=1.4)
        top, bottom, left, right = cells[label]
        inside = share[top:bottom, left:right].sum() / max(share.sum(), 1e-12)
        axis.set_xlabel(f"{percent(inside)} of it in its own tile", fontsize=8)
        said.append(f"{label}: {inside:.0%} inside its own tile")
    bar = figure.colorbar(shown, ax=list(axes[1:]), ticks=[0, 0.5, 1], pad=0.01)
    bar.ax.set_yticklabels(["0", "1/4", "1"])
    bar.set_label("gradient (largest = 1,\nsquare-root scale)")
    text = f"Pixels that places of a cube depend on. {'; '.join(said)}."
    return describe(figure, text, title)


def panel(axes: Axes, picture: NDArray, title: str = "", **look: Any) -> None:
    """Show one picture without ticks; the y label stays, for the row's name."""
    # antialiased: thin lines survive a smaller picture
    axes.imshow(picture, **{"interpolation": "antialiased", **look})
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(False)


def draw_box(
    axes: Axes,
    box: tuple[int, int, int, int],
    dash: Any = (0, (3, 3)),
    line: float = 1.0,
    rim: float = 0.0,
) -> None:
    """Draw a box, top, bottom, left, right in pixels: a white line over a black one with a rim."""
    top, bottom, left, right = box
    corner, size = (left - 0.5, top - 0.5), (right - left, bottom - top)
    for colour, width, pattern in (("black", line + rim, "-"), ("white", line, dash)):
        look: Any = {"edgecolor": colour, "linewidth": width, "linestyle": pattern}
        axes.add_patch(Rectangle(corner, *size, fill=False, **look))


def share_on(weights: NDArray, target: NDArray) -> str:
    """Say how much of a map lies on the places of a silhouette, both (P,) or (K, K)."""
    person = np.ravel(target) > 0
    if not person.any():
        return "no silhouette"
    return percent(np.ravel(weights)[person].sum() / np.sum(weights))


def heat_bar(
    figure: Figure, axes: NDArray, peak: float, places: int, beyond: bool, scale: str = "weight"
) -> None:
    """Add the colour bar of `overlay`, with the weight of an even map marked on it.

    beyond: some weights are larger than the peak, which the bar's pointed end says.
    """
    colours = ListedColormap(HEAT_COLOURS / 255)
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, peak), colours), ax=list(axes.ravel()),
        extend="max" if beyond else "neither", label=f"{scale} of a place",
        shrink=0.9, aspect=30, pad=0.01,
    )  # fmt: skip
    bar.ax.axhline(1 / places, color="white", linewidth=1.2)
    bar.ax.axhline(1 / places, color="black", linewidth=1.2, linestyle=(0, (2, 2)))
    place: Any = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    bar.ax.annotate(
        "even", (0.0, 1 / places), xytext=(-3, 0), ha="right", va="center", fontsize=7, **place
    )


def _flow_key(axes: Axes, bound: float) -> None:
    """Draw the wheel of directions beside the last column: where a colour points to."""
    side = np.linspace(-bound, bound, 121)
    wheel = np.stack(np.meshgrid(side, side), axis=-1)  # (121, 121, 2), y down
    picture = flow_to_colour(wheel, bound)
    picture[np.hypot(wheel[..., 0], wheel[..., 1]) > bound] = 255
    key = axes.inset_axes((1.12, 0.12, 0.5, 0.76))
    panel(key, picture, extent=(-bound, bound, bound, -bound))
    key.set_xticks([-bound, 0, bound], [f"{-bound:.0f}", "0", f"{bound:.0f}"], fontsize=7)
    key.tick_params(length=2, pad=1)
    key.set_xlabel("x, y flow\n(pixels a frame)", fontsize=7)


def _greys(coded: NDArray[np.uint8]) -> dict[str, Any]:
    """How 8-bit flow is drawn: mid grey at rest, black and white at the largest codes but few."""
    reach = float(np.percentile(np.abs(coded.astype(float) - 128), 99.5))
    reach = min(127.0, max(8.0, np.ceil(reach)))
    return {"cmap": "gray", "vmin": 128 - reach, "vmax": 128 + reach, "interpolation": "nearest"}


def _code_bar(figure: Figure, axes: NDArray, greys: dict[str, Any], names: Sequence[str]) -> None:
    """Add the colour bar of codes, named at its low end, in the middle and at its high end."""
    shades = ScalarMappable(Normalize(greys["vmin"], greys["vmax"]), greys["cmap"])
    ticks = [greys["vmin"], 128, greys["vmax"]]
    look: Any = {"label": "code", "ticks": ticks, "pad": 0.01, "extend": "both"}
    bar = figure.colorbar(shades, ax=list(axes.ravel()), **look)
    bar.ax.set_yticklabels([f"{t:.0f}{name}" for t, name in zip(ticks, names, strict=True)])


def _grid(frames: NDArray, rows: int, title: str) -> tuple[Figure, NDArray]:
    """Return a figure with rows x n axes, made for pictures of the frames' proportions."""
    height, width = frames.shape[1:3]
    row = COLUMN * height / width + 0.2  # a picture and the line below it
    figure = new_figure(COLUMN * len(frames) + 1.1, rows * row + (0.6 if title else 0.3))
    return figure, figure.subplots(rows, len(frames), squeeze=False)


def _numbers(n: int, indices: Sequence[int] | Sequence[str] | None) -> list[str]:
    """Return the columns' titles: the frames' numbers in the clip, words, or their order."""
    if indices is None:
        return [f"sample {i + 1}" for i in range(n)]
    if len(indices) != n:
        raise ValueError(f"{n} frames, but {len(indices)} indices")
    return [i if isinstance(i, str) else f"frame {int(i)}" for i in indices]
