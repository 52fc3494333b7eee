"""Frames in rows: a clip with silhouettes and flow, attention over it, and what places see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.show.frames import (
    HEAT_COLOURS,
    Frames,
    as_grid,
    common_peak,
    draw_contour,
    flow_to_colour,
    flow_wheel,
    full_speed,
    overlay,
)
from rstan_lite.show.style import (
    BESIDE,
    describe,
    listed,
    new_figure,
    panel,
    percent,
    plain,
    styled,
)

if TYPE_CHECKING:
    from rstan_lite.lab.ledger.error_analysis import Attended

COLUMN = 1.5  # inches that one frame is wide
GALLERY = 4  # columns of a gallery at most
SMALL: Any = {"fontsize": 7.5, "labelpad": 2}  # words below a picture
Box: TypeAlias = tuple[int, int, int, int]  # top, bottom, left, right, in pixels
Row: TypeAlias = tuple[str, Sequence[NDArray] | NDArray]  # a row's name, and its pictures


@styled
def clip_strip(
    frames: Frames, silhouettes: NDArray, flow: NDArray | None = None, *,
    indices: Sequence[int] | None = None, crop: Geometry | None = None, title: str = "",
) -> Figure:  # fmt: skip
    """Show sampled frames with the silhouette's contour, and their flow below.

    frames: (n, H, W, 3) uint8. silhouettes: (n, H, W), nonzero on the person. flow: (n, H, W, 2) in
    pixels a frame. indices: the frames' numbers in the clip. crop: what the network sees, dashed.
    """
    rows = [_outlined(frames, silhouettes)]
    text = f"{len(frames)} frames of a clip, the person outlined"
    full = 1.0 if flow is None else full_speed(flow)
    if flow is not None:
        rows.append(("flow", flow_to_colour(flow, full)))
        text += f"; below each its optical flow as colour, up to {full:.0f} pixels a frame"
    figure, axes = _image_rows(rows, _heads(len(frames), indices), title, crop=crop)
    if flow is not None:
        _flow_key(axes[1, -1], full)
    return describe(figure, f"{text}.", title)


@styled
def attention_strip(
    frames: Frames, maps: Mapping[str, NDArray], *,
    indices: Sequence[int] | Sequence[str] | None = None, crop: Geometry | None = None,
    silhouettes: NDArray | None = None, target: NDArray | None = None, peak: float | None = None,
    title: str = "", smooth: bool = True, scale: str = "weight",
) -> Figure:  # fmt: skip
    """Show attention maps over frames: one row a map, one column a frame.

    frames: (n, H, W, 3) uint8. maps: row label -> (n, K, K) or (n, P). All share one scale from 0
    to `peak` (None: their `common_peak`); its bar marks 1/P, an even map's weight, and the white
    line on a map is half of it. indices: the frames' numbers, or heads in words. crop: what the
    network saw. silhouettes: (n, H, W), drawn in a row of their own. target: (n, P), M of Eq. 18:
    below each map stands its share there. scale: what the colours are; "" for maps of 0 and 1,
    which need no bar.
    """
    grids = {row: [as_grid(m) for m in stack] for row, stack in maps.items()}
    every = [grid for stack in grids.values() for grid in stack]
    places, largest = every[0].size, max(float(grid.max()) for grid in every)
    peak = common_peak(every) if peak is None else peak
    rows: list[Row] = [] if silhouettes is None else [_outlined(frames, silhouettes)]
    for label, stack in grids.items():
        each = zip(frames, stack, strict=True)
        rows.append((label, [overlay(f, m, crop, peak=peak, smooth=smooth) for f, m in each]))
    box = None if silhouettes is None else crop
    figure, axes = _image_rows(rows, _heads(len(frames), indices), title, crop=box)
    mapped = axes[-len(grids) :]
    for line, stack in zip(mapped, grids.values() if target is not None else (), strict=False):
        for axis, grid, person in zip(line, stack, np.asarray(target), strict=True):
            share = share_on(grid, person)
            axis.set_xlabel(f"{share} on the person" if "%" in share else share, **SMALL)
    what = {"weight": "attention", "": "marked places"}.get(scale, f"maps of the {scale}")
    text = f"{what} over {len(frames)} frames, in rows: {', '.join(grids)}."
    if scale:
        heat_bar(figure, mapped, peak, places, largest > peak, scale)
        even = f"of an even map {1 / places:.2f}"
        text += f" The largest {scale} of a place is {largest:.2f}; {even}."
    return describe(figure, text, title)


@styled
def gallery_figure(cases: Sequence[tuple[str, Attended]], *, title: str = "") -> Figure:
    """Draw what models looked at in clips, a row a model and clip, with the silhouette outlined.

    cases: words for each row, and what was attended. At most GALLERY steps are drawn, evenly
    spaced, on one scale; below each stands its map's share on the silhouette.
    """
    columns = min(GALLERY, *(len(case.frames) for _, case in cases))
    peak = common_peak(grid for _, case in cases for grid in case.maps)
    largest, places = max(case.maps.max() for _, case in cases), cases[0][1].maps.shape[1]
    rows, below, said = [], [], []
    for words, case in cases:
        steps = np.linspace(0, len(case.frames) - 1, columns).round().astype(int)
        pictures, shares = [], [share_on(case.maps[t], case.target[t]) for t in steps]
        for t, share in zip(steps, shares, strict=True):
            laid = overlay(case.frames[t], case.maps[t], case.crop, peak=peak, outline=False)
            pictures.append(draw_contour(laid, case.silhouettes[t]))
            below.append(f"frame {int(case.indices[t])}, {share}")
        action, answer = plain(case.action), f"{plain(case.answer)} ({percent(case.probability)})"
        rows.append((f"{words}\n{action}, named\n{answer}", pictures))
        said.append(f"{words}: {action}, named {answer}; on the silhouette {', '.join(shares)}")
    beside: Any = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 8}
    figure, axes = _image_rows(rows, [""] * columns, title, left=2.8, **beside)
    for axis, words in zip(axes.ravel(), below, strict=True):
        axis.set_xlabel(words, **SMALL)
    heat_bar(figure, axes, peak, places, largest > peak)
    return describe(figure, f"attention over frames. {'. '.join(said)}.", title)


@styled
def views_figure(views: Mapping[str, tuple[Frames, NDArray]]) -> Figure:
    """Show transformed frames with their silhouettes' contours, and the share that they cover.

    views: label -> (frame (H, W, 3) uint8, mask (H, W) nonzero on the person), of any sizes.
    """
    drawn = [draw_contour(f, m, thickness=max(1, len(f) // 110)) for f, m in views.values()]
    figure, axes = _image_rows([("", drawn)], list(views), column=1.9)
    said = []
    for axis, (label, (_, mask)) in zip(axes[0], views.items(), strict=True):
        share = float(np.mean(np.asarray(mask) != 0))
        axis.set_xlabel(f"person: {percent(share, 1)}", fontsize=8)
        said.append(f"{label} (person: {share:.1%})".replace("\n", " "))
    return describe(figure, f"Views of a frame, the person outlined: {', '.join(said)}.")


@styled
def flow_panels(frame: Frames, flow: NDArray, coded: Frames, *, index: int) -> Figure:
    """Show one flow field in the two ways it is looked at: as colour, and as 8-bit channels.

    frame: (H, W, 3) uint8, number `index` of the clip, from 0. flow: (H, W, 2) in pixels a frame.
    coded: (H, W, 2) uint8, the motion network's x and y, 128 at rest, stretched to what occurs.
    """
    full, (greys, words) = full_speed(flow), _greys(coded)
    pictures = frame, flow_to_colour(flow, full), *greys
    heads = [f"frame {index}", f"flow to frame {index + 1}, as colour"]
    heads += [f"{name} channel, 8 bits" for name in "xy"]
    figure, axes = _image_rows([("", pictures)], heads, column=2.3)
    _flow_key(axes[0, -1], full)
    figure.supxlabel(f"{words}; the dark end is left or up", fontsize=8)
    return describe(
        figure,
        f"a frame, its flow as colour (up to {full:.0f} pixels a frame) and its x and y channels "
        f"in codes from {coded.min()} to {coded.max()}, 128 at rest.",
    )


@styled
def flow_stack(stack: Frames) -> Figure:
    """Show a motion network's input: x channels in the upper row, y channels below.

    stack: (H, W, 2 * L) uint8, interleaved x then y, in the order of time; see `flow_panels`.
    """
    pairs = stack.shape[2] // 2
    greys, words = _greys(stack)
    figure, axes = _image_rows([("x", greys[::2]), ("y", greys[1::2])], [""] * pairs)
    for i, axis in enumerate(axes.T.ravel()):
        axis.set_title(str(i))
    below = "channels, numbered from 0 in the order that the network gets them"
    figure.supxlabel(f"{below}\n{words}", fontsize=8)
    text = "channels 0, 2, 4 and so on are x, the others y"
    return describe(figure, f"A stack of {pairs} flow fields: {text}.")


@styled
def flow_rows(
    frames: Frames, flows: Mapping[str, NDArray], silhouettes: NDArray, *,
    indices: Sequence[int] | None = None,
) -> Figure:  # fmt: skip
    """Compare several flows of the same frames: a row of frames, then one row a flow.

    frames: (n, H, W, 3) uint8. flows: row label -> (n, H, W, 2) in pixels a frame, on one scale.
    silhouettes: (n, H, W). The alt text says the mean speed on the person and elsewhere.
    """
    full, on = full_speed(*flows.values()), np.asarray(silhouettes) != 0
    rows, said = [_outlined(frames, silhouettes)], {}
    for label, flow in flows.items():
        each = zip(flow_to_colour(flow, full), silhouettes, strict=True)
        rows.append((label, [draw_contour(one, mask, (0, 0, 0), 1) for one, mask in each]))
        speed = np.hypot(flow[..., 0], flow[..., 1])
        said[label] = f"{speed[on].mean():.2f} on the person, {speed[~on].mean():.2f} elsewhere"
    figure, axes = _image_rows(rows, _heads(len(frames), indices))
    _flow_key(axes[-1, -1], full)
    text = f"Flow of {len(frames)} frames, mean pixels a frame. {listed(said)}."
    return describe(figure, text)


@styled
def receptive_figure(
    image: Frames, shares: Mapping[str, NDArray], fields: Mapping[str, Box],
    cells: Mapping[str, Box],
) -> Figure:  # fmt: skip
    """Show which pixels places of a cube depend on, one panel a place.

    image: (s, s, 3) uint8. shares: label -> (s, s), how much each pixel matters, not negative,
    drawn as its square root, the largest 1. fields, cells: label -> top, bottom, left, right in
    pixels of the place's receptive field (dashed) and of its own cell of the grid (solid).
    """
    roots = [np.sqrt(share / max(share.max(), 1e-12)) for share in shares.values()]
    pictures = image, *(colormaps["inferno"](root)[..., :3] for root in roots)
    figure, axes = _image_rows([("", pictures)], ["the image", *shares], column=2.5)
    said = {}
    for axis, (label, share) in zip(axes[0, 1:], shares.items(), strict=True):
        _draw_box(axis, fields[label])
        _draw_box(axis, cells[label], "-")
        top, bottom, left, right = cells[label]
        inside = share[top:bottom, left:right].sum() / max(share.sum(), 1e-12)
        axis.set_xlabel(f"{percent(inside)} of it in its own tile", fontsize=8)
        said[label] = f"{inside:.0%} inside its own tile"
    bar = figure.colorbar(ScalarMappable(cmap="inferno"), ax=list(axes[0]), ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0", "1/4", "1"])
    bar.set_label("gradient (largest = 1,\nsquare-root scale)")
    return describe(figure, f"Pixels that places of a cube depend on. {listed(said)}.")


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
    for colour, dash in (("white", "-"), ("black", (0, (2, 2)))):
        bar.ax.axhline(1 / places, color=colour, linewidth=1.2, linestyle=dash)
    bar.ax.annotate("even", (-0.2, 1 / places), ha="right", fontsize=7, **BESIDE)


def _image_rows(
    rows: Sequence[Row], heads: Sequence[str], title: str = "", *, column: float = COLUMN,
    left: float = 1.1, crop: Geometry | None = None, **words: Any,
) -> tuple[Figure, NDArray]:  # fmt: skip
    """Return a figure of pictures in named rows, and its axes, (rows, columns).

    heads: of the columns. column, left: inches of a picture and beside it. crop: a dashed box on
    the first row. words: the look of the rows' names.
    """
    shapes = [picture.shape for _, pictures in rows for picture in pictures]
    row = column * max(h / w for h, w, *_ in shapes) + 0.2  # a picture and the line below it
    figure = new_figure(column * len(heads) + left, len(rows) * row + (0.6 if title else 0.3))
    axes = figure.subplots(len(rows), len(heads), squeeze=False)
    for line, (name, pictures) in zip(axes, rows, strict=True):
        for axis, picture in zip(line, pictures, strict=True):
            panel(axis, picture)
        line[0].set_ylabel(name, **words)
    for axis, head, picture in zip(axes[0], heads, rows[0][1], strict=True):
        axis.set_title(head)
        if crop is not None:
            _draw_box(axis, crop.box(*picture.shape[:2]))
    return figure, axes


def _outlined(frames: NDArray, silhouettes: NDArray) -> Row:
    """The row of frames with their silhouettes' contours."""
    each = zip(frames, silhouettes, strict=True)
    return "frame, silhouette", [draw_contour(frame, mask) for frame, mask in each]


