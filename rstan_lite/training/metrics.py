"""Accuracy, per class and in all, the confusion matrix, and attention on the silhouette."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import binomtest
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


def accuracy_interval(right: int, clips: int, level: float = 0.95) -> tuple[float, float] | None:
    """Wilson's interval of an accuracy: what shares would not be surprised by `right` of `clips`.

    It holds for clips drawn one by one; clips cut from one video are alike, so the true uncertainty
    is larger. Returns its ends in [0, 1], None without clips.
    """
    if clips == 0:
        return None
    found = binomtest(right, clips).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def bootstrap_accuracy(right: np.ndarray, draws: int = 2000, seed: int = 0) -> np.ndarray:
    """Accuracies of data sets drawn from the clips with replacement, (draws, ...).

    right: (n, ...) true where a clip is named rightly; further axes, such as models, are drawn
    together, so that their differences are of the same clips.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(right), size=(draws, len(right)))
    return np.asarray(right, np.float64)[drawn].mean(1)


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


def silhouette_sums(alpha: Tensor, target: Tensor) -> Tensor:
    """Attention inside the actor's silhouette, summed over each clip's frames that show one.

    alpha: (B, T, P) non-negative attention on the current frame (the diagonal map of Eq. 18);
        it is normalised to sum to one first, as fused maps sum to up to two.
    target: (B, T, P), M of Eq. 18; its positive places are the silhouette.
    Returns (B, 3) float64: the attention's share, the silhouette's share of the area (what
    attention spread evenly would get), and the number of frames with a silhouette.
    """
    inside = target > 0
    shown = inside.any(-1)  # (B, T)
    normalised = alpha / alpha.sum(-1, keepdim=True).clamp_min(1e-12)
    share = (normalised * inside).sum(-1) * shown
    area = inside.float().mean(-1) * shown
    return torch.stack([share, area, shown], -1).double().sum(1)


def attention_on_silhouette(alpha: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`silhouette_sums` of all clips together: three sums over the B*T frames."""
    share, area, frames = silhouette_sums(alpha, target).sum(0)
    return share, area, frames
