"""Products, and Eq. 3, 4, 6, 7, 14 and 15 on scores of all streams at once, with their gradients.

A leading axis S holds the streams; fused weights have one entry there, and broadcast.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Config = Any  # an RSTANConfig; its file stands above this folder
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


def fuse(config: Config, weights: Tensor) -> Tensor:
    """weights: (S, ..., K), each row summing to 1.  Returns (1, ..., K), or weights unfused."""
    if config.fusion == "none":
        return weights
    merge = torch.amax if config.fusion == "max" else torch.mean
    fused = merge(weights, 0, keepdim=True)
    return fused / fused.sum(-1, keepdim=True) if config.renormalize else fused


def fuse_backward(config: Config, weights: Tensor, grad: Tensor) -> Tensor:
    """Gradient of weights from that of what fuse returns. Equal maxima share it evenly."""
    if config.fusion == "none":
        return grad
    merged = weights.mean(0, keepdim=True) if config.fusion == "mean" else weights.amax(0, True)
    if config.renormalize:
        total = merged.sum(-1, keepdim=True)
        grad = (grad - (grad * merged).sum(-1, keepdim=True) / total) / total
    if config.fusion == "mean":
        return (grad / len(weights)).expand_as(weights)
    largest = weights == merged
    return largest * (grad / largest.sum(0, keepdim=True))


def softmax(scores: Tensor, gamma: float, valid: Tensor | None = None) -> Tensor:
    """softmax(gamma s) over the last axis, at least float32; valid: False entries get 0."""
    scores = gamma * scores.to(torch.promote_types(scores.dtype, torch.float32))
    if valid is not None:
        scores = scores.masked_fill(~valid, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1)


def softmax_backward(weights: Tensor, grad: Tensor, gamma: float) -> Tensor:
    """Gradient of the scores s of softmax(gamma s) over the last axis."""
    inner = (weights * grad).sum(-1, keepdim=True)
    return (grad - inner).mul_(weights).mul_(gamma)


def pooled(weights: Tensor, values: Tensor) -> Tensor:
    """Weighted sums of rows: weights (..., K), values (..., K, d).  Returns (..., d) (Eq. 4, 7)."""
    return (weights[..., None, :].to(values.dtype) @ values)[..., 0, :]


def pooled_backward(grad: Tensor, values: Tensor) -> Tensor:
    """Gradient of pooled's weights: grad (..., d), values (..., K, d).  Returns (..., K)."""
    # The turned row, and not the same numbers as a column: MKL is several times slower with that.
    return (values @ grad[..., None, :].to(values.dtype).mT)[..., 0]
