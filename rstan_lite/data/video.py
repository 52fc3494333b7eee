"""A clip's frames, from a video file or a folder of images; what is no short clip is refused."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np

from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import check_regular

MAX_BYTES = 4 * 2**30  # decoded RGB of one clip; past this a file is no short clip
MAX_PIXELS = 2**26  # of one frame, 8192 x 8192
SUFFIXES = (".png", ".jpg", ".jpeg")
IMAGE = "a PNG or JPEG frame"
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


def read_images(folder: Path) -> np.ndarray:
    """The frames of a folder of PNG or JPEG images, in the order of the numbers in their names.

    Returns uint8 RGB (F, H, W, 3).
    Raises DataError for a folder without images or with both kinds, an image that does not decode,
    images of several sizes, and more pixels than a short clip has.
    """
    names = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES]
    names = sorted((p for p in names if not p.name.startswith(".")), key=_by_number)
    if not names:
        raise DataError(folder, "0 PNG or JPEG frames", "at least one frame")
    if len({p.suffix.lower() == ".png" for p in names}) > 1:
        raise DataError(folder, "both PNG and JPEG frames", "one kind: no frame twice")
    frames: list[np.ndarray] = []
    for name in names:
        frame = _read_image(name)
        if frames and frame.shape != frames[0].shape:
            raise DataError(name, f"a frame of {frame.shape}", f"{frames[0].shape} like the first")
        if frame.nbytes * len(frames) > MAX_BYTES:
            raise DataError(folder, f"more than {MAX_BYTES >> 30} GiB of frames", "a short clip")
        frames.append(frame)
    return np.stack(frames)


def _read_image(path: Path) -> np.ndarray:
    """One image, uint8 RGB (H, W, 3). Raises DataError as `read_images` does."""
    from PIL import Image, UnidentifiedImageError

    check_regular(path, DataError, IMAGE)
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as header:  # of which it reads the header
            width, height = header.size
    except UnidentifiedImageError as error:
        raise DataError(path, "an image that does not decode", IMAGE) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(path, f"an image that does not decode ({error})", IMAGE) from error
    if width * height > MAX_PIXELS:
        raise DataError(path, f"{width} x {height} pixels", f"at most {MAX_PIXELS} in all")
    data = np.fromfile(path, dtype=np.uint8)
    frame = cast("np.ndarray | None", cv2.imdecode(data, cv2.IMREAD_COLOR))
    if frame is None:
        raise DataError(path, "an image that does not decode", IMAGE)
    return frame[..., ::-1]


def _by_number(path: Path) -> list[tuple[int, str]]:
    """frame2 before frame10: digits compare by their value, all else as text."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
