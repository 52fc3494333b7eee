"""The fast recurrence as one differentiable function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rstan_lite.model.fast.backward import backward
from rstan_lite.model.fast.forward import Scores, forward
from rstan_lite.model.fast.inputs import Kept, Setup


def recur(setup: Setup, tensors: list[Tensor]) -> tuple[Tensor, Tensor, Scores | None]:
    """All steps of all streams.

    tensors: those of setup.names, one stream after another.
    Returns hidden states (T, S, B, d_h), used maps over each step's own frame (T, S or 1, B, P),
    empty without attention, and scores where setup.record asks for them. The first two can be
    differentiated, once.
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
