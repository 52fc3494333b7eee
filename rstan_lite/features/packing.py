"""Images in little space: each a PNG by itself, so that any one can be read without the others."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor

from rstan_lite.system.errors import StoreError

# Run lengths at the lowest level: on flow smaller and faster than zlib's own search, on frames as
# small. Lossless WebP halves a frame once more, but takes twenty times as long to write.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


class Images:
    """Packed images, decoded one at a time: `len(images)`, `images.shape`, `images[i]`.

    data: uint8, the PNG files one after another. ends: int64 (n,), where each one ends. shape:
    int64 (3,) or (2,), that of an image. where: the file that they are from, for a complaint.
    Raises StoreError for what `pack` does not make.
    """

    def __init__(self, data: Tensor, ends: Tensor, shape: Tensor, where: str = "stored images"):
        self._data, self._where = data.numpy(), where
        fits = data.ndim == ends.ndim == shape.ndim == 1 and len(shape) in (2, 3)
        whole = ends.dtype == shape.dtype == torch.int64 and data.dtype == torch.uint8
        self._ends = [0, *ends.tolist()] if fits and whole else []
        if self._ends != sorted(self._ends) or self._ends[-1:] != [len(data)]:
            raise self._damaged()
        self.shape = (len(ends), *shape.tolist())

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> np.ndarray:
        """Image i, uint8 (H, W, c) or (H, W)."""
        file = self._data[self._ends[i] : self._ends[i + 1]]
        pixels = math.prod(self.shape[1:])
        width, height = struct.unpack(">II", file[16:24].tobytes()) if len(file) > 24 else (0, 0)
        if not 0 < width * height <= pixels:  # before anything is decoded, of whatever size
            raise self._damaged()
        image = cast("np.ndarray | None", cv2.imdecode(file, cv2.IMREAD_UNCHANGED))
        if image is None or image.size != pixels:
            raise self._damaged()
        if image.shape == self.shape[1:]:
            return image
        return image.reshape(self.shape[3], *self.shape[1:3]).transpose(1, 2, 0)

    def _damaged(self) -> StoreError:
        hint = "Remove it and run the same command again: only this clip is made anew."
        return StoreError(self._where, "images that do not decode", "packed PNG files", hint)


def pack(name: str, images: np.ndarray) -> dict[str, Tensor]:
    """Tensors to store: `<name>` and what `unpack` needs beside it.

    images: uint8 (n, H, W), (n, H, W, 3), or another number of channels, which become one picture
    below the other (PNG has no two channels).
    """
    if images.ndim == 4 and images.shape[3] != 3:
        pictures = images.transpose(0, 3, 1, 2).reshape(len(images), -1, images.shape[2])
    else:
        pictures = images
    files = [cv2.imencode(".png", picture, _PNG)[1].ravel() for picture in pictures]
    return {
        name: torch.from_numpy(np.concatenate(files)),
        f"{name}.ends": torch.tensor([len(file) for file in files]).cumsum(0),
        f"{name}.shape": torch.tensor(images.shape[1:]),
    }
