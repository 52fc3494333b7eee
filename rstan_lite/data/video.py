"""Decode a video file into frames, counting what the decoder returns."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np

from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import check_regular

MAX_BYTES = 4 * 2**30  # decoded RGB of one clip; past this a file is no short clip
MAX_PIXELS = 2**26  # of one frame, 8192 x 8192
STRICT = {"err_detect": "explode"}  # else FFmpeg paints over damage, and most of it goes unseen


def read_frames(path: str | Path, most: int = MAX_BYTES) -> np.ndarray:
    """Decode every frame of a video.

    path: any file that FFmpeg reads. most: bytes that its decoded frames may take.
    Returns uint8 RGB (F, H, W, 3). F is the number of frames decoded: the count in an AVI header
    is not to be trusted (every JHMDB clip overstates its own).
    Raises DataError for a file that is missing, cut short, without a frame, or damaged.
    """
    path = Path(path)
    check_regular(path, DataError, "a video file")
    frames: list[np.ndarray] = []
    try:
        _check_riff(path)
        # a file object and no protocols: a playlist can't have other files or addresses opened
        with path.open("rb") as file, av.open(file, options={"protocol_whitelist": "none"}) as box:
            if not box.streams.video:
                raise DataError(path, "no video stream", "a file with a video stream")
            codec = box.streams.video[0].codec_context
            codec.options = {"max_pixels": str(MAX_PIXELS), **STRICT}
            used = 0
            for frame in box.decode(video=0):  # type: ignore[union-attr]
                used += 3 * frame.width * frame.height
                if used > most:
                    raise DataError(
                        path,
                        f"more than {most >> 20} MiB of decoded frames",
                        "a short clip",
                        "Cut the video first.",
                    )
                if frame.is_corrupt:
                    raise ValueError(f"frame {len(frames)} is damaged")
                frames.append(frame.to_ndarray(format="rgb24"))
    except DataError:
        raise
    except Exception as error:  # of the decoder, of the disk, or for lack of memory
        raise DataError(
            path,
            f"{len(frames)} frames, then a decoder error ({error})",
            "a video that decodes to its end",
            "Copy or download the file again.",
        ) from error
    if not frames:
        raise DataError(path, "0 frames", "at least one frame", "Copy or download the file again.")
    shapes = {frame.shape for frame in frames}
    if len(shapes) > 1:
        raise DataError(path, f"frames of several sizes {sorted(shapes)}", "one frame size")
    return np.stack(frames)


def _check_riff(path: Path) -> None:
    """Refuse an AVI shorter than its own RIFF header says: FFmpeg would decode it in silence."""
    with path.open("rb") as file:
        head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:12] != b"AVI ":
        if path.suffix.lower() == ".avi":
            raise DataError(path, "no RIFF/AVI header", "an AVI file")
        return
    expected, size = struct.unpack("<I", head[4:8])[0] + 8, path.stat().st_size
    if size < expected:
        raise DataError(
            path,
            f"{size} bytes: the file is cut short",
            f"the {expected} bytes of its header",
            "Copy or download the file again.",
        )
