"""The kernels of Eq. 2 by name."""

from __future__ import annotations

from torch import Tensor

from rstan_lite.model.fast.places import BlockKernel, Kernel


def prepare_kernel(name: str, projected: Tensor) -> tuple[Tensor, bool]:
    """A_cv CV as the kernel holds it, and whether that is the product form."""
    return BlockKernel.prepare(projected)


def open_kernel(name: str, held: Tensor, v: Tensor, product_form: bool) -> Kernel:
    """A kernel over what prepare_kernel returned, with v_a (S, d_att)."""
    return BlockKernel(held, v, product_form)
