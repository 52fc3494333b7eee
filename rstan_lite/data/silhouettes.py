"""Silhouettes: JHMDB's mask files, and the target M of Eq. 18."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from rstan_lite.errors import ConfigError, DataError

# Copies of JHMDB made from its PNG frames can lack the masks of the last frames.
MAX_REPEATED = 8


def read_masks(path: str | Path, shape: tuple[int, ...], repeat_last: bool = False) -> np.ndarray:
    """Read JHMDB's `puppet_mask.mat`.

    shape: the frames' (F, H, W). repeat_last: a file short of up to MAX_REPEATED frames repeats its
    last mask, with a warning (for folders of PNG frames).
    Returns uint8 (F, H, W) of {0, 1}.
    Raises DataError for a file that is missing, unreadable, of another shape, too short, or empty.
    """
    from scipy.io import loadmat  # slow to import: only where a mask is read

    path = Path(path)
    frames, height, width = shape
    if not path.is_file():
        raise DataError(path, "no such file", "a silhouette file puppet_mask.mat")
    try:
        content = loadmat(path, variable_names=["part_mask"])
    except Exception as error:  # SciPy raises a different type for each kind of damage
        raise DataError(
            path, f"an unreadable file ({error})", "a MATLAB 5 file with the key part_mask"
        ) from error
    if "part_mask" not in content:
        raise DataError(path, "no key part_mask", "the key part_mask (H, W, F)")
    masks = np.atleast_3d(content["part_mask"])
    if masks.ndim != 3 or masks.shape[:2] != (height, width) or masks.dtype.kind not in "biuf":
        raise DataError(
            path,
            f"part_mask of shape {masks.shape}, type {masks.dtype}",
            f"numbers of shape ({height}, {width}, F) like the frames",
        )
    if not masks.any():
        raise DataError(path, "an empty silhouette in every frame", "an actor in some frame")
    masks = (masks.transpose(2, 0, 1) != 0).astype(np.uint8)  # (F, H, W)
    short = frames - len(masks)
    if short > 0 and repeat_last and short <= MAX_REPEATED:
        warnings.warn(f"{path}: masks end {short} frames early; the last is repeated", stacklevel=2)
        masks = np.concatenate([masks, np.repeat(masks[-1:], short, axis=0)])
    elif short > 0:
        raise DataError(path, f"{len(masks)} masks", f"{frames}, one for each frame")
    return masks[:frames]


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
    first = [int(np.floor(i * height / k)) for i in range(k)]
    left = [int(np.floor(j * width / k)) for j in range(k)]
    bottom = [int(np.ceil((i + 1) * height / k)) for i in range(k)]
    right = [int(np.ceil((j + 1) * width / k)) for j in range(k)]
    touched = np.zeros((steps, k, k), dtype=np.float32)
    for i in range(k):
        for j in range(k):
            touched[:, i, j] = masks[:, first[i] : bottom[i], left[j] : right[j]].any(axis=(1, 2))
    flat = touched.reshape(steps, k * k)
    n_box = flat.sum(axis=1, keepdims=True)
    return np.divide(flat, n_box, out=np.zeros_like(flat), where=n_box > 0)
