"""Images in little space: each a PNG by itself, so that any one can be read without the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor

from rstan_lite.errors import DataError

# Run lengths at the lowest level: on flow smaller and faster than zlib's own search, on frames as
# small. Lossless WebP halves a frame once more, but takes twenty times as long to write.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


class Images:
    """Packed images, decoded one at a time: `len(images)`, `images.shape`, `images[i]`.

    data: uint8, the PNG files one after another. ends: int64 (n,), where each one ends. shape:
    int64 (3,) or (2,), that of an image.
    """

    def __init__(self, data: Tensor, ends: Tensor, shape: Tensor):
        self._data, self._ends = data.numpy(), [0, *ends.tolist()]
        self.shape = (len(ends), *shape.tolist())

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> np.ndarray:
        """Image i, uint8 (H, W, c) or (H, W)."""
        file = self._data[self._ends[i] : self._ends[i + 1]]
        image = cast("np.ndarray | None", cv2.imdecode(file, cv2.IMREAD_UNCHANGED))
        if image is None:
            raise DataError("a stored image", "bytes that do not decode", "a PNG file")
        if image.shape == self.shape[1:]:
            return image
        return image.reshape(self.shape[3], *self.shape[1:3]).transpose(1, 2, 0)


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
