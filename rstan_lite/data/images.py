"""Read a folder of frames, refusing what would fill the memory before it is decoded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from rstan_lite.data.video import MAX_BYTES, MAX_PIXELS
from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import check_regular

SUFFIXES = (".png", ".jpg", ".jpeg")
EXPECTED = "a PNG or JPEG frame"


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
        frame = read_image(name)
        if frames and frame.shape != frames[0].shape:
            raise DataError(name, f"a frame of {frame.shape}", f"{frames[0].shape} like the first")
        if frame.nbytes * len(frames) > MAX_BYTES:
            raise DataError(folder, f"more than {MAX_BYTES >> 30} GiB of frames", "a short clip")
        frames.append(frame)
    return np.stack(frames)


def read_image(path: Path) -> np.ndarray:
    """One image, uint8 RGB (H, W, 3). Raises DataError as `read_images` does."""
    from PIL import Image, UnidentifiedImageError

    check_regular(path, DataError, EXPECTED)
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as header:  # of which it reads the header
            width, height = header.size
    except UnidentifiedImageError as error:
        raise DataError(path, "an image that does not decode", EXPECTED) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(path, f"an image that does not decode ({error})", EXPECTED) from error
    if width * height > MAX_PIXELS:
        raise DataError(path, f"{width} x {height} pixels", f"at most {MAX_PIXELS} in all")
    data = np.fromfile(path, dtype=np.uint8)
    frame = cast("np.ndarray | None", cv2.imdecode(data, cv2.IMREAD_COLOR))
    if frame is None:
        raise DataError(path, "an image that does not decode", EXPECTED)
    return frame[..., ::-1]


def _by_number(path: Path) -> list[tuple[int, str]]:
    """frame2 before frame10: digits compare by their value, all else as text."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
