"""Which recurrence runs, and why: said in a run's metrics.json and at its start."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rstan_lite.model.config import RSTANConfig
from rstan_lite.model.fast.kernels import TRITON, kernel_for
from rstan_lite.model.fast.product import has_onednn
from rstan_lite.system.errors import ConfigError


@dataclass(frozen=True)
class Plan:
    """A choice.

    name: "plain" or "fast".  kernel: Eq. 2's in the fast one, see kernels.py.  why: in words.
    """

    name: str
    kernel: str
    why: str

    def __str__(self) -> str:
        kernel = f", kernel {self.kernel}" if self.kernel else ""
        return f"{self.name}{kernel} ({self.why})"


# Multiplications a video and step below which both recurrences take what their calls take.
SMALLEST = 1 << 17


def choose_plan(
    config: RSTANConfig, device: torch.device, scores_with_gradient: bool = False
) -> Plan:
    """How to run.

    config: its `recurrence` says what is asked for.
    scores_with_gradient: the scores of all steps are asked for while gradients are recorded.
        Somebody may differentiate them, which only the plain recurrence can.
    Raises ConfigError where "fast" was demanded with such scores.
    """
    recurrence = config.recurrence
    if recurrence == "plain":
        return Plan("plain", "", "as asked")
    if scores_with_gradient:
        if recurrence == "fast":
            raise ConfigError(
                "recurrence",
                "'fast' with return_attention=True while gradients are recorded",
                "torch.no_grad(), or recurrence 'plain' or 'auto'",
            )
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


def _pays(config: RSTANConfig) -> bool:
    """Whether the fast recurrence saves arithmetic, or at least calls by its streams together."""
    if len(config.streams) > 1 and config.attention in ("window", "all"):
        return True
    contexts = [0 if config.attention == "none" else config.d_cv[s] for s in config.streams]
    return any(4 * config.d_h * (config.d_h + d_cv) >= SMALLEST for d_cv in contexts)
