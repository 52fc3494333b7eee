"""Drawing on frames: attention, silhouette contours, flow as colour, and films of it.

All of it takes and gives arrays: the same functions serve figures and the videos of `predict`.
"""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias, cast

import av
import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from rstan_lite.data.transforms import Geometry
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import write_atomically

Frames: TypeAlias = NDArray[np.uint8]  # one frame (H, W, 3), or several (n, H, W, 3), RGB
STRENGTH = 0.75  # how much a place at the peak is covered, 0 to 1
CODECS = {".mp4": "libx264", ".avi": "mpeg4"}
FAST = {"preset": "veryfast"}  # of x264: half the time and a third of the memory of its default
SHORTEST = 20  # ms of a GIF's frame: viewers show shorter ones slowly
MOST_IN_GIF = 600
# Of a map's levels from 0 to the peak, (256, 3): it rises in lightness from end to end, so that it
# survives a grey print.
_HEAT = colormaps["inferno"](np.linspace(0.35, 0.95, 256))[:, :3]
HEAT_COLOURS = (255 * _HEAT).astype(np.float32)
_NEIGHBOURS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


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

    The median of their largest weights, so that a single sharp map doesn't make all others pale;
    but at least 3/P, so that even maps stay pale.
    """
    grids = [as_grid(one) for one in maps]
    typical = float(np.median([grid.max() for grid in grids]))
    return max(typical, 3 / grids[0].size)


def place_map(
    weights: NDArray, shape: tuple[int, int], crop: Geometry | None = None, smooth: bool = False
) -> NDArray[np.float64]:
    """Give every pixel of a frame the weight of the place it belongs to.

    Returns (H, W), NaN outside the crop. weights: (K, K) or (P,). shape: (H, W). crop: what the
    network saw (None: all); mirrored back if need be. smooth: bilinear between places' centres.
    """
    grid = as_grid(weights)
    top, bottom, left, right = (0, shape[0], 0, shape[1]) if crop is None else crop.box(*shape)
    if crop is not None and crop.mirror:
        grid = np.ascontiguousarray(grid[:, ::-1])
    way = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST_EXACT
    full = np.full(shape, np.nan)
    full[top:bottom, left:right] = cv2.resize(grid, (right - left, bottom - top), interpolation=way)
    return full


def overlay(
    frame: Frames, weights: NDArray, crop: Geometry | None = None, *, peak: float | None = None,
    smooth: bool = True, outline: bool = True,
) -> Frames:  # fmt: skip
    """Lay one attention map over one frame, aligned to the pixel; returns uint8 (H, W, 3).

    frame: (H, W, 3) RGB. weights: (K, K) or (P,), not negative. crop: what the network saw (None:
    all); the rest is darkened. peak: the weight drawn at full strength (None: the largest). smooth:
    see `place_map`. outline: a line at half of the peak, which stays readable in a grey print.
    """
    frame = _rgb(frame)
    level = place_map(weights, frame.shape[:2], crop, smooth).astype(np.float32)
    seen = np.isfinite(level)
    top = float(np.nanmax(level)) if peak is None else float(peak)
    level = np.clip(np.where(seen, level, 0) / max(top, 1e-12), 0, 1)

    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None]
    quiet = np.float32(0.5) * grey + np.float32(0.25) * frame + 8  # paler and darker
    quiet *= np.where(seen, np.float32(1), np.float32(0.35))[..., None]
    cover = STRENGTH * level[..., None]  # (H, W, 1)
    heat = HEAT_COLOURS.take(np.rint(255 * level).astype(np.uint8), axis=0)
    heat -= quiet  # in place: half of the time
    heat *= cover
    heat += quiet
    picture = np.rint(heat, out=heat).astype(np.uint8)
    return draw_contour(picture, level >= 0.5) if outline and top > 0 else picture


def draw_contour(
    frame: Frames, mask: NDArray, colour: Sequence[int] = (255, 255, 255), thickness: int = 2
) -> Frames:
    """Draw the edge of a region on a copy of a frame: a line just inside it, a dark rim outside.

    frame: (H, W, 3) RGB. mask: (H, W), nonzero inside. thickness: of the line, in pixels.
    """
    drawn, inside = _rgb(frame).copy(), (np.asarray(mask) != 0).astype(np.uint8)
    drawn[cv2.dilate(inside, _NEIGHBOURS) > inside] = 0
    drawn[cv2.erode(inside, _NEIGHBOURS, iterations=thickness) < inside] = colour
    return drawn


def flow_to_colour(flow: NDArray, bound: float | None = None) -> Frames:
    """Show flow as colour: direction as hue, speed as colourfulness and darkness.

    flow: (..., H, W, 2) in pixels a frame, x to the right and y down. bound: the speed at full
    strength (None: `full_speed`). All directions are equally light (CIELAB), so a grey print still
    shows the speed: white is at rest. Returns uint8 (..., H, W, 3).
    """
    flow = np.asarray(flow, dtype=np.float32)
    share = np.hypot(flow[..., 0], flow[..., 1]) / (full_speed(flow) if bound is None else bound)
    share = np.clip(share, 0.0, 1.0)
    angle = np.arctan2(flow[..., 1], flow[..., 0]) + np.float32(np.deg2rad(40))
    lab = np.stack([100 - 48 * share, *(60 * share * f(angle) for f in (np.cos, np.sin))], axis=-1)
    colours = cv2.cvtColor(lab.reshape(-1, 1, 3), cv2.COLOR_Lab2RGB)
    return np.rint(255 * colours).astype(np.uint8).reshape(*flow.shape[:-1], 3)


def flow_wheel(side: int) -> Frames:
    """The colours of all directions and speeds, side x side pixels, white outside of the circle."""
    x = np.linspace(-1, 1, side)
    flow = np.stack(np.meshgrid(x, x), axis=-1)  # y down, as in the flow
    wheel = flow_to_colour(flow, 1.0)
    wheel[np.hypot(flow[..., 0], flow[..., 1]) > 1] = 255
    return wheel


def full_speed(*flows: NDArray) -> float:
    """The speed of full colour for flows (..., 2): the largest 99th percentile, at least 1."""
    return max(1.0, *(float(np.percentile(np.hypot(f[..., 0], f[..., 1]), 99)) for f in flows))


def write_overlays(
    frames: Iterable[Frames], maps: Mapping[str, NDArray], nearest: NDArray, crop: Geometry,
    paths: Mapping[str, Path], fps: float,
) -> None:  # fmt: skip
    """Write a film for each map by name, in one pass over the frames (F, H, W, 3).

    maps: (T, P). nearest: (F,), which of the T a frame takes. The scale is `common_peak`.
    """
    peaks = {name: common_peak(of_name) for name, of_name in maps.items()}
    films = {name: Film(paths[name], fps) for name in maps}
    for frame, step in zip(frames, nearest, strict=True):
        for name, film in films.items():
            film.add(overlay(frame, maps[name][step], crop, peak=peaks[name]))
    for film in films.values():
        film.close()


def write_animation(frames: Iterable[Frames], path: str | Path, fps: float = 10.0) -> Path:
    """Write frames (n, H, W, 3) RGB as .mp4, .avi or .gif and return the path. See `Film`."""
    film = Film(path, fps)
    for frame in frames:
        film.add(frame)
    film.close()
    return film.path


class Film:
    """A film that takes frame after frame, uint8 (H, W, 3) RGB, and is written when it is closed.

    path: .mp4, .avi or .gif. Height and width are cut to even numbers, which a video's pixel format
    demands. A GIF has at most MOST_IN_GIF frames: of a longer film every second or fourth one.
    Raises ConfigError for another ending, StoreError where the disk is full.
    """

    def __init__(self, path: str | Path, fps: float):
        self.path, self._fps, self._count, self._every = Path(path), fps, 0, 1
        self._ending = self.path.suffix.lower()
        if self._ending not in (endings := [*CODECS, ".gif"]):
            found = f"the ending {self.path.suffix!r}"
            raise ConfigError(self.path, found, f"one of {', '.join(endings)}")
        self._pictures: list[Image.Image] = []  # of a GIF
        self._buffer = io.BytesIO()  # so that no part of a file is left where the disk is full

    def add(self, frame: Frames) -> None:
        """One more frame, of the first one's size."""
        even = np.ascontiguousarray(frame[: len(frame) // 2 * 2, : frame.shape[1] // 2 * 2])
        if self._ending != ".gif":
            if not self._count:
                self._open(even)
            picture = av.VideoFrame.from_ndarray(even, format="rgb24")
            self._container.mux(self._stream.encode(picture))
        elif self._count % self._every == 0:
            self._pictures.append(Image.fromarray(even))
            if len(self._pictures) > MOST_IN_GIF:
                self._pictures, self._every = self._pictures[::2], 2 * self._every
        self._count += 1

    def close(self) -> None:
        """Write the file."""
        if self._ending == ".gif":
            lasts = 1000 * self._every / self._fps  # milliseconds
            step = max(1, math.ceil(SHORTEST / lasts))
            first, *others = self._pictures[::step]
            ends = [10 * round(i * step * lasts / 10) for i in range(len(others) + 2)]  # GIF's unit
            more = {"save_all": True, "append_images": others, "duration": np.diff(ends).tolist()}
            more["loop"] = 0
            first.save(self._buffer, "gif", **more)
        else:
            self._container.mux(self._stream.encode())
            self._container.close()
        write_atomically(self.path, self._buffer.getvalue())

    def _open(self, frame: Frames) -> None:
        self._container = av.open(self._buffer, "w", format=self._ending[1:])
        rate = Fraction(self._fps).limit_denominator(1000)
        self._stream = cast(
            "av.VideoStream",
            self._container.add_stream(CODECS[self._ending], rate=rate, options=FAST),
        )
        self._stream.height, self._stream.width, self._stream.pix_fmt = *frame.shape[:2], "yuv420p"


def _rgb(frame: NDArray) -> Frames:
    """Check that an array is one RGB frame."""
    frame = np.asarray(frame)
    if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"a frame is uint8 (H, W, 3), not {frame.dtype} {frame.shape}")
    return frame
