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
    """x: (..., k).  weight: (m, k), of any strides.  Returns (..., m), in the weight's type.

    In float32 on a CPU a large product goes through oneDNN, which uses the widest registers of
    every maker's processors and reads transposed matrices as they are; torch's own choice, MKL,
    uses them on Intel's alone.
    """
    x = x.to(weight.dtype)
    large = x.numel() * weight.shape[0] >= SMALLEST
    if large and x.device.type == "cpu" and x.dtype == torch.float32 and has_onednn():
        found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
        return found
    return functional.linear(x, weight)
