"""Scores of clips by the last step's prediction, and what they say about a model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rstan_lite.errors import ConfigError, DataError
from rstan_lite.model.losses import main_loss
from rstan_lite.model.output import RSTANOutput, last_step
from rstan_lite.model.rstan import RSTAN
from rstan_lite.training.batches import ClipFeatures, ordered_batches
from rstan_lite.training.metrics import accuracy, attention_on_silhouette


@dataclass(frozen=True)
class Evaluation:
    """A model's answers on n clips.

    scores: (n, C) softmax of the last step, a probability a class. labels: (n,).
    loss: Eq. 17 a video, None without clips.
    attention_share: share of the attention that falls on the silhouette, mean over the frames
    that show one; area_share: what evenly spread attention would get; both None where there is no
    attention or no silhouette.
    """

    scores: Tensor
    labels: Tensor
    loss: float | None
    attention_share: float | None
    area_share: float | None

    @property
    def accuracy(self) -> float | None:
        """Share of clips named rightly, None without clips."""
        return accuracy(self.scores, self.labels)


@torch.no_grad()
def evaluate(
    model: RSTAN,
    features: ClipFeatures,
    head: str,
    steps: int,
    batch_size: int = 32,
    precision: str = "32",
    views: int = 1,
) -> Evaluation:
    """Run a model over clips, T = steps equally spaced frames of each, on the model's device.

    views: average the softmax over the first so many stored views (1: the centre crop alone).
    Raises ConfigError where the features hold fewer frames or views than that, DataError naming a
    clip whose scores are not finite.
    """
    if len(features) == 0:
        empty = torch.zeros(0, len(features.classes))
        return Evaluation(empty, torch.zeros(0, dtype=torch.long), None, None, None)
    for name, wanted, stored in (
        ("--frames", steps, features.stored_frames),
        ("views", views, features.views),
    ):
        if wanted > stored:
            raise ConfigError(name, str(wanted), f"at most the {stored} stored of a clip")
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    of_views: list[Tensor] = []
    loss = torch.zeros((), dtype=torch.float64, device=device)
    share, area, shown = loss.clone(), loss.clone(), loss.clone()
    for view in range(views):
        scores, truth = [], []
        for batch in ordered_batches(features, batch_size, steps, device, view):
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                output = model(batch.cubes, batch.vectors, head=head)
            scores.append(last_step(output.logits).float().softmax(-1).cpu())
            _check_finite(scores[-1], batch.rows, features)
            truth.append(batch.labels.cpu())
            loss += main_loss(output, batch.labels).double() * len(batch.labels)
            for alpha in attention_maps(output):
                sums = attention_on_silhouette(alpha.float(), batch.target)
                share, area, shown = share + sums[0], area + sums[1], shown + sums[2]
        of_views.append(torch.cat(scores))
        labels = torch.cat(truth)
    model.train(was_training)
    frames = float(shown)
    return Evaluation(
        torch.stack(of_views).mean(0),
        labels,
        float(loss) / (len(labels) * views),
        float(share) / frames if frames else None,
        float(area) / frames if frames else None,
    )


def _check_finite(scores: Tensor, rows: Tensor, features: ClipFeatures) -> None:
    bad = rows[~torch.isfinite(scores).all(1)].tolist()
    if bad:
        raise DataError(
            features.names[bad[0]],
            "scores that are not finite",
            "finite features and weights",
            "Extract its features again; if it is the same with every clip, lower --lr.",
        )


def attention_maps(output: RSTANOutput) -> list[Tensor]:
    """The maps over the current frame, (B, T, P): the fused one, one a stream, or none."""
    diagonal = output.alpha_diagonal
    if diagonal is None:
        return []
    return [diagonal] if isinstance(diagonal, Tensor) else list(diagonal.values())
