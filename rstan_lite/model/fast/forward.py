"""All steps forward: Eq. 2-15 with what is the same at every step taken out of the loop."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rstan_lite.model.fast.operations import Config, fuse, pooled, product, softmax
from rstan_lite.model.fast.places import PlaceScores, hold

Tensors = dict[str, list[Tensor]]  # by name, one a stream


@dataclass(frozen=True)
class Setup:
    """All that is no differentiable tensor.

    frames: those that each step looks at. frame_mask: (B, T) bool or None. masks: dropout of Phi,
    [t][s] (B, d_cv), or None. low: type of the large products, lower under autocast. keep: hold
    what the backward pass needs. record: hold all scores.
    """

    config: Config
    frames: Sequence[range]
    frame_mask: Tensor | None
    masks: Sequence[Sequence[Tensor]] | None
    low: torch.dtype
    keep: bool
    record: bool


@dataclass
class Kept:
    """Results of a forward pass; time first, then streams, then videos.

    h, c: (T + 1, S, B, d_h), before the first step and after each.  gates: (T, S, B, 4 d_h), after
    sigmoid and tanh.  guides: (T, S, B, 2 d_att), A_h h + b_a and B_h h + b_b.  alpha: (T, S, B, N,
    P) and beta (T, S, B, N), 0 past the end of the clip.  projected, product_form: of `hold`.
    phi: of each stream, (T, B, d_cv).  Empty without attention.
    """

    h: Tensor
    c: Tensor
    gates: Tensor
    guides: Tensor
    alpha: Tensor
    beta: Tensor
    projected: Tensor
    phi: list[Tensor] = field(default_factory=list)
    product_form: bool = False


class Steps:
    """What both directions read: the parameters and cubes in the type of the products."""

    def __init__(self, setup: Setup, given: Tensors) -> None:
        self.setup, self.config, self.given, low = setup, setup.config, given, setup.low
        self.attending = setup.config.attention != "none"
        self.W_h = [w.to(low) for w in given["U_h"]]  # all that multiplies h, one matrix a stream
        if self.attending:
            rows = zip(given["U_h"], given["A_h"], given["B_h"], strict=True)
            self.W_h = [torch.cat(matrices).to(low) for matrices in rows]  # (4 d_h + 2 d_att, d_h)
            self.cubes = [cubes.to(low) for cubes in given["cubes"]]
            self.U_phi = [w.to(low) for w in given["U_phi"]]
            self.B_L = [w.to(low) for w in given["B_L"]]
            self.v_a = torch.stack(given["v_a"])


class Forward(Steps):
    """All steps forward; then kept, diagonal and scores hold what they gave.

    diagonal: the used maps over each step's own frame, (T, S or 1, B, P).  scores: where recorded,
    alpha (T, S, B, N, P) and beta of each stream, and both as used, with an axis S of 1 where they
    are fused; 0 past the end of the clip.
    """

    def __init__(self, setup: Setup, given: Tensors) -> None:
        super().__init__(setup, given)
        like, d_h = given["b"][0], self.config.d_h
        S, (B, T) = len(given["b"]), given["x"][0].shape[:2]
        self.ux = like.new_empty(S, B, T, 4 * d_h)
        for s in range(S):
            ux = product(given["x"][s], given["U_x"][s].to(setup.low))
            torch.add(ux, given["b"][s], out=self.ux[s])
        h, c = like.new_zeros(T + 1, S, B, d_h), like.new_zeros(T + 1, S, B, d_h)
        gates = like.new_empty(T if setup.keep else 0, S, B, 4 * d_h)
        none = like.new_empty(0)  # what attention fills: guides, alpha, beta, projected
        self.kept, self.diagonal = Kept(h, c, gates, none, none, none, none), none
        self.scores: tuple[Tensor, ...] = ()
        if self.attending:
            self._prepare_attention(like)
        for t in range(T):
            self._step(t)

    def _prepare_attention(self, like: Tensor) -> None:
        setup, given, kept, d_att = self.setup, self.given, self.kept, self.config.d_att
        S, (B, T, P) = len(self.cubes), self.cubes[0].shape[:3]
        projected = like.new_empty(S, B, T, P, d_att)
        for s, cubes in enumerate(self.cubes):
            projected[s] = product(cubes, given["A_cv"][s].to(setup.low))
        kept.projected, kept.product_form = hold(projected)
        self.places = PlaceScores(kept.projected, self.v_a, kept.product_form)
        biases = (torch.stack(given["b_a"]), torch.stack(given["b_b"]))
        self.guide_bias = torch.cat(biases, dim=-1)[:, None]  # (S, 1, 2 d_att)
        N = max(map(len, setup.frames))
        used = 1 if self.config.fusion != "none" else S
        self.diagonal = like.new_empty(T, used, B, P)
        if setup.keep:
            kept.guides = like.new_empty(T, S, B, 2 * d_att)
            kept.phi = [like.new_empty(T, B, w.shape[1]) for w in given["U_phi"]]
            kept.alpha, kept.beta = like.new_zeros(T, S, B, N, P), like.new_zeros(T, S, B, N)
        if setup.record:
            shapes = [(T, streams, B, N) for streams in (S, used)]
            self.scores = tuple(like.new_zeros(*x, *more) for x in shapes for more in ((P,), ()))

    def _step(self, t: int) -> None:
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
        scores = self.places.scores(guides[..., :d_att], frames)  # Eq. 2
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
            kept.alpha[t, :, :, :n], kept.beta[t, :, :, :n] = alpha, beta
            for s, value in enumerate(phi):
                kept.phi[s][t] = value
        for held, weights in zip(self.scores, (alpha, beta, alpha_used, beta_used), strict=False):
            held[t, :, :, :n] = weights
        return phi
