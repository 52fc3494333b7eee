"""One mini-batch: losses, gradient, clipping, step (Eq. 17-19)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rstan_lite.model.losses import (
    actor_attention_loss,
    main_loss,
    multi_task_loss,
    total_loss,
)
from rstan_lite.model.output import last_step
from rstan_lite.model.rstan import RSTAN
from rstan_lite.training.batches import Batch, ClipFeatures


@dataclass(frozen=True)
class Task:
    """A data set that is trained on; several of them make multi-task training.

    features: its clips. head: its classifier in the model. batch_size: its videos in a mini-batch.
    weight: of its loss in the sum; the paper gives UCF101 0.1 beside JHMDB's 1. lambda_aa: 0 where
    there are no silhouettes.
    """

    features: ClipFeatures
    head: str
    batch_size: int
    weight: float = 1.0
    lambda_aa: float = 0.0


class Objective(nn.Module):
    """The model with its loss, as one module: Fabric then treats both alike on any device."""

    def __init__(self, model: RSTAN, aa_kind: str):
        super().__init__()
        self.model, self.aa_kind = model, aa_kind

    def forward(self, batch: Batch, head: str, lambda_aa: float) -> dict[str, Tensor]:
        """Losses of a mini-batch (mean over videos) and the last step's logits (B, C)."""
        output = self.model(batch.cubes, batch.vectors, head=head)
        main = main_loss(output, batch.labels)  # Eq. 17
        actor = torch.zeros_like(main)
        if output.alpha_diagonal is not None and self.aa_kind != "none" and lambda_aa > 0:
            actor = actor_attention_loss(output.alpha_diagonal, batch.target, kind=self.aa_kind)
        total = total_loss(main, actor, lambda_aa)  # Eq. 19
        return {"total": total, "main": main, "actor": actor, "logits": last_step(output.logits)}


def train_step(
    fabric: Any, objective: Any, optimizer: Any, mixture: Sequence[tuple[Task, Batch]], limit: float
) -> tuple[list[dict[str, Tensor]], float]:
    """One mini-batch of each task: losses, gradient, clipping, step.

    limit: largest global norm of the gradient, 0 for no clipping. Returns each task's losses and
    the norm before clipping; where that is not finite, the weights stay as they were.
    """
    losses = [objective(batch, task.head, task.lambda_aa) for task, batch in mixture]
    total = multi_task_loss(
        {task.head: loss["total"] for (task, _), loss in zip(mixture, losses, strict=True)},
        {task.head: task.weight for task, _ in mixture},
    )
    optimizer.zero_grad()
    fabric.backward(total)
    norm = float(
        fabric.clip_gradients(
            objective, optimizer, max_norm=limit or math.inf, error_if_nonfinite=False
        )
    )
    if math.isfinite(norm):
        optimizer.step()
    return losses, norm
