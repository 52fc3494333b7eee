"""RSTAN straight from the equations: nothing hoisted, nothing fused, every tensor kept.

It is what one writes after reading Section III: a loop over t, in it a loop over the streams, and
every term of Eq. 2-16 computed where it stands. It takes the parameters of an RSTAN, and tests
compare it with the package.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rstan_lite.model import RSTAN


def reference_forward(
    model: RSTAN, cubes: Mapping[str, Tensor], vectors: Mapping[str, Tensor], head: str
) -> tuple[Tensor, Tensor]:
    """Logits (B, T, C), and the fused maps over each step's own frame (B, T, P).

    For models with attention, maximum fusion and one softmax, without dropout or padding.
    """
    config, p = model.config, model.streams
    known = (config.fusion, config.classifier, config.renormalize, config.dropout)
    assert known == ("max", "joint", False, 0.0)
    assert config.attention in ("all", "window")
    videos, steps = vectors[config.streams[0]].shape[:2]
    h = {s: p[s].b.new_zeros(videos, config.d_h) for s in config.streams}
    c = dict(h)
    logits, diagonals = [], []
    for t in range(steps):
        last = steps if config.attention == "all" else min(t + config.window, steps)
        start = 0 if config.attention == "all" else t
        alpha, L, beta = [], {}, []
        for s in config.streams:
            CV = cubes[s][:, start:last]  # (B, N, P, d_cv)
            guide = (h[s] @ p[s].A_h.T)[:, None, None]  # (B, 1, 1, d_att)
            score = torch.tanh(guide + CV @ p[s].A_cv.T + p[s].b_a) @ p[s].v_a  # Eq. 2
            alpha.append(torch.softmax(config.gamma_alpha * score, dim=-1))  # Eq. 3
        alpha_com = torch.stack(alpha).amax(dim=0)  # Eq. 14
        for s in config.streams:
            CV = cubes[s][:, start:last]
            L[s] = torch.einsum("bnp,bnpd->bnd", alpha_com, CV)  # Eq. 4
            guide = (h[s] @ p[s].B_h.T)[:, None]  # (B, 1, d_att)
            score = torch.tanh(guide + L[s] @ p[s].B_L.T + p[s].b_b) @ p[s].v_b  # Eq. 5
            beta.append(torch.softmax(config.gamma_beta * score, dim=-1))  # Eq. 6
        beta_com = torch.stack(beta).amax(dim=0)  # Eq. 15
        hidden = []
        for s in config.streams:
            Phi = torch.einsum("bn,bnd->bd", beta_com, L[s])  # Eq. 7
            inside = vectors[s][:, t] @ p[s].U_x.T + Phi @ p[s].U_phi.T + h[s] @ p[s].U_h.T + p[s].b
            i, f, o, g = inside.chunk(4, dim=-1)
            c[s] = torch.sigmoid(f) * c[s] + torch.sigmoid(i) * torch.tanh(g)  # Eq. 8, 9, 11, 12
            h[s] = torch.sigmoid(o) * torch.tanh(c[s])  # Eq. 10, 13
            hidden.append(h[s] @ model.heads[head].W[s].T)
        logits.append(torch.stack(hidden).sum(0) + model.heads[head].b)  # Eq. 16
        diagonals.append(alpha_com[:, t - start])
    return torch.stack(logits, dim=1), torch.stack(diagonals, dim=1)
