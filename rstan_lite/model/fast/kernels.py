"""The kernels of Eq. 2 by name, and which of them a device gets."""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor

from rstan_lite.model.fast.places import BlockKernel, Kernel

BLOCKS, TRITON = "blocks", "triton"


def kernel_for(device: torch.device) -> str:
    """Triton's on a GPU where Triton is installed, else the one of torch's own operations."""
    if device.type == "cuda" and importlib.util.find_spec("triton") is not None:
        return TRITON
    return BLOCKS


def prepare_kernel(name: str, projected: Tensor) -> tuple[Tensor, bool]:
    """A_cv CV as the kernel holds it, and whether that is the product form."""
    return (projected, False) if name == TRITON else BlockKernel.prepare(projected)


def open_kernel(name: str, held: Tensor, v: Tensor, product_form: bool) -> Kernel:
    """A kernel over what prepare_kernel returned, with v_a (S, d_att)."""
    if name == TRITON:
        from rstan_lite.model.fast.triton_places import TritonKernel

        return TritonKernel(held, v)
    return BlockKernel(held, v, product_form)
