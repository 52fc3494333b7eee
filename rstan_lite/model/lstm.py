"""One stream's LSTM with the attended context as an extra input: Eq. 8-13."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

GATES = ("i", "f", "o", "g")  # order of the blocks in U_x, U_phi, U_h and b, as in Eq. 8-11


def project_inputs(vectors: Tensor, U_x: Tensor) -> Tensor:
    """U_x x of Eq. 8-11 for all gates and all steps at once.

    vectors: (B, T, d_fc).  U_x: (4 d_h, d_fc).  Returns (B, T, 4 d_h).
    """
    return functional.linear(vectors, U_x)


def lstm_step(
    ux: Tensor,
    h: Tensor,
    c: Tensor,
    U_h: Tensor,
    b: Tensor,
    phi: Tensor | None = None,
    U_phi: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Advance the state by one frame (Eq. 8-13).

    ux: (B, 4 d_h), this step's row of project_inputs.
    h, c: (B, d_h) state of the step before.
    U_h: (4 d_h, d_h).  b: (4 d_h,).  Blocks in the order of GATES: i, f, o, g.
    phi, U_phi: (B, d_cv) and (4 d_h, d_cv); without them this is a plain LSTM.
    Returns the new h and c (B, d_h), in float32 at least: the memory adds up over steps.
    """
    gates = ux + functional.linear(h, U_h, b)  # (B, 4 d_h)
    if phi is not None and U_phi is not None:
        gates = gates + functional.linear(phi, U_phi)
    gates = gates.to(torch.promote_types(gates.dtype, torch.float32))
    i, f, o, g = gates.chunk(4, dim=-1)  # (B, d_h) each
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)  # Eq. 8, 9, 11, 12
    h = torch.sigmoid(o) * torch.tanh(c)  # Eq. 10, 13
    return h, c
