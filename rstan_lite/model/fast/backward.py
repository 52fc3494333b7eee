"""All steps backward: the gradient of forward.py through time, written out.

Frame features L and the tanh of Eq. 2 and Eq. 5 are computed again, step by step. Gradients of
matrices that multiply h, Phi and x wait until the loop is over: each is then one product.
"""

import torch
from torch import Tensor

from rstan_lite.model.fast.forward import Kept, Setup, Steps, Tensors
from rstan_lite.model.fast.operations import (
    fuse,
    fuse_backward,
    pooled,
    pooled_backward,
    product,
    softmax_backward,
)
from rstan_lite.model.fast.places import PlaceScores


def backward(
    setup: Setup, given: Tensors, kept: Kept, d_hidden: Tensor, d_diagonal: Tensor | None,
    wanted: set[str],
) -> Tensors:  # fmt: skip
    """Gradients of the given tensors by name, a list of one a stream.

    d_hidden: (T, S, B, d_h).  d_diagonal: (T, S or 1, B, P), or None for zeros.
    wanted: names of inputs ("x", "cubes") whose gradients are to be computed as well.
    """
    run = _Backward(setup, given, kept, wanted)
    for t in reversed(range(len(d_hidden))):
        run.step(t, d_hidden[t], None if d_diagonal is None else d_diagonal[t])
    return run.gradients()


