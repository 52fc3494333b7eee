"""Silhouettes: JHMDB's mask files, and the target M of Eq. 18."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rstan_lite.data.splits import check_name
from rstan_lite.data.video import read_images
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.reading import check_regular, read_matlab

# Copies of JHMDB made from its PNG frames can lack the masks of the last frames.
MAX_REPEATED = 8
KEY = "part_mask"
MASKS = "masks"  # the folder of masks in a data set that came without
BYTES_A_PIXEL, SMALL = 16, 2**24  # a double takes 8; masks may be longer than their clip


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
    masks = np.atleast_3d(read_matlab(path, KEY, DataError, most))  # (H, W, F)
    masks = masks.transpose(2, 0, 1) if masks.ndim == 3 else masks
    return check_masks(path, masks, shape, repeat_last)


def masks_in(folder: Path) -> Iterator[tuple[tuple[str, str], Path]]:
    """((class, clip), path) of every silhouette file or folder of PNG images below `MASKS`."""
    for path in sorted(folder.glob("*/*")):
        if path.is_dir() or path.suffix in (".mat", ".npz"):
            name = path.name if path.is_dir() else path.stem
            yield (check_name(str(path), path.parent.name), check_name(str(path), name)), path


def read_any_masks(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """`read_masks` of what `masks_in` finds: a .mat or .npz file, or a folder of images."""
    if path.is_dir():
        return check_masks(path, read_images(path).max(-1), shape)
    if path.suffix == ".mat":
        return read_masks(path, shape)
    return check_masks(path, _array(path), shape)


def _array(path: Path) -> np.ndarray:
    """The one array of an .npz file."""
    expected = "an .npz file with one array (F, H, W)"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if len(arrays.files) != 1:
                raise DataError(path, f"{len(arrays.files)} arrays", expected)
            return np.asarray(arrays[arrays.files[0]])
    except (ValueError, EOFError, KeyError) as error:
        raise DataError(path, f"an unreadable file ({error})", expected) from error


def check_masks(
    path: Path, masks: np.ndarray, shape: tuple[int, ...], repeat_last: bool = False
) -> np.ndarray:
    """Masks (F, H, W) of a file as uint8 of {0, 1}, as many as the frames; see `read_masks`."""
    frames, height, width = shape
    if masks.ndim != 3 or masks.shape[1:] != (height, width) or masks.dtype.kind not in "biuf":
        found = f"masks (F, H, W) of shape {masks.shape}, type {masks.dtype}"
        raise DataError(path, found, f"numbers of shape (F, {height}, {width}) like the frames")
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


def target(masks: np.ndarray, k: int) -> np.ndarray:
    """M of Eq. 18: the silhouette on the K x K places of the attention map.

    masks: uint8 (T, h, w) of {0, 1}, after the transform that the frames went through. k: K.
    A place counts when any silhouette pixel falls into it (asking for a share of the place loses
    small people altogether); each of the N_box such places gets 1/N_box, others 0.
    Returns float32 (T, K * K), row-major; a row sums to 1, or to 0 where the frame shows no one.
    """
    steps, height, width = masks.shape
    side = min(height, width)
    if k < 1 or k > side:
        raise ConfigError("k", str(k), f"between 1 and {side}, the mask's side")
    # places in pixels: a pixel that straddles two places counts for both
    rows, columns = (
        [slice(i * s // k, -(-(i + 1) * s // k)) for i in range(k)] for s in (height, width)
    )
    touched = np.zeros((steps, k, k), np.float32)
    for i, j in np.ndindex(k, k):
        touched[:, i, j] = masks[:, rows[i], columns[j]].any(axis=(1, 2))
    flat = touched.reshape(steps, k * k)
    return flat / np.maximum(flat.sum(1, keepdims=True), 1)