def _heads(n: int, indices: Sequence[int] | Sequence[str] | None) -> list[str]:
    """Return the columns' titles: the frames' numbers in the clip, words, or their order."""
    if indices is None:
        return [f"sample {i + 1}" for i in range(n)]
    return [i if isinstance(i, str) else f"frame {int(i)}" for i in indices]


def _draw_box(axes: Axes, box: Box, dash: Any = (0, (3, 3))) -> None:
    """Draw a box, top, bottom, left, right in pixels: a white line over a black one."""
    top, bottom, left, right = box
    corner, size = (left - 0.5, top - 0.5), (right - left, bottom - top)
    for colour, width, pattern in (("black", 1.8, "-"), ("white", 1.1, dash)):
        look: Any = {"edgecolor": colour, "linewidth": width, "linestyle": pattern}
        axes.add_patch(Rectangle(corner, *size, fill=False, **look))


def _flow_key(axes: Axes, bound: float) -> None:
    """Draw the wheel of directions beside the last column: where a colour points to."""
    key = axes.inset_axes((1.12, 0.12, 0.5, 0.76))
    panel(key, flow_wheel(121), extent=(-bound, bound, bound, -bound))
    key.set_xticks([-bound, 0, bound], [f"{-bound:.0f}", "0", f"{bound:.0f}"], fontsize=7)
    key.tick_params(length=2, pad=1)
    key.set_xlabel("x, y flow\n(pixels a frame)", fontsize=7)


def _greys(coded: Frames) -> tuple[list[NDArray], str]:
    """8-bit flow (H, W, n) as n pictures, mid grey at rest, and which codes are black and white."""
    reach = np.percentile(np.abs(coded.astype(float) - 128), 99.5)
    reach = min(127, max(8, int(np.ceil(reach))))
    grey = np.clip((coded.astype(float) - 128 + reach) / (2 * reach), 0, 1)
    pictures = [np.repeat(one[..., None], 3, axis=-1) for one in np.moveaxis(grey, -1, 0)]
    return pictures, f"code {128 - reach} or less is black, 128 rest, {128 + reach} or more white"
