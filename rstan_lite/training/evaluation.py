"""A model's answers on clips, and what they say: accuracy, confusion, attention on the actor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.model import RSTAN, RSTANOutput, last_step, main_loss
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.training.batches import ordered_batches


@dataclass(frozen=True)
class Evaluation:
    """A model's answers on n clips.

    scores: (n, C) softmax of the last step. labels: (n,).
    silhouettes: (n, 3) float64, `silhouette_sums` of each clip, over streams that are not fused.
    loss: Eq. 17 a video. attention_share: of the attention, what falls on the silhouette, mean over
    the frames that show one; area_share: what even attention would get. Each is None without clips.
    """

    scores: Tensor
    labels: Tensor
    silhouettes: Tensor
    loss: float | None
    attention_share: float | None
    area_share: float | None

    @property
    def accuracy(self) -> float | None:
        """Share of clips named rightly, None without clips."""
        return accuracy(self.scores, self.labels)


@torch.no_grad()
def evaluate(
    model: RSTAN, features: ClipFeatures, head: str, steps: int, batch_size: int = 32,
    precision: str = "32",
) -> Evaluation:  # fmt: skip
    """Run a model over clips, T = steps equally spaced frames of each, on the model's device.

    The first stored view counts. Raises ConfigError where the features hold fewer frames than that,
    DataError naming a clip whose scores are not finite.
    """
    n, device, classes = len(features), next(model.parameters()).device, model.config.heads[head]
    labels = torch.from_numpy(np.asarray(features.labels)).long()
    scores = torch.zeros(n, classes, device=device)
    silhouettes = torch.zeros(n, 3, dtype=torch.float64, device=device)
    if n == 0:
        return Evaluation(scores.cpu(), labels, silhouettes.cpu(), None, None, None)
    if steps > features.stored_frames:
        expected = f"at most the {features.stored_frames} stored of a clip"
        raise ConfigError("--frames", str(steps), expected)
    sums: list[Tensor] = []
    was_training = model.training
    model.eval()
    try:
        for batch in ordered_batches(features, batch_size, steps, device):
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                output = model(batch.cubes, batch.vectors, head=head)
            scores[batch.rows] = last_step(output.logits).float().softmax(-1)
            if bad := batch.rows[~torch.isfinite(scores[batch.rows]).all(1).cpu()].tolist():
                found, expected = "scores that are not finite", "finite features and weights"
                hint = "Extract its features again; if it is the same with every clip, lower --lr."
                raise DataError(features.names[bad[0]], found, expected, hint)
            for alpha in attention_maps(output):
                silhouettes[batch.rows] += silhouette_sums(alpha.float(), batch.target)
            loss = main_loss(output, batch.labels).double() * len(batch.labels)
            sums.append(torch.cat([loss[None], silhouettes[batch.rows].sum(0)]))
    finally:
        model.train(was_training)
    total, share, area, frames = torch.stack(sums).sum(0).tolist()
    shares = (share / frames, area / frames) if frames else (None, None)
    return Evaluation(scores.cpu(), labels, silhouettes.cpu(), total / n, *shares)


def attention_maps(output: RSTANOutput) -> list[Tensor]:
    """The maps over the current frame, (B, T, P): the fused one, one a stream, or none."""
    diagonal = output.alpha_diagonal
    if diagonal is None:
        return []
    return [diagonal] if isinstance(diagonal, Tensor) else list(diagonal.values())


def accuracy(scores: Tensor, labels: Tensor) -> float | None:
    """Share of (n, C) scores whose highest is the label (n,); None without clips."""
    return float((scores.argmax(1) == labels).float().mean()) if len(labels) else None


def accuracy_interval(right: int, clips: int, level: float = 0.95) -> tuple[float, float] | None:
    """Wilson's interval of an accuracy, its ends in [0, 1]; None without clips.

    It holds for clips drawn one by one; that of clips cut from one video is wider.
    """
    if clips == 0:
        return None
    from scipy.stats import binomtest  # a third of all that training imports

    found = binomtest(right, clips).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def per_class(scores: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, float | None]:
    """Accuracy within each class; None for a class without clips."""
    counts = confusion(scores, labels)  # (C, C)
    of_class, right = counts.sum(1).tolist(), counts.diagonal().tolist()
    return {name: right[i] / of_class[i] if of_class[i] else None for i, name in enumerate(classes)}


def confusion(scores: Tensor, labels: Tensor) -> Tensor:
    """(C, C) counts: row the true class, column the predicted one."""
    n = scores.shape[1]
    return torch.bincount(n * labels + scores.argmax(1), minlength=n * n).reshape(n, n)


def silhouette_sums(alpha: Tensor, target: Tensor) -> Tensor:
    """Attention inside the actor's silhouette, summed over each clip's frames that show one.

    alpha: (B, T, P) attention on the current frame (the map of Eq. 18), which may sum to two.
    target: (B, T, P), M of Eq. 18; its positive places are the silhouette.
    Returns (B, 3) float64: the attention's share, the silhouette's, and the frames that show one.
    """
    inside = target > 0
    shown = inside.any(-1)  # (B, T)
    normalised = alpha / alpha.sum(-1, keepdim=True).clamp_min(1e-12)
    share = (normalised * inside).sum(-1) * shown
    area = inside.float().mean(-1) * shown
    return torch.stack([share, area, shown], -1).double().sum(1)
