"""Accuracy, per class and in all, the confusion matrix, and attention on the silhouette."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
)

# torchmetrics counts classes from two on; a single class is answered here.


def accuracy(scores: Tensor, labels: Tensor) -> float | None:
    """Share of clips whose highest score is their label; None without clips.

    scores: (n, C), any monotone scores. labels: (n,).
    """
    if len(labels) == 0:
        return None
    if scores.shape[1] < 2:
        return 1.0
    correct = multiclass_accuracy(scores.argmax(1), labels, scores.shape[1], average="micro")
    return float(correct)


def per_class(scores: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, float | None]:
    """Accuracy within each class; None for a class without clips."""
    counts = confusion(scores, labels)  # (C, C)
    of_class = counts.sum(1).tolist()
    right = counts.diagonal().tolist()
    return {name: right[i] / of_class[i] if of_class[i] else None for i, name in enumerate(classes)}


def confusion(scores: Tensor, labels: Tensor) -> Tensor:
    """(C, C) counts: row the true class, column the predicted one."""
    if scores.shape[1] < 2:
        return torch.full((1, 1), len(labels))
    return multiclass_confusion_matrix(scores.argmax(1), labels, scores.shape[1])


def attention_on_silhouette(alpha: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Attention inside the actor's silhouette, summed over the frames that show one.

    alpha: (B, T, P) non-negative attention on the current frame (the diagonal map of Eq. 18);
        it is normalised to sum to one first, as fused maps sum to up to two.
    target: (B, T, P), M of Eq. 18; its positive places are the silhouette.
    Returns three sums over the B*T frames: the attention's share, the silhouette's share of the
    area (what attention spread evenly would get), and the number of frames with a silhouette.
    """
    inside = target > 0
    shown = inside.any(-1)  # (B, T)
    normalised = alpha / alpha.sum(-1, keepdim=True).clamp_min(1e-12)
    share = (normalised * inside).sum(-1)[shown]
    area = inside.float().mean(-1)[shown]
    return share.double().sum(), area.double().sum(), shown.sum()
