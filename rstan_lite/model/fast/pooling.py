"""Eq. 3, 6, 14 and 15 on scores of all streams at once, and their gradients.

A leading axis S holds the streams; fused weights have one entry there, and broadcast.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rstan_lite.model.fast.tape import Config


def fuse(config: Config, weights: Tensor) -> Tensor:
    """weights: (S, ..., K), each row summing to 1.  Returns (1, ..., K), or weights unfused."""
    if config.fusion == "none":
        return weights
    fused = _merged(config, weights)
    return fused / fused.sum(-1, keepdim=True) if config.renormalize else fused


def fuse_backward(config: Config, weights: Tensor, grad: Tensor) -> Tensor:
    """Gradient of weights from that of what fuse returns. Equal maxima share it evenly."""
    if config.fusion == "none":
        return grad
    if config.renormalize:
        merged = _merged(config, weights)
        total = merged.sum(-1, keepdim=True)
        grad = (grad - (grad * merged).sum(-1, keepdim=True) / total) / total
    if config.fusion == "mean":
        return (grad / len(weights)).expand_as(weights)
    if len(weights) == 1:
        return grad
    largest = weights == weights.amax(0, keepdim=True)
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


def _merged(config: Config, weights: Tensor) -> Tensor:
    merge = torch.amax if config.fusion == "max" else torch.mean
    return merge(weights, 0, keepdim=True)


def pooled(weights: Tensor, values: Tensor) -> Tensor:
    """Weighted sums of rows: weights (..., K), values (..., K, d).  Returns (..., d) (Eq. 4, 7)."""
    flat = values.reshape(-1, *values.shape[-2:])
    found = torch.bmm(weights.reshape(-1, 1, weights.shape[-1]).to(flat.dtype), flat)
    return found.view(*values.shape[:-2], values.shape[-1])


def pooled_backward(grad: Tensor, values: Tensor) -> Tensor:
    """Gradient of pooled's weights: grad (..., d), values (..., K, d).  Returns (..., K)."""
    flat = values.reshape(-1, *values.shape[-2:])
    # The turned row, and not the same numbers as a column: MKL is several times slower with that.
    row = grad.reshape(-1, 1, grad.shape[-1]).to(flat.dtype)
    found = torch.bmm(flat, row.transpose(1, 2))
    return found.view(values.shape[:-1])
