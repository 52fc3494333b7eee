"""Silhouettes: JHMDB's mask files, and the target M of Eq. 18."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np

from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.reading import check_regular

# Copies of JHMDB made from its PNG frames can lack the masks of the last frames.
MAX_REPEATED = 8
KEY = "part_mask"
NUMBERS = ("uint8", "logical", "double", "single", "int8", "int16", "uint16", "int32", "uint32",
           "int64", "uint64")  # fmt: skip
BYTES_A_PIXEL, SMALL = 16, 2**24  # a double takes 8; masks may be longer than their clip
HEADER, COMPRESSED, CHUNK = 128, 15, 2**20  # of a MATLAB 5 file: bytes, a type of element


def read_masks(path: str | Path, shape: tuple[int, ...], repeat_last: bool = False) -> np.ndarray:
    """Read JHMDB's `puppet_mask.mat`.

    shape: the frames' (F, H, W). repeat_last: a file short of up to MAX_REPEATED frames repeats its
    last mask, with a warning (for folders of PNG frames).
    Returns uint8 (F, H, W) of {0, 1}.
    Raises DataError for a file that is missing, unreadable, of another shape, too short, or empty.
    """
    path = Path(path)
    frames, height, width = shape
    most = BYTES_A_PIXEL * height * width * frames + SMALL
    check_regular(path, DataError, "a silhouette file puppet_mask.mat", most=most)
    masks = np.atleast_3d(_read_variable(path, most))  # (H, W, F)
    return check_masks(
        path, masks.transpose(2, 0, 1) if masks.ndim == 3 else masks, shape, repeat_last
    )


def check_masks(
    path: Path, masks: np.ndarray, shape: tuple[int, ...], repeat_last: bool = False
) -> np.ndarray:
    """Masks (F, H, W) of a file as uint8 of {0, 1}, as many as the frames; see `read_masks`."""
    frames, height, width = shape
    if masks.ndim != 3 or masks.shape[1:] != (height, width) or masks.dtype.kind not in "biuf":
        raise DataError(
            path,
            f"masks (F, H, W) of shape {masks.shape}, type {masks.dtype}",
            f"numbers of shape (F, {height}, {width}) like the frames",
        )
    if masks.dtype.kind == "f" and not np.isfinite(masks).all():
        raise DataError(path, "numbers that are not finite", "1 on the actor, 0 elsewhere")
    if not masks.any():
        raise DataError(path, "an empty silhouette in every frame", "an actor in some frame")
    masks = (masks != 0).astype(np.uint8)
    short = frames - len(masks)
    if short > 0 and repeat_last and short <= MAX_REPEATED:
        warnings.warn(f"{path}: masks end {short} frames early; the last is repeated", stacklevel=3)
        masks = np.concatenate([masks, np.repeat(masks[-1:], short, axis=0)])
    elif short > 0:
        raise DataError(path, f"{len(masks)} masks", f"{frames}, one for each frame")
    return masks[:frames]


def _read_variable(path: Path, most: int) -> np.ndarray:
    """`part_mask` of a MATLAB 5 file, of at most so many bytes once unpacked."""
    from scipy.io import loadmat, whosmat  # slow to import: only where a mask is read

    expected = f"a MATLAB 5 file with the key {KEY}"
    try:
        _check_unpacked(path, most)
        kinds = {name: kind for name, _, kind in whosmat(path)}
        if kinds.get(KEY, NUMBERS[0]) not in NUMBERS:  # SciPy nests with cells until it crashes
            raise DataError(path, f"{KEY} of class {kinds[KEY]}", "numbers")
        content = loadmat(path, variable_names=[KEY])
    except DataError:
        raise
    except Exception as error:  # SciPy raises a different type for each kind of damage
        raise DataError(path, f"an unreadable file ({error})", expected) from error
    if KEY not in content:
        raise DataError(path, f"no key {KEY}", f"the key {KEY} (H, W, F)")
    return content[KEY]


def _check_unpacked(path: Path, most: int) -> None:
    """Raise DataError where a file's compressed elements hold more than `most` bytes together."""
    left = most
    with path.open("rb") as file:
        head = file.read(HEADER)
        order = ">" if head[-2:] == b"MI" else "<"
        while len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind != COMPRESSED:
                file.seek(size, os.SEEK_CUR)
                continue
            unpacker, data = zlib.decompressobj(), file.read(size)
            while data and left >= 0 and not unpacker.eof:
                left -= len(unpacker.decompress(data, CHUNK))
                data = unpacker.unconsumed_tail
            if left < 0:
                raise DataError(path, f"more than {most} bytes once unpacked", "a clip's masks")


def target(masks: np.ndarray, k: int) -> np.ndarray:
    """M of Eq. 18: the silhouette on the K x K places of the attention map.

    masks: uint8 (T, h, w) of {0, 1}, after the transform that the frames went through.
    k: K, the side of the convolutional cube.
    A place counts when any silhouette pixel falls into it (asking for a share of the place loses
    small people altogether); each such place gets 1/N_box, N_box being their number, others 0.
    Returns float32 (T, K * K), row-major; a row sums to 1, or to 0 where the frame shows no one.
    """
    steps, height, width = masks.shape
    if k < 1 or k > min(height, width):
        raise ConfigError("k", str(k), f"between 1 and {min(height, width)}, the mask's side")
    # places in pixels: a pixel that straddles two places counts for both
    rows, columns = (
        [slice(i * side // k, -(-(i + 1) * side // k)) for i in range(k)]
        for side in (height, width)
    )
    touched = np.zeros((steps, k, k), dtype=np.float32)
    for i, j in np.ndindex(k, k):
        touched[:, i, j] = masks[:, rows[i], columns[j]].any(axis=(1, 2))
    flat = touched.reshape(steps, k * k)
    n_box = flat.sum(axis=1, keepdims=True)
    return np.divide(flat, n_box, out=np.zeros_like(flat), where=n_box > 0)
