"""Frames with drawings on them, written as a video or a GIF."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.errors import ConfigError
from rstan_lite.show.pixels import common_peak, overlay

# container -> codec, pixel format
KINDS = {".mp4": ("libx264", "yuv420p"), ".avi": ("mpeg4", "yuv420p"), ".gif": ("gif", "rgb8")}


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

    A video's height and width are cut to even numbers, which its pixel format demands. Raises
    ConfigError for another ending, StoreError where the disk is full.
    """
    import av

    from rstan_lite.files import write_atomically

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
        for frame in frames:
            cut = np.ascontiguousarray(frame[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(cut, format="rgb24")))
        container.mux(stream.encode())
    write_atomically(path, buffer.getvalue())
    return path
