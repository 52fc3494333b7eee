"""All steps forward: Eq. 2-15 with what is the same at every step taken out of the loop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rstan_lite.model.fast.choice import TRITON, open_kernel, prepare_kernel
from rstan_lite.model.fast.pooling import fuse, pooled, softmax
from rstan_lite.model.fast.product import product
from rstan_lite.model.fast.tape import Kept, Setup

Tensors = dict[str, list[Tensor]]


@dataclass
class Scores:
    """Weights of all steps, time first: alpha (T, S, B, N, P) and beta (T, S, B, N) of each
    stream, and as used, with an axis S of 1 where they are fused. 0 past the end of the clip."""

    alpha: Tensor
    beta: Tensor
    alpha_used: Tensor
    beta_used: Tensor


def forward(setup: Setup, given: Tensors) -> tuple[Kept, Tensor, Scores | None]:
    """Run all steps. given: tensors by name, see Setup.names.

    Returns what the backward pass needs (less where nothing is to be kept), the used maps over each
    step's own frame (T, S or 1, B, P), and the scores where they are to be recorded.
    """
    run = _Forward(setup, given)
    for t in range(run.steps):
        run.step(t)
    return run.kept, run.diagonal, run.scores


class _Forward:
    def __init__(self, setup: Setup, given: Tensors) -> None:
        config = setup.config
        self.setup, self.config, self.given = setup, config, given
        self.videos, self.steps = given["x"][0].shape[:2]
        S, B, T = len(config.streams), self.videos, self.steps
        like, d_h, low = given["b"][0], config.d_h, setup.low
        self.ux = like.new_empty(S, B, T, 4 * d_h)
        for s in range(S):
            ux = product(given["x"][s], given["U_x"][s].to(low))
            torch.add(ux, given["b"][s], out=self.ux[s])
        self.W_h = recurrent_weights(setup, given)
        h, c = like.new_zeros(T + 1, S, B, d_h), like.new_zeros(T + 1, S, B, d_h)
        gates = like.new_empty(T if setup.keep else 0, S, B, 4 * d_h)
        none = like.new_empty(0)  # what attention fills: guides, alpha, beta, projected
        self.kept = Kept(h, c, gates, none, none, none, none)
        self.diagonal = like.new_empty(0)
        self.scores: Scores | None = None
        self.attending = config.attention != "none"
        if self.attending:
            self._prepare_attention(like)

    def _prepare_attention(self, like: Tensor) -> None:
        setup, config, given, kept = self.setup, self.config, self.given, self.kept
        S, B, T = len(config.streams), self.videos, self.steps
        P, d_att = given["cubes"][0].shape[2], config.d_att
        self.cubes = [cubes.to(setup.low) for cubes in given["cubes"]]
        held = setup.low if setup.kernel == TRITON else like.dtype  # others compute in this type
        projected = like.new_empty(S, B, T, P, d_att, dtype=held)
        for s, cubes in enumerate(self.cubes):
            projected[s] = product(cubes, given["A_cv"][s].to(setup.low))
        kept.projected, kept.product_form = prepare_kernel(setup.kernel, projected)
        v_a = torch.stack(given["v_a"])
        self.kernel = open_kernel(setup.kernel, kept.projected, v_a, kept.product_form)
        biases = (torch.stack(given["b_a"]), torch.stack(given["b_b"]))
        self.guide_bias = torch.cat(biases, dim=-1)[:, None]  # (S, 1, 2 d_att)
        self.U_phi = [w.to(setup.low) for w in given["U_phi"]]
        self.B_L = [w.to(setup.low) for w in given["B_L"]]
        N = max(map(len, setup.frames))
        used = 1 if config.fusion != "none" else S
        self.diagonal = like.new_empty(T, used, B, P)
        if setup.keep:
            kept.guides = like.new_empty(T, S, B, 2 * d_att)
            kept.phi = [like.new_empty(T, B, w.shape[1]) for w in given["U_phi"]]
        if setup.keep or setup.record:
            kept.alpha, kept.beta = like.new_zeros(T, S, B, N, P), like.new_zeros(T, S, B, N)
        if setup.record:
            used_weights = like.new_zeros(T, used, B, N, P), like.new_zeros(T, used, B, N)
            self.scores = Scores(kept.alpha, kept.beta, *used_weights)

    def step(self, t: int) -> None:
        """One step of all streams: h and c at t become those at t + 1."""
        kept, d_h = self.kept, self.config.d_h
        h, c = kept.h[t], kept.c[t]
        # (S, B, 4 d_h + 2 d_att)
        before = torch.stack([product(h[s], W) for s, W in enumerate(self.W_h)])
        gates = before[..., : 4 * d_h] + self.ux[:, :, t]  # (S, B, 4 d_h)
        if self.attending:
            guides = before[..., 4 * d_h :] + self.guide_bias  # (S, B, 2 d_att)
            for s, phi in enumerate(self._attend(t, guides)):
                gates[s] += product(phi, self.U_phi[s])
        gates[..., : 3 * d_h].sigmoid_()
        gates[..., 3 * d_h :].tanh_()
        i, f, o, g = gates.chunk(4, dim=-1)  # (S, B, d_h) each
        torch.addcmul(f * c, i, g, out=kept.c[t + 1])  # Eq. 12
        torch.mul(o, kept.c[t + 1].tanh(), out=kept.h[t + 1])  # Eq. 13
        if self.setup.keep:
            kept.gates[t] = gates
        if self.setup.frame_mask is not None:
            padded = ~self.setup.frame_mask[:, t, None]  # (B, 1)
            torch.where(padded, c, kept.c[t + 1], out=kept.c[t + 1])
            torch.where(padded, h, kept.h[t + 1], out=kept.h[t + 1])

    def _attend(self, t: int, guides: Tensor) -> list[Tensor]:
        """Phi of each stream, after dropout (B, d_cv)."""
        setup, config, kept, d_att = self.setup, self.config, self.kept, self.config.d_att
        frames = setup.frames[t]
        n, window = len(frames), slice(frames.start, frames.stop)
        valid = None if setup.frame_mask is None else setup.frame_mask[:, window]  # (B, n)
        scores = self.kernel.scores(guides[..., :d_att], frames)  # Eq. 2
        alpha = softmax(scores, config.gamma_alpha)  # Eq. 3, (S, B, n, P)
        alpha_used = fuse(config, alpha)  # Eq. 14
        L, rated = [], []
        for s, cubes in enumerate(self.cubes):
            L.append(pooled(alpha_used[s % len(alpha_used)], cubes[:, window]))  # Eq. 4
            u = product(L[s], self.B_L[s]) + guides[s, :, None, d_att:]
            rated.append(u.tanh_() @ self.given["v_b"][s])  # Eq. 5
        beta = softmax(torch.stack(rated), config.gamma_beta, valid)  # Eq. 6, (S, B, n)
        beta_used = fuse(config, beta)  # Eq. 15
        self.diagonal[t] = alpha_used[:, :, t - frames.start]
        phi = [pooled(beta_used[s % len(beta_used)], features) for s, features in enumerate(L)]
        if setup.masks is not None:
            phi = [value * mask for value, mask in zip(phi, setup.masks[t], strict=True)]
        if setup.keep:
            kept.guides[t] = guides
            for s, value in enumerate(phi):
                kept.phi[s][t] = value
        if setup.keep or setup.record:
            kept.alpha[t, :, :, :n], kept.beta[t, :, :, :n] = alpha, beta
        if self.scores is not None:
            self.scores.alpha_used[t, :, :, :n] = alpha_used
            self.scores.beta_used[t, :, :, :n] = beta_used
        return phi


def recurrent_weights(setup: Setup, given: Tensors) -> list[Tensor]:
    """All that multiplies h, one matrix a stream: U_h over A_h over B_h, (4 d_h + 2 d_att, d_h)."""
    if setup.config.attention == "none":
        return [w.to(setup.low) for w in given["U_h"]]
    rows = zip(given["U_h"], given["A_h"], given["B_h"], strict=True)
    return [torch.cat(matrices).to(setup.low) for matrices in rows]
