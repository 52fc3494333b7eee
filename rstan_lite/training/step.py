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
from rstan_lite.system.ranks import ALONE, Ranks
from rstan_lite.training.batches import Batch, ClipFeatures

MEANS = ("total", "main", "actor")  # losses that are means over a mini-batch's videos


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
    fabric: Any,
    objective: Any,
    optimizer: Any,
    mixture: Sequence[tuple[Task, Batch]],
    limit: float,
    ranks: Ranks = ALONE,
) -> tuple[list[dict[str, Tensor]], float]:
    """One mini-batch of each task: losses, gradient, clipping, step.

    limit: largest global norm of the gradient, 0 for no clipping. ranks: who else has a part of
    the mini-batches. Returns for each task the losses (total, main, actor), and how many clips were
    named rightly (right), of the whole mini-batch; and the norm before clipping. Where that is not
    finite, the weights stay as they were.
    """
    losses = [objective(batch, task.head, task.lambda_aa) for task, batch in mixture]
    shares = [ranks.share(len(batch.whole)) for _, batch in mixture]
    # Fabric takes the mean over processes. Weighted by its share, each one's mean over its own
    # clips adds up to the mean over all, also where parts differ.
    total = multi_task_loss(
        {task.head: loss["total"] for (task, _), loss in zip(mixture, losses, strict=True)},
        {
            task.head: task.weight * share * ranks.size
            for (task, _), share in zip(mixture, shares, strict=True)
        },
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
    batches = [batch for _, batch in mixture]
    return _of_all(ranks, losses, batches, shares), norm


def _of_all(
    ranks: Ranks, losses: list[dict[str, Tensor]], batches: list[Batch], shares: list[float]
) -> list[dict[str, Tensor]]:
    """Each task's losses, and clips named rightly, of all processes together."""
    rows = []
    for loss, batch, share in zip(losses, batches, shares, strict=True):
        means = torch.stack([loss[name].detach().double() for name in MEANS]) * share
        right = (loss["logits"].argmax(1) == batch.labels).sum() * (share > 0)
        rows.append(torch.cat([means, right[None]]))
    found = ranks.sum(torch.stack(rows))  # (tasks, losses and right)
    return [dict(zip((*MEANS, "right"), row, strict=True)) for row in found]
