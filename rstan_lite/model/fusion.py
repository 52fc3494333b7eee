"""Where the streams meet: attention scores (Eq. 14-15) and the prediction (Eq. 16)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rstan_lite.system.errors import ConfigError


def fuse_scores(scores: Sequence[Tensor], fusion: str = "max", renormalize: bool = False) -> Tensor:
    """Merge the streams' attention scores: of places (Eq. 14) or of frames (Eq. 15).

    scores: one tensor a stream, all of one shape, each summing to 1 over the last axis.
    fusion: "max" as in the paper, or "mean".
    renormalize: divide by the sum over the last axis. Without it the "max" of two streams
        sums to between 1 and 2, and Eq. 4 and Eq. 7 use it like that.
    Returns one tensor of that shape. Raises ConfigError for another fusion.
    """
    stacked = torch.stack(tuple(scores))  # (S, ...)
    if fusion == "max":
        fused = stacked.amax(dim=0)
    elif fusion == "mean":
        fused = stacked.mean(dim=0)
    else:
        raise ConfigError("fusion", repr(fusion), "max or mean")
    return fused / fused.sum(dim=-1, keepdim=True) if renormalize else fused


def classify(hidden: Sequence[Tensor], W: Sequence[Tensor], b: Tensor) -> Tensor:
    """Class logits from all streams together: W_a h_a + W_m h_m + b_am of Eq. 16.

    hidden: (..., d_h) a stream.  W: (C, d_h) a stream.  b: (C,).
    Returns (..., C); their softmax is y_hat. It is left to the loss, which needs its logarithm.
    """
    logits = functional.linear(hidden[0], W[0], b)
    for h, weight in zip(hidden[1:], W[1:], strict=True):
        logits = logits + functional.linear(h, weight)
    return logits


def average_scores(stream_logits: Sequence[Tensor]) -> Tensor:
    """Fuse finished predictions: the logarithm of the streams' averaged softmax.

    stream_logits: (..., C) a stream.  Returns (..., C), whose softmax is that average.
    """
    logs = torch.stack([torch.log_softmax(logits, dim=-1) for logits in stream_logits])
    return torch.logsumexp(logs, dim=0) - math.log(len(stream_logits))
