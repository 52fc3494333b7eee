"""Frames with drawings on them, written as a video or a GIF."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.show.pixels import common_peak, overlay
from rstan_lite.system.errors import ConfigError

if TYPE_CHECKING:
    from av import VideoFrame

# container -> codec, pixel format
KINDS = {".mp4": ("libx264", "yuv420p"), ".avi": ("mpeg4", "yuv420p"), ".gif": ("gif", "pal8")}
SAMPLED = 16  # frames that a GIF's colours are chosen from


def overlay_clip(
    frames: NDArray[np.uint8],
    weights: NDArray,
    crop: Geometry | None = None,
    *,
    smooth: bool = True,
) -> NDArray[np.uint8]:
    """Lay a map over every frame, all on one scale.

    frames: (n, H, W, 3). weights: (n, K, K) or (n, P). The scale is `common_peak`. Returns uint8
    (n, H, W, 3).
    """
    if len(frames) != len(weights) or len(frames) == 0:
        raise ValueError(f"{len(frames)} frames, but {len(weights)} maps")
    peak = common_peak(weights)
    return np.stack(
        [
            overlay(frame, grid, crop, peak=peak, smooth=smooth)
            for frame, grid in zip(frames, weights, strict=True)
        ]
    )


def write_animation(frames: NDArray[np.uint8], path: str | Path, fps: float = 10.0) -> Path:
    """Write frames (n, H, W, 3) RGB as .mp4, .avi or .gif and return the path.

    Height and width are cut to even numbers, which a video's pixel format demands. A GIF has 256
    colours, chosen from the frames. Raises ConfigError for another ending, StoreError where the
    disk is full.
    """
    import av

    from rstan_lite.system.files import write_atomically

    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise ConfigError(path, f"the ending {path.suffix!r}", f"one of {', '.join(KINDS)}")
    codec, pixels = KINDS[path.suffix.lower()]
    buffer = io.BytesIO()  # so that no part of a file is left where the disk is full
    height, width = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2
    with av.open(buffer, "w", format=path.suffix.lower()[1:]) as container:
        rate = Fraction(fps).limit_denominator(1000)
        stream = cast("av.VideoStream", container.add_stream(codec, rate=rate))
        stream.height, stream.width, stream.pix_fmt = height, width, pixels
        for picture in _pictures(frames[:, :height, :width], pixels):
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    write_atomically(path, buffer.getvalue())
    return path


def _pictures(frames: NDArray[np.uint8], pixels: str) -> Iterator[VideoFrame]:
    """The frames as an encoder takes them: in colours of their own for a GIF, else as RGB."""
    from av import VideoFrame
    from PIL import Image

    if pixels != "pal8":
        for frame in frames:
            yield VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        return
    some = np.ascontiguousarray(frames[:: -(-len(frames) // SAMPLED)])
    # by an octree: a median cut would leave out what is rare, such as a map's brightest colours
    tall = Image.fromarray(some.reshape(-1, *some.shape[2:]))
    common = tall.quantize(256, method=Image.Quantize.FASTOCTREE)
    table = np.full((256, 4), 255, np.uint8)  # alpha, red, green, blue
    colours = np.array(common.getpalette("RGB"), np.uint8).reshape(-1, 3)
    table[: len(colours), 1:] = colours
    for frame in frames:
        picture = Image.fromarray(np.ascontiguousarray(frame))
        shown = picture.quantize(palette=common, dither=Image.Dither.NONE)
        indexed: Any = (np.asarray(shown), table)  # PyAV's types do not know of the pair
        yield VideoFrame.from_ndarray(indexed, format="pal8")
