"""The fast recurrence behind the interface of the plain one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from rstan_lite.model.config import RSTANConfig
from rstan_lite.model.context import join_diagonals, record_attention
from rstan_lite.model.fast.forward import Scores
from rstan_lite.model.fast.inputs import Setup
from rstan_lite.model.fast.kernels import kernel_for
from rstan_lite.model.fast.recurrence import recur
from rstan_lite.model.output import Attention
from rstan_lite.model.parameters import Stream
from rstan_lite.model.plain import Recurred


def run_fast(
    config: RSTANConfig,
    streams: Mapping[str, Stream],
    cubes: Mapping[str, Tensor],
    vectors: Mapping[str, Tensor],
    frame_mask: Tensor | None,
    dropout: float,
    return_attention: bool,
) -> Recurred:
    """What run_plain computes; the arguments are the same.

    Dropout of Phi is drawn before the loop, in the plain loop's order, so that a seed gives both
    the same masks in float32 and float64. Gradients can be taken once, not twice.
    """
    first = vectors[config.streams[0]]
    device, kind = first.device, streams[config.streams[0]].b.dtype
    autocast = torch.is_autocast_enabled(device.type)
    setup = Setup(
        config=config,
        frame_mask=frame_mask,
        masks=_masks(config, first, kind, dropout) if cubes and dropout else None,
        low=torch.get_autocast_dtype(device.type) if autocast else kind,
        keep=False,
        record=return_attention and bool(cubes),
        kernel=kernel_for(device),
    )
    tensors: list[Tensor] = []
    for s, p in streams.items():
        given = {"x": vectors[s]} | ({"cubes": cubes[s]} if cubes else {})
        # by attribute: a parameter may be tied to another, or computed from others
        tensors += [given[name] if name in given else getattr(p, name) for name in setup.names]
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    hidden, diagonal, scores = recur(replace(setup, keep=keep), tensors)
    by_stream = {s: hidden[:, i].transpose(0, 1).contiguous() for i, s in enumerate(streams)}
    if not cubes:
        return Recurred(by_stream, None, None)
    maps = _by_stream(config, diagonal)
    return Recurred(
        by_stream,
        join_diagonals(config, maps, frame_mask),
        None if scores is None else _attention(config, scores, frame_mask),
    )


def _masks(
    config: RSTANConfig, like: Tensor, kind: torch.dtype, dropout: float
) -> list[list[Tensor]]:
    """What dropout multiplies Phi by at each step and stream, (B, d_cv)."""
    videos, steps = like.shape[:2]
    ones = {s: like.new_ones(videos, config.d_cv[s], dtype=kind) for s in config.streams}
    return [[functional.dropout(ones[s], dropout) for s in config.streams] for _ in range(steps)]


def _by_stream(config: RSTANConfig, values: Tensor) -> dict[str, Tensor]:
    """(T, S or 1, B, ...) as (B, T, ...) of each stream."""
    return {s: values[:, i % values.shape[1]].transpose(0, 1) for i, s in enumerate(config.streams)}


def _attention(config: RSTANConfig, scores: Scores, frame_mask: Tensor | None) -> Attention:
    own = _by_stream(config, scores.alpha), _by_stream(config, scores.beta)
    used = _by_stream(config, scores.alpha_used), _by_stream(config, scores.beta_used)
    return record_attention(config, *own, *used, frame_mask)
