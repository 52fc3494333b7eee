"""x W^T for a matrix that is multiplied again and again."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST = 1 << 22  # products in x W^T from which oneDNN's overhead, some 30 us, is repaid


class Product:
    """A matrix W (m, k), held as its multiplication is fastest.

    In float32 on a CPU a large one goes through oneDNN, which uses the widest registers of every
    maker's processors; torch's own choice, MKL, does so on Intel's alone.
    """

    def __init__(self, weight: Tensor, rows: int) -> None:
        """rows: number of rows that x has."""
        self.onednn = (
            weight.device.type == "cpu"
            and weight.dtype == torch.float32
            and rows * weight.numel() >= SMALLEST
            and torch.backends.mkldnn.is_available()
        )
        self.weight = weight.contiguous().to_mkldnn() if self.onednn else weight

    def __call__(self, x: Tensor) -> Tensor:
        """x: (..., k), turned into the matrix's type.  Returns (..., m)."""
        if self.onednn:
            return functional.linear(x.contiguous().to_mkldnn(), self.weight).to_dense()
        return functional.linear(x.to(self.weight.dtype), self.weight)
