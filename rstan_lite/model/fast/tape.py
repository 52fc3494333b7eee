"""What the fast recurrence is given, and what it keeps of a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Config = Any  # an RSTANConfig; its file stands above this folder
ALWAYS = ("U_x", "U_h", "b")
ATTENDING = ("U_phi", "A_h", "A_cv", "v_a", "b_a", "B_h", "B_L", "v_b", "b_b")


@dataclass(frozen=True)
class Setup:
    """All that is no differentiable tensor.

    frames: those that each step looks at. frame_mask: (B, T) bool or None. masks: dropout of Phi,
    [t][s] (B, d_cv), or None. low: type of the large products, lower under autocast. keep: hold
    what the backward pass needs. record: hold all scores. kernel: of Eq. 2, see choice.py.
    """

    config: Config
    frames: Sequence[range]
    frame_mask: Tensor | None
    masks: Sequence[Sequence[Tensor]] | None
    low: torch.dtype
    keep: bool
    record: bool
    kernel: str

    @property
    def names(self) -> tuple[str, ...]:
        """Tensors of a stream, in the order in which they are handed over."""
        if self.config.attention == "none":
            return ("x", *ALWAYS)
        return ("x", "cubes", *ALWAYS, *ATTENDING)

    def by_name(self, tensors: Sequence[Tensor]) -> dict[str, list[Tensor]]:
        """Tensors handed over one stream after another, as a list of all streams' by name."""
        names, count = self.names, len(self.config.streams)
        return {
            name: [tensors[s * len(names) + i] for s in range(count)]
            for i, name in enumerate(names)
        }


@dataclass
class Kept:
    """Results of a forward pass; time first, then streams, then videos.

    h, c: (T + 1, S, B, d_h), before the first step and after each.  gates: (T, S, B, 4 d_h), after
    sigmoid and tanh.  guides: (T, S, B, 2 d_att), A_h h + b_a and B_h h + b_b.  alpha: (T, S, B, N,
    P) and beta (T, S, B, N), 0 past the end of the clip.  phi: of each stream, (T, B, d_cv).
    projected: A_cv CV, (S, B, T, P, d_att), as the kernel holds it. Empty without attention.
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

    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, in the order of the constructor."""
        single = (self.h, self.c, self.gates, self.guides, self.alpha, self.beta, self.projected)
        return (*single, *self.phi)

    @classmethod
    def of(cls, tensors: Sequence[Tensor], product_form: bool) -> Kept:
        """Undo tensors."""
        h, c, gates, guides, alpha, beta, projected, *phi = tensors
        return cls(h, c, gates, guides, alpha, beta, projected, phi, product_form)
