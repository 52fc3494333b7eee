"""The fast recurrence: behind the plain one's interface, and as one differentiable function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from rstan_lite.model.fast.backward import backward
from rstan_lite.model.fast.choice import kernel_for
from rstan_lite.model.fast.forward import Scores, forward
from rstan_lite.model.fast.tape import Config, Kept, Setup
from rstan_lite.model.output import Attended, Recurred


def run_fast(
    config: Config,
    streams: Mapping[str, nn.Module],
    cubes: Mapping[str, Tensor],
    vectors: Mapping[str, Tensor],
    frames: Sequence[range],
    frame_mask: Tensor | None,
    dropout: float,
    return_attention: bool,
) -> Recurred:
    """What run_plain computes, from the same arguments; gradients can be taken once.

    Dropout of Phi is drawn before the loop, in the plain loop's order: a seed gives the same masks.
    """
    first = vectors[config.streams[0]]
    device, kind = first.device, next(streams[config.streams[0]].parameters()).dtype
    autocast = torch.is_autocast_enabled(device.type)
    setup = Setup(
        config=config,
        frames=frames,
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
        return Recurred(by_stream, {}, None)
    looks = None
    if scores is not None:
        alpha, beta = _by_stream(config, scores.alpha), _by_stream(config, scores.beta)
        alpha_used = _by_stream(config, scores.alpha_used)
        looks = Attended(alpha, alpha_used, beta, _by_stream(config, scores.beta_used), {})
    return Recurred(by_stream, _by_stream(config, diagonal), looks)


def _masks(config: Config, like: Tensor, kind: torch.dtype, dropout: float) -> list[list[Tensor]]:
    """What dropout multiplies Phi by at each step and stream, (B, d_cv)."""
    videos, steps = like.shape[:2]
    ones = {s: like.new_ones(videos, config.d_cv[s], dtype=kind) for s in config.streams}
    return [[functional.dropout(ones[s], dropout) for s in config.streams] for _ in range(steps)]


def _by_stream(config: Config, values: Tensor) -> dict[str, Tensor]:
    """(T, S or 1, B, ...) as (B, T, ...) of each stream."""
    return {s: values[:, i % values.shape[1]].transpose(0, 1) for i, s in enumerate(config.streams)}


def recur(setup: Setup, tensors: list[Tensor]) -> tuple[Tensor, Tensor, Scores | None]:
    """All steps of all streams; tensors: those of setup.names, one stream after another.

    Returns hidden states (T, S, B, d_h), used maps over each step's own frame (T, S or 1, B, P),
    empty without attention, and scores if setup.record. The first two can be differentiated, once.
    """
    with torch.autocast(tensors[0].device.type, enabled=False):  # types are set one by one here
        if setup.keep:
            hidden, diagonal = _Recurrence.apply(setup, *tensors)
            return hidden, diagonal, None
        kept, diagonal, scores = forward(setup, setup.by_name(tensors))
        return kept.h[1:], diagonal, scores


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, setup: Setup, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        kept, diagonal, _ = forward(setup, setup.by_name(tensors))
        ctx.setup, ctx.count, ctx.product_form = setup, len(tensors), kept.product_form
        mask = setup.frame_mask  # saved as well, so that autograd sees it if it changes meanwhile
        ctx.save_for_backward(*([] if mask is None else [mask]), *tensors, *kept.tensors())
        ctx.set_materialize_grads(False)
        return kept.h[1:].clone(), diagonal

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor | None, d_diagonal: Tensor | None) -> Any:
        setup, saved = ctx.setup, ctx.saved_tensors
        saved = saved if setup.frame_mask is None else saved[1:]
        kept = Kept.of(saved[ctx.count :], ctx.product_form)
        if d_hidden is None:
            d_hidden = torch.zeros_like(kept.h[1:])
        names, count = setup.names, len(setup.config.streams)
        needs = dict.fromkeys(names, False)
        for i, need in enumerate(ctx.needs_input_grad[1:]):
            needs[names[i % len(names)]] |= need
        wanted = {name for name in ("x", "cubes") if needs.get(name)}
        given = setup.by_name(saved[: ctx.count])
        with torch.autocast(d_hidden.device.type, enabled=False):
            found = backward(setup, given, kept, d_hidden, d_diagonal, wanted)
        empty: list[Tensor | None] = [None] * count
        by_stream = [found.get(name, empty)[s] for s in range(count) for name in names]
        return None, *by_stream
