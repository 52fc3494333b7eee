"""Which recurrence runs, and why: said in a run's metrics.json and at its start."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rstan_lite.errors import ConfigError
from rstan_lite.model.fast.kernels import TRITON, kernel_for
from rstan_lite.model.fast.product import has_onednn


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


def choose_plan(recurrence: str, device: torch.device, scores_with_gradient: bool = False) -> Plan:
    """How to run.

    recurrence: RSTANConfig.recurrence.
    scores_with_gradient: the scores of all steps are asked for while gradients are recorded.
        Somebody may differentiate them, which only the plain recurrence can.
    Raises ConfigError where "fast" was demanded with such scores.
    """
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
    kernel = kernel_for(device)
    why = "as asked" if recurrence == "fast" else "chosen"
    if device.type == "cuda" and kernel != TRITON:
        why += "; Triton is not installed"
    if device.type == "cpu" and not has_onednn():
        why += "; this torch has no oneDNN, so products are slower"
    return Plan("fast", kernel, why)
