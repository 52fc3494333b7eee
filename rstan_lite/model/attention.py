"""Spatial-temporal attention of one stream: Eq. 1-7, one small function an equation.

Shapes: B videos, N attended frames, P = K * K places of a cube.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def cube_places(maps: Tensor) -> Tensor:
    """Read a cube as its P place vectors, row by row (Eq. 1).

    maps: (..., d_cv, K, K) feature maps as a convolutional network gives them.
    Returns (..., P, d_cv); place k = row * K + column.
    """
    return maps.flatten(-2).transpose(-1, -2)


def project_cubes(cubes: Tensor, A_cv: Tensor) -> Tensor:
    """A_cv CV of Eq. 2 for all frames at once: it is the same at every step.

    cubes: (B, T, P, d_cv).  A_cv: (d_att, d_cv).  Returns (B, T, P, d_att).
    """
    return functional.linear(cubes, A_cv)


def location_scores(h: Tensor, projected: Tensor, A_h: Tensor, v_a: Tensor, b_a: Tensor) -> Tensor:
    """Score each place of each frame against the previous hidden state (Eq. 2).

    h: (B, d_h) hidden state of the step before.
    projected: (B, N, P, d_att) from project_cubes.
    A_h: (d_att, d_h).  v_a, b_a: (d_att,).
    Returns un-normalised scores (B, N, P).
    """
    guide = functional.linear(h, A_h, b_a)[:, None, None, :]  # (B, 1, 1, d_att)
    return torch.tanh(projected + guide) @ v_a


def sharpened_softmax(scores: Tensor, gamma: float = 1.0, valid: Tensor | None = None) -> Tensor:
    """Normalise scores over their last axis with sharpness gamma (Eq. 3 and Eq. 6).

    exp(s)**gamma / sum exp(s)**gamma is softmax(gamma * s), written so that it can't overflow.
    scores: any shape.  gamma: 0 or more.
    valid: bool, broadcast against scores; False entries get exactly 0. Where a whole row is
        False the result is uniform, not NaN: such a row belongs to a padded step, whose
        result is thrown away, and NaN would survive in the gradient.
    Returns the shape of scores, in float32 at least, since bfloat16 keeps too few digits here.
    """
    scores = gamma * scores.to(torch.promote_types(scores.dtype, torch.float32))
    if valid is not None:
        scores = scores.masked_fill(~valid, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1)


def gather_places(alpha: Tensor, cubes: Tensor) -> Tensor:
    """Weigh the places of each frame (Eq. 4).

    alpha: (B, N, P), a stream's own or the fused one.  cubes: (B, N, P, d_cv).
    Returns L (B, N, d_cv).
    """
    return torch.einsum("bnp,bnpd->bnd", alpha, cubes)


def attend_places(scores: Tensor, cubes: Tensor, gamma: float = 1.0) -> tuple[Tensor, Tensor]:
    """Summarise each frame by its attended places (Eq. 3-4).

    scores: (B, N, P) un-normalised location scores of Eq. 2.
    cubes: (B, N, P, d_cv) convolutional cubes.
    gamma: sharpness; 0 averages over places, a large value picks one.
    Returns alpha (B, N, P), which sums to 1 over P, and L (B, N, d_cv).
    """
    alpha = sharpened_softmax(scores, gamma)  # Eq. 3
    return alpha, gather_places(alpha, cubes)  # Eq. 4


def frame_scores(
    h: Tensor, L: Tensor, B_h: Tensor, B_L: Tensor, v_b: Tensor, b_b: Tensor
) -> Tensor:
    """Score each attended frame against the previous hidden state (Eq. 5).

    h: (B, d_h).  L: (B, N, d_cv).  B_h: (d_att, d_h).  B_L: (d_att, d_cv).  v_b, b_b: (d_att,).
    Returns un-normalised scores (B, N).
    """
    guide = functional.linear(h, B_h, b_b)[:, None, :]  # (B, 1, d_att)
    return torch.tanh(functional.linear(L, B_L) + guide) @ v_b


def gather_frames(beta: Tensor, L: Tensor) -> Tensor:
    """Weigh the frames (Eq. 7).

    beta: (B, N), a stream's own or the fused one.  L: (B, N, d_cv).
    Returns the context Phi (B, d_cv).
    """
    return torch.einsum("bn,bnd->bd", beta, L)


def attend_frames(
    scores: Tensor, L: Tensor, gamma: float = 1.0, valid: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Summarise the attended frames by one context vector (Eq. 6-7).

    scores: (B, N) un-normalised frame scores of Eq. 5.  L: (B, N, d_cv).
    gamma: sharpness.  valid: (B, N) bool, False for padding, which gets a score of 0.
    Returns beta (B, N), which sums to 1 over N, and Phi (B, d_cv).
    """
    beta = sharpened_softmax(scores, gamma, valid)  # Eq. 6
    return beta, gather_frames(beta, L)  # Eq. 7
