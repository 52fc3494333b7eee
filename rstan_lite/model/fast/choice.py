"""Which recurrence runs, with which kernel of Eq. 2, and why: a run's metrics.json says so."""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor

from rstan_lite.model.fast.places import BlockKernel, Kernel
from rstan_lite.model.fast.product import has_onednn
from rstan_lite.model.fast.tape import Config
from rstan_lite.model.output import Plan
from rstan_lite.system.errors import ConfigError

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


# Multiplications a video and step below which both recurrences take what their calls take.
SMALLEST = 1 << 17


def choose_plan(config: Config, device: torch.device, scores_with_gradient: bool = False) -> Plan:
    """How to run, where config.recurrence is "fast" or "auto".

    scores_with_gradient: the scores of all steps are asked for while gradients are recorded, which
    only the plain recurrence can differentiate; ConfigError where "fast" was demanded.
    """
    recurrence = config.recurrence
    if scores_with_gradient:
        if recurrence == "fast":
            found = "'fast' with return_attention=True while gradients are recorded"
            expected = "torch.no_grad(), or recurrence 'plain' or 'auto'"
            raise ConfigError("recurrence", found, expected)
        return Plan("plain", "", "all scores asked for while gradients are recorded")
    if recurrence == "auto" and device.type == "cpu" and not _pays(config):
        return Plan("plain", "", "the model is small")
    kernel = kernel_for(device)
    why = "as asked" if recurrence == "fast" else "chosen"
    if device.type == "cuda" and kernel != TRITON:
        why += "; Triton is not installed"
    if device.type == "cpu" and not has_onednn():
        why += "; this torch has no oneDNN, so products are slower"
    return Plan("fast", kernel, why)


def _pays(config: Config) -> bool:
    """Whether the fast recurrence saves arithmetic, or at least calls by its streams together."""
    if len(config.streams) > 1 and config.attention in ("window", "all"):
        return True
    contexts = [0 if config.attention == "none" else config.d_cv[s] for s in config.streams]
    return any(4 * config.d_h * (config.d_h + d_cv) >= SMALLEST for d_cv in contexts)
