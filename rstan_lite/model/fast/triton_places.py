"""Eq. 2 and its gradient as Triton kernels, for a GPU. places.py has the derivation.

A program reads a block of rows of A_cv CV once and keeps r in registers; what it sums over rows is
added up afterwards, so that the same input always gives the same bits. No GPU was at hand: the
kernels are tested by Triton's interpreter, and their speed is unmeasured.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 4096  # numbers of A_cv CV that a program reads


@triton.jit
def _plus(one, other):  # type: ignore[no-untyped-def]
    return one + other


@triton.jit
def _scores(a_ptr, g_ptr, v_ptr, out_ptr, rows, videos, clip, D, R: tl.constexpr, W: tl.constexpr):  # type: ignore[no-untyped-def]
    pair = tl.program_id(0).to(tl.int64)  # of a stream and a video
    row, unit = tl.program_id(1) * R + tl.arange(0, R), tl.arange(0, W)
    here, inside = (row < rows)[:, None] & (unit < D)[None, :], unit < D
    g = tl.load(g_ptr + pair * D + unit, mask=inside, other=0.0)
    v = tl.load(v_ptr + (pair // videos) * D + unit, mask=inside, other=0.0)
    a = tl.load(a_ptr + pair * clip + row[:, None] * D + unit[None, :], mask=here, other=0.0)
    r = 1 / (1 + tl.exp(2 * (a.to(g.dtype) + g[None, :])))
    tl.store(out_ptr + pair * rows + row, tl.reduce(-2 * v[None, :] * r, 1, _plus), mask=row < rows)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    a_ptr, g_ptr, q_ptr, da_ptr, dg_ptr, dv_ptr, rows, clip, D, R: tl.constexpr, W: tl.constexpr
):
    pair = tl.program_id(0).to(tl.int64)
    row, unit = tl.program_id(1) * R + tl.arange(0, R), tl.arange(0, W)
    here, inside = (row < rows)[:, None] & (unit < D)[None, :], unit < D
    g = tl.load(g_ptr + pair * D + unit, mask=inside, other=0.0)
    q = tl.load(q_ptr + pair * rows + row, mask=row < rows, other=0.0)
    at = pair * clip + row[:, None] * D + unit[None, :]
    a = tl.load(a_ptr + at, mask=here, other=0.0)
    r = 1 / (1 + tl.exp(2 * (a.to(g.dtype) + g[None, :])))
    qw = q[:, None] * r * (1 - r)
    tl.store(da_ptr + at, tl.load(da_ptr + at, mask=here, other=0.0) + qw, mask=here)
    slot = (pair * tl.num_programs(1) + tl.program_id(1)) * D + unit
    tl.store(dg_ptr + slot, tl.reduce(qw, 0, _plus), mask=inside)
    tl.store(dv_ptr + slot, tl.reduce(q[:, None] * r, 0, _plus), mask=inside)


class TritonKernel:
    """The Kernel of places.py on a GPU."""

    def __init__(self, a: Tensor, v: Tensor) -> None:
        """a: A_cv CV, contiguous (S, B, T, P, d_att), in any float type.  v: (S, d_att)."""
        self.a, self.v = a, v.contiguous()
        self.dv = torch.zeros_like(self.v)
        self.da: Tensor | None = None
        self.width = triton.next_power_of_2(a.shape[-1])
        self.tile = max(1, TILE // self.width)

    def scores(self, guide: Tensor, frames: range) -> Tensor:
        S, B, _, P, D = self.a.shape
        found = guide.new_empty(S, B, len(frames), P)
        rows = len(frames) * P
        with torch.cuda.device_of(self.a):  # Triton launches on the current device
            _scores[(S * B, triton.cdiv(rows, self.tile))](
                self.a[:, :, frames.start :], guide.contiguous(), self.v, found, rows, B,
                self.a.stride(1), D, self.tile, self.width,
            )  # fmt: skip
        return found

    def backward(self, guide: Tensor, frames: range, q: Tensor) -> Tensor:
        if self.da is None:
            self.da = torch.zeros_like(self.a, dtype=guide.dtype)
        S, B, _, P, D = self.a.shape
        rows = len(frames) * P
        blocks = triton.cdiv(rows, self.tile)
        dg, dv = (guide.new_empty(S, B, blocks, D) for _ in range(2))
        with torch.cuda.device_of(self.a):
            _backward[(S * B, blocks)](
                self.a[:, :, frames.start :], guide.contiguous(), q.contiguous(),
                self.da[:, :, frames.start :], dg, dv, rows, self.a.stride(1), D, self.tile,
                self.width,
            )  # fmt: skip
        self.dv += dv.sum((1, 2))
        return dg.sum(2).mul_(4 * self.v[:, None])

    def gradients(self) -> tuple[Tensor, Tensor]:
        assert self.da is not None, "no backward step came before"
        return self.dv * -2, self.da.mul_(4 * self.v[:, None, None, None])
