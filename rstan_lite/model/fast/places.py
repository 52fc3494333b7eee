"""Eq. 2 over all places of all attended frames, and its gradient, block by block.

With a = A_cv CV and g = A_h h + b_a, Eq. 2 asks for v . tanh(a + g) at every place. Put

    r = sigmoid(-2 (a + g)) = 1 / (1 + exp(2a) exp(2g)),    so that    tanh(a + g) = 1 - 2 r.

exp(2a) is the same at every step and exp(2g) is one row a video, so a step needs no exponential
at a place: a product, a sum, a quotient. The 1 adds the same to the score of every place, which
the softmax of Eq. 3 does not see; what is left is the score -2 v . r. Of its gradient, with q the
gradient of the scores (which sums to 0 over the places of a frame) and w = r (1 - r):

    of v: -2 sum q r        of g: 4 v sum q w, over the video's places        of a: 4 v q w

r is computed again in the backward pass and lives only in a block small enough for the cache. The
gradient of a, as large as a itself, is summed over steps in place, without its factor 4 v.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

# Largest |a| for which exp(2a) exp(2g) serves. A g beyond 4/3 of it may be cut off there: the sum
# is then so large (over 10 in float32, 100 in float64) that tanh has long reached 1.
LARGEST = {torch.float32: 30.0, torch.float64: 300.0}
BLOCK = 1 << 20  # numbers of r at a time, 4 MiB in float32; fewer only cost more calls


# One block: slices of the streams, of the videos and of the attended frames.
Part = tuple[slice, slice, slice]


def hold(projected: Tensor) -> tuple[Tensor, bool]:
    """What stands for A_cv CV at all steps, in its memory, and whether it is in the product form.

    It is on a CPU, unless A_cv CV is too large for its exponential. A GPU, which would have to
    be waited for to look, has exponentials to spare: what it lacks is bandwidth.
    """
    fits = projected.device.type == "cpu" and bool(
        torch.linalg.vector_norm(projected, torch.inf) <= LARGEST[projected.dtype]
    )
    return (projected.mul_(2).exp_() if fits else projected), fits


class PlaceScores:
    """Eq. 2 of a clip at any step; S streams, B videos, n attended frames, P places."""

    def __init__(self, a: Tensor, v: Tensor, product_form: bool, block: int = BLOCK) -> None:
        """a, product_form: what hold returned, (S, B, T, P, d_att).  v: (S, d_att)."""
        self.a, self.v, self.product_form, self.block = a, v, product_form, block
        self.limit = LARGEST[a.dtype] * 4 / 3
        self.one = v.new_ones(())
        self.scratch = v.new_empty(0)
        self.dv = torch.zeros_like(v)
        self.da: Tensor | None = None

    def scores(self, guide: Tensor, frames: range) -> Tensor:
        """guide: (S, B, d_att), A_h h + b_a. Returns (S, B, n, P), up to a constant a frame."""
        S, B, _, P, D = self.a.shape
        found = self.a.new_empty(S, B, len(frames), P)
        prepared, weights = self._prepare(guide), (-2 * self.v)[..., None]  # (S, d_att, 1)
        for part in self._parts(len(frames)):
            r = self._r(part, prepared, frames)  # (s, b, f, P, d_att)
            s = r.shape[0]
            flat = torch.bmm(r.view(s, -1, D), weights[part[0]])
            found[part] = flat.view(r.shape[:-1])
        return found

    def backward(self, guide: Tensor, frames: range, q: Tensor) -> Tensor:
        """q: (S, B, n, P), gradient of the scores. Returns the gradient of guide."""
        if self.da is None:
            self.da = torch.zeros_like(self.a)
        prepared = self._prepare(guide)
        sums = torch.zeros_like(guide)
        for part in self._parts(len(frames)):
            r = self._r(part, prepared, frames)
            s, b, D = r.shape[0], r.shape[1], r.shape[-1]
            rows = q[part].reshape(s * b, 1, -1)
            flat = r.view(s * b, -1, D)
            self.dv[part[0]] += torch.bmm(rows, flat).view(s, b, D).sum(1)
            r.addcmul_(r, r, value=-1)  # w
            sums[part[:2]] += torch.bmm(rows, flat).view(s, b, D)
            self._frames(self.da, part, frames).addcmul_(r, q[part][..., None])
        return sums.mul_(4 * self.v[:, None])

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Sums over all backward steps: of v (S, d_att) and of A_cv CV (S, B, T, P, d_att)."""
        assert self.da is not None, "no backward step came before"
        return self.dv * -2, self.da.mul_(4 * self.v[:, None, None, None])

    def _prepare(self, guide: Tensor) -> Tensor:
        if self.product_form:
            guide = guide.clamp(-self.limit, self.limit).mul_(2).exp_()
        return guide[:, :, None, None, :]

    def _r(self, part: Part, prepared: Tensor, frames: range) -> Tensor:
        a, g = self._frames(self.a, part, frames), prepared[part[:2]]
        # the same memory for every block: it stays in the cache
        if self.scratch.numel() < a.numel():
            self.scratch = self.a.new_empty(a.numel())
        r = self.scratch[: a.numel()].view(a.shape)
        if self.product_form:
            return torch.addcmul(self.one, a, g, out=r).reciprocal_()
        return torch.add(a, g, out=r).mul_(-2).sigmoid_()

    def _frames(self, clip: Tensor, part: Part, frames: range) -> Tensor:
        streams, videos, shown = part
        return clip[streams, videos, frames.start + shown.start : frames.start + shown.stop]

    def _parts(self, n: int) -> Iterator[Part]:
        S, B, _, P, D = self.a.shape
        if S * B * n * P * D <= self.block or self.a.device.type != "cpu":
            yield slice(0, S), slice(0, B), slice(0, n)
            return
        many = max(1, self.block // (n * P * D))  # videos
        some = n if n * P * D <= self.block else max(1, self.block // (P * D))  # frames
        for s in range(S):
            for b in range(0, B, many):
                for f in range(0, n, some):
                    yield slice(s, s + 1), slice(b, min(b + many, B)), slice(f, min(f + some, n))
