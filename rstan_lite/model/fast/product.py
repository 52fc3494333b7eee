"""x W^T, by the fastest multiplication at hand."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST = 1 << 21  # multiplications from which oneDNN's overhead, some 10 us, is repaid


def has_onednn() -> bool:
    """Whether this build of torch can hand a product of plain tensors to oneDNN."""
    known = hasattr(torch.ops.mkldnn, "_linear_pointwise")  # what torch.compile uses
    return known and torch.backends.mkldnn.is_available()


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x (..., k) times the transpose of weight (m, k), of any strides: (..., m), in weight's type.

    In float32 on a CPU a large product goes through oneDNN, which uses the widest registers of
    every maker's processors; torch's own choice, MKL, uses them on Intel's alone. Matrices with
    gaps are copied first: oneDNN's way with them is hundreds of times slower.
    """
    x = x.to(weight.dtype)
    large = x.numel() * weight.shape[0] >= SMALLEST
    if large and x.device.type == "cpu" and x.dtype == torch.float32 and has_onednn():
        x, weight = without_gaps(x), without_gaps(weight)
        found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
        return found
    return functional.linear(x, weight)


def without_gaps(matrix: Tensor) -> Tensor:
    """A tensor as it is where its numbers, or its transpose's, fill their memory; else a copy."""
    if matrix.is_contiguous() or (matrix.ndim == 2 and matrix.T.is_contiguous()):
        return matrix
    return matrix.contiguous()