class _Backward(Steps):
    def __init__(self, setup: Setup, given: Tensors, kept: Kept, wanted: set[str]) -> None:
        super().__init__(setup, given)
        self.kept, self.wanted = kept, wanted
        T, S, B, _ = kept.gates.shape
        self.d_before = kept.h.new_empty(T, S, B, self.W_h[0].shape[0])
        self.dh, self.dc = torch.zeros_like(kept.h[0]), torch.zeros_like(kept.c[0])
        if self.attending:
            self.places = PlaceScores(kept.projected, self.v_a, kept.product_form)
            self.v_b = torch.stack(given["v_b"])
            self.dv_b = torch.zeros_like(self.v_b)
            self.dB_L = [torch.zeros_like(w) for w in given["B_L"]]
            self.d_cubes = [torch.zeros_like(cubes) for cubes in self.cubes if "cubes" in wanted]

    def step(self, t: int, d_hidden: Tensor, d_diagonal: Tensor | None) -> None:
        """Turn the gradient of the state at t + 1 into that at t."""
        kept, d_h, mask = self.kept, self.config.d_h, self.setup.frame_mask
        dh, dc = self.dh + d_hidden, self.dc
        past: tuple[Tensor, Tensor] | None = None
        if mask is not None:  # a padded step hands the state, and its gradient, through
            real = mask[:, t, None]  # (B, 1)
            past = (dh * ~real, dc * ~real)
            dh, dc = dh * real, dc * real
        gates, d_gates = kept.gates[t], self.d_before[t, ..., : 4 * d_h]
        i, f, o, g = gates.chunk(4, dim=-1)
        di, df, do, dg = d_gates.chunk(4, dim=-1)
        tanh_c = kept.c[t + 1].tanh()
        torch.mul(dh, tanh_c, out=do)  # Eq. 13
        dc = dc + torch.ops.aten.tanh_backward(dh * o, tanh_c)
        torch.mul(dc, g, out=di)  # Eq. 12
        torch.mul(dc, kept.c[t], out=df)
        torch.mul(dc, i, out=dg)
        first, last = slice(0, 3 * d_h), slice(3 * d_h, 4 * d_h)
        of_sigmoid = torch.ops.aten.sigmoid_backward(d_gates[..., first], gates[..., first])
        d_gates[..., first] = of_sigmoid
        d_gates[..., last] = torch.ops.aten.tanh_backward(dg, g)
        if self.attending:
            self._attend(t, d_gates, d_diagonal)
        self.dc = dc * f
        if t > 0:
            dh_by_stream = [product(self.d_before[t, s], W.T) for s, W in enumerate(self.W_h)]
            self.dh = torch.stack(dh_by_stream).to(kept.h.dtype)
        if past is not None:
            self.dh, self.dc = self.dh + past[0], self.dc + past[1]

    def _attend(self, t: int, d_gates: Tensor, d_diagonal: Tensor | None) -> None:
        """Eq. 2-7 and 14-15 of a step backward: fills the part of d_before that is the guides'."""
        setup, config, kept = self.setup, self.config, self.kept
        d_att, d_h = config.d_att, config.d_h
        frames = setup.frames[t]
        n, window = len(frames), slice(frames.start, frames.stop)
        guides, alpha, beta = kept.guides[t], kept.alpha[t, :, :, :n], kept.beta[t, :, :, :n]
        alpha_used, beta_used = fuse(config, alpha), fuse(config, beta)
        seen = [cubes[:, window] for cubes in self.cubes]  # (B, n, P, d_cv)
        L, d_phi, d_beta = [], [], []
        for s, cubes in enumerate(seen):
            L.append(pooled(alpha_used[s % len(alpha_used)], cubes))  # (B, n, d_cv), Eq. 4
            d_phi.append(product(d_gates[s], self.U_phi[s].T))  # (B, d_cv)
            if setup.masks is not None:
                d_phi[s] = d_phi[s] * setup.masks[t][s]
            d_beta.append(pooled_backward(d_phi[s], L[s]))
        d_used = fuse_backward(config, beta, self._used(d_beta))
        q = softmax_backward(beta, d_used, config.gamma_beta)  # (S, B, n)
        if setup.frame_mask is not None:  # a row of padding alone is even, but by no score's doing
            q = q * setup.frame_mask[:, window]
        d_guides = self.d_before[t, ..., 4 * d_h :]  # (S, B, 2 d_att)
        d_alpha = []
        for s, cubes in enumerate(seen):
            u = product(L[s], self.B_L[s]) + guides[s, :, None, d_att:]
            u = u.tanh_()  # (B, n, d_att), Eq. 5
            self.dv_b[s] += q[s].flatten() @ u.flatten(0, 1)
            du = torch.ops.aten.tanh_backward(q[s][..., None] * self.v_b[s], u)
            torch.sum(du, dim=1, out=d_guides[s, :, d_att:])
            du = du.flatten(0, 1).to(setup.low)
            self.dB_L[s] += product(du.T, L[s].flatten(0, 1).T)
            dL = product(du, self.B_L[s].T).view_as(L[s])
            dL = dL + beta_used[s % len(beta_used)][..., None] * d_phi[s][:, None]
            d_alpha.append(pooled_backward(dL, cubes))  # (B, n, P)
            if self.d_cubes:
                weights = alpha_used[s % len(alpha_used)]
                self.d_cubes[s][:, window] += weights[..., None] * dL[:, :, None]
        d_used = self._used(d_alpha)
        if d_diagonal is not None:
            d_used[:, :, t - frames.start] += d_diagonal
        q = softmax_backward(alpha, fuse_backward(config, alpha, d_used), config.gamma_alpha)
        d_guides[..., :d_att] = self.places.backward(guides[..., :d_att], frames, q)

    def _used(self, by_stream: list[Tensor]) -> Tensor:
        """Gradients of used weights: summed where all streams use the same."""
        found = torch.stack(by_stream).to(self.kept.h.dtype)
        return found if self.config.fusion == "none" else found.sum(0, keepdim=True)

    def gradients(self) -> Tensors:
        """All gradients, once every step is done."""
        given, kept, kind = self.given, self.kept, self.kept.h.dtype
        d_h, d_att, low = self.config.d_h, self.config.d_att, self.setup.low
        sums = self.d_before.sum((0, 2))  # (S, 4 d_h + 2 d_att)
        found: Tensors = {name: [] for name in given}
        for s, x in enumerate(given["x"]):
            d_before = self.d_before[:, s].to(low)  # (T, B, 4 d_h + 2 d_att)
            d_gates = d_before[..., : 4 * d_h]
            of_h = _of_matrix(d_before, kept.h[:-1, s]).to(kind)
            by_video = d_gates.transpose(0, 1)  # (B, T, 4 d_h)
            found["U_x"].append(_of_matrix(by_video, x).to(kind))
            found["U_h"].append(of_h[: 4 * d_h])
            found["b"].append(sums[s, : 4 * d_h])
            if "x" in self.wanted:
                found["x"].append(product(by_video, given["U_x"][s].to(low).T).to(x.dtype))
            if self.attending:
                found["U_phi"].append(_of_matrix(d_gates, kept.phi[s]).to(kind))
                found["A_h"].append(of_h[4 * d_h : 4 * d_h + d_att])
                found["B_h"].append(of_h[4 * d_h + d_att :])
                found["b_a"].append(sums[s, 4 * d_h : 4 * d_h + d_att])
                found["b_b"].append(sums[s, 4 * d_h + d_att :])
        if not self.attending:
            return found
        dv, d_projected = self.places.gradients()
        found["v_a"], found["v_b"], found["B_L"] = list(dv), list(self.dv_b), self.dB_L
        for s, cubes in enumerate(self.cubes):
            rows = d_projected[s].to(low)  # (B, T, P, d_att)
            found["A_cv"].append(_of_matrix(rows, cubes).to(kind))
            if self.d_cubes:
                whole = self.d_cubes[s] + product(rows, given["A_cv"][s].to(low).T)
                found["cubes"].append(whole.to(given["cubes"][s].dtype))
        return found


def _of_matrix(grad: Tensor, x: Tensor) -> Tensor:
    """Gradient of a matrix W (m, k) from those (..., m) of x W^T, for x (..., k)."""
    rows = grad.reshape(-1, grad.shape[-1])
    return product(rows.T, x.reshape(-1, x.shape[-1]).to(rows.dtype).T)
