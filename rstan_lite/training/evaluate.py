"""Scores of clips by the last step's prediction, and what they say about a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rstan_lite.model.losses import main_loss
from rstan_lite.model.output import RSTANOutput, last_step
from rstan_lite.model.rstan import RSTAN
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.ranks import ALONE, Ranks
from rstan_lite.training.batches import Batch, ClipFeatures, ordered_batches
from rstan_lite.training.metrics import accuracy, silhouette_sums


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
    ranks: Ranks = ALONE,
) -> Evaluation:
    """Run a model over clips, T = steps equally spaced frames of each, on the model's device.

    The first stored view counts: the centre crop, or that of a test sequence.
    ranks: processes that share the work, batch by batch, so that all get the answer of one, to the
    bit: a batch's composition is the same.
    Raises ConfigError where the features hold fewer frames than that, DataError naming a clip whose
    scores are not finite.
    """
    if len(features) == 0:
        empty = torch.zeros(0, len(features.classes))
        return Evaluation(empty, torch.zeros(0, dtype=torch.long), None, None, None)
    device = next(model.parameters()).device
    scores = torch.zeros(len(features), model.config.heads[head], device=device)
    sums = torch.zeros(math.ceil(len(features) / batch_size), 4, dtype=torch.float64, device=device)
    for batch, output in _outputs(model, features, head, steps, batch_size, precision, ranks):
        found = last_step(output.logits).float().softmax(-1)
        _check_finite(found.cpu(), batch.rows, features)
        scores[batch.rows] = found
        row = sums[int(batch.rows[0]) // batch_size]
        row[0] = main_loss(output, batch.labels).double() * len(batch.labels)
        row[1:] = _on_silhouette(output, batch).sum(0)
    scores, sums = ranks.sum(scores).cpu(), ranks.sum(sums).cpu()  # places of others are 0
    loss, share, area, frames = (float(x) for x in sums.sum(0))
    return Evaluation(
        scores,
        torch.from_numpy(np.asarray(features.labels)).long(),
        loss / len(features),
        share / frames if frames else None,
        area / frames if frames else None,
    )


@torch.no_grad()
def evaluate_silhouettes(
    model: RSTAN,
    features: ClipFeatures,
    head: str,
    steps: int,
    batch_size: int = 32,
    precision: str = "32",
) -> Tensor:
    """What `evaluate` measures of the attention on the silhouette, clip by clip.

    Returns (n, 3) float64 on the CPU, sums over a clip's frames that show a silhouette (and over
    the streams, where these are not fused): the attention's share, the silhouette's share of the
    area, and their number. Zeros for a model without attention and for clips without a silhouette.
    Raises ConfigError as `evaluate` does.
    """
    sums = torch.zeros(len(features), 3, dtype=torch.float64)
    for batch, output in _outputs(model, features, head, steps, batch_size, precision, ALONE):
        sums[batch.rows] = _on_silhouette(output, batch).cpu()
    return sums


def _outputs(
    model: RSTAN,
    features: ClipFeatures,
    head: str,
    steps: int,
    batch_size: int,
    precision: str,
    ranks: Ranks,
) -> Iterator[tuple[Batch, RSTANOutput]]:
    """Each mini-batch with a model's output, in evaluation mode; the mode before is put back."""
    if len(features) and steps > features.stored_frames:
        stored = features.stored_frames
        raise ConfigError("--frames", str(steps), f"at most the {stored} stored of a clip")
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        for batch in ordered_batches(features, batch_size, steps, device, ranks):
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                output = model(batch.cubes, batch.vectors, head=head)
            yield batch, output
    finally:
        model.train(was_training)


def _on_silhouette(output: RSTANOutput, batch: Batch) -> Tensor:
    """`silhouette_sums` of a batch, (B, 3), over all its maps."""
    zeros = torch.zeros(len(batch.rows), 3, dtype=torch.float64, device=batch.target.device)
    maps = attention_maps(output)
    return sum((silhouette_sums(alpha.float(), batch.target) for alpha in maps), zeros)


def average(results: Sequence[Evaluation]) -> Evaluation:
    """The mean of several answers on the same clips: of scores, losses and shares.

    results: one or more, with the same labels.
    """
    return Evaluation(
        torch.stack([result.scores for result in results]).mean(0),
        results[0].labels,
        _mean([result.loss for result in results]),
        _mean([result.attention_share for result in results]),
        _mean([result.area_share for result in results]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


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
