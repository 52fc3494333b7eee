"""Drawing on frames: attention laid over a frame, silhouette contours, flow as colour.

Everything here takes and gives arrays and knows no figure: the same functions serve the
notebooks, the figures of this package and the videos that `rstan-lite predict` writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry

HEAT = "inferno"  # rises in lightness from end to end, so it survives a grey print


def as_grid(weights: NDArray) -> NDArray[np.float64]:
    """Turn one map, (K, K) or (P,) with P = K*K, into float64 (K, K); ValueError otherwise."""
    grid = np.asarray(weights, dtype=np.float64)
    if grid.ndim == 1:
        side = round(float(np.sqrt(grid.size)))
        if side * side == grid.size:
            grid = grid.reshape(side, side)
    if grid.ndim != 2 or grid.shape[0] != grid.shape[1] or grid.size == 0:
        raise ValueError(f"a map has shape (K, K) or (K*K,), not {np.shape(weights)}")
    if not np.isfinite(grid).all() or (grid < 0).any():
        raise ValueError("the weights of a map are finite and not negative")
    return grid


def common_peak(maps: Iterable[NDArray]) -> float:
    """The weight drawn at full strength when several maps share one scale.

    It is the median of the maps' largest weights, so that a single sharp map doesn't make all
    others pale; but at least 3/P, so that even maps stay pale.
    """
    grids = [as_grid(one) for one in maps]
    typical = float(np.median([grid.max() for grid in grids]))
    return max(typical, 3 / grids[0].size)


def place_map(
    weights: NDArray, shape: tuple[int, int], crop: Geometry | None = None, smooth: bool = False
) -> NDArray[np.float64]:
    """Give every pixel of a frame the weight of the place it belongs to.

    weights: (K, K) or (P,). shape: (H, W) of the frame. crop: the box that the network saw
    (None: the whole frame); a place covers height/K x width/K pixels of it, and a mirrored crop
    is mirrored back. smooth: bilinear between the centres of the places instead of blocks.
    Returns (H, W), NaN outside the crop.
    """
    grid = as_grid(weights)
    top, bottom, left, right = (0, shape[0], 0, shape[1]) if crop is None else crop.box(*shape)
    if crop is not None and crop.mirror:
        grid = grid[:, ::-1]
    rows = _interpolation(bottom - top, grid.shape[0], smooth)  # (height, K)
    columns = _interpolation(right - left, grid.shape[1], smooth)  # (width, K)
    full = np.full(shape, np.nan)
    full[top:bottom, left:right] = rows @ grid @ columns.T
    return full


def overlay(
    frame: NDArray[np.uint8],
    weights: NDArray,
    crop: Geometry | None = None,
    *,
    peak: float | None = None,
    strength: float = 0.75,
    smooth: bool = True,
    outline: bool = True,
) -> NDArray[np.uint8]:
    """Lay one attention map over one frame, aligned to the pixel.

    frame: (H, W, 3) RGB. weights: (K, K) or (P,), not negative. crop: what the network saw of the
    frame (None: all of it); the rest is darkened. peak: the weight drawn at full strength (None:
    the largest of the map). strength: how much a place at the peak is covered, 0 to 1. smooth: see
    `place_map`. outline: draw the line at half of the peak, which stays readable in a grey print.
    Returns uint8 (H, W, 3). Raises ValueError for arrays of another shape.
    """
    frame = _rgb(frame)
    height, width = frame.shape[:2]
    level = place_map(weights, (height, width), crop, smooth)
    seen = np.isfinite(level)
    top = float(np.nanmax(level)) if peak is None else float(peak)
    level = np.clip(np.where(seen, level, 0.0) / max(top, 1e-12), 0.0, 1.0)

    grey = frame.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    quiet = 0.5 * grey[..., None] + 0.25 * frame + 8.0  # paler and darker than the frame
    heat = 255.0 * heat_colours(level)
    cover = strength * level[..., None]
    picture = np.where(seen[..., None], (1.0 - cover) * quiet + cover * heat, 0.35 * quiet)
    picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    if outline and top > 0:
        picture = draw_contour(picture, level >= 0.5)
    return picture


def heat_colours(level: NDArray) -> NDArray[np.float64]:
    """The colours of a map: level (...) from 0 to 1, the peak, to RGB (..., 3) in [0, 1]."""
    colours: NDArray[np.float64] = _heat()(0.35 + 0.6 * np.asarray(level))
    return colours[..., :3]


@cache
def _heat() -> Colormap:
    """The colour map, once: matplotlib hands out a copy that it builds anew each time."""
    return colormaps[HEAT]


def draw_contour(
    frame: NDArray[np.uint8],
    mask: NDArray,
    colour: tuple[int, int, int] = (255, 255, 255),
    thickness: int = 2,
) -> NDArray[np.uint8]:
    """Draw the edge of a region: a line just inside it and a dark rim just outside.

    frame: (H, W, 3) RGB. mask: (H, W), nonzero inside. thickness: of the line, in pixels. Line and
    rim together show on light and on dark ground. Returns a copy, uint8 (H, W, 3).
    """
    frame, inside = _rgb(frame), np.asarray(mask) != 0
    if inside.shape != frame.shape[:2]:
        raise ValueError(f"a mask of shape {inside.shape} on a frame of shape {frame.shape}")
    drawn, outside = frame.copy(), ~inside
    drawn[_grow(inside) & outside] = 0
    for _ in range(thickness):
        outside = _grow(outside)
    drawn[outside & inside] = colour
    return drawn


def flow_to_colour(flow: NDArray, bound: float | None = None) -> NDArray[np.uint8]:
    """Show flow as colour: direction as hue, speed as colourfulness and darkness.

    flow: (..., H, W, 2) in pixels a frame, x to the right and y down. bound: the speed drawn at
    full strength, faster ones are drawn like it (None: the 99th percentile, at least 1 pixel).
    All directions are equally light (OKLCh), so a grey print still shows the speed: white is at
    rest. Returns uint8 (..., H, W, 3).
    """
    flow = np.asarray(flow, dtype=np.float64)
    if flow.ndim < 3 or flow.shape[-1] != 2:
        raise ValueError(f"flow has shape (..., H, W, 2), not {flow.shape}")
    speed = np.hypot(flow[..., 0], flow[..., 1])
    full = max(1.0, float(np.percentile(speed, 99))) if bound is None else float(bound)
    share = np.clip(speed / full, 0.0, 1.0)
    angle = np.arctan2(flow[..., 1], flow[..., 0]) + np.deg2rad(30)
    chroma = 0.15 * share
    lab = np.stack([1.0 - 0.42 * share, chroma * np.cos(angle), chroma * np.sin(angle)], axis=-1)
    return _oklab_to_rgb(lab)


def _oklab_to_rgb(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Convert OKLab (..., 3), lightness 0 to 1, to 8-bit sRGB (Ottosson's matrices)."""
    to_cone = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((lab @ to_cone.T) ** 3 @ to_linear.T, 0.0, 1.0)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * curved).astype(np.uint8)


def _interpolation(pixels: int, places: int, smooth: bool) -> NDArray[np.float64]:
    """Weights (pixels, places) by which each pixel centre takes the value of the places."""
    position = (np.arange(pixels) + 0.5) * places / pixels - 0.5  # in places, centres at 0, 1, ...
    position = np.clip(position, 0, places - 1) if smooth else np.rint(position)
    distance = np.abs(position[:, None] - np.arange(places))
    weights: NDArray[np.float64] = np.maximum(0.0, 1.0 - distance)
    return weights / weights.sum(axis=1, keepdims=True)


def _grow(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the four neighbours of every pixel of a mask."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _rgb(frame: NDArray) -> NDArray[np.uint8]:
    """Check that an array is one RGB frame."""
    frame = np.asarray(frame)
    if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"a frame is uint8 (H, W, 3), not {frame.dtype} {frame.shape}")
    return frame
