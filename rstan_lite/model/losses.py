"""What training minimises: Eq. 17-19, and the weighted sum over data sets."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from rstan_lite.model.checks import check_mask, shape_of
from rstan_lite.model.output import RSTANOutput
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.settings import check_choice


def main_loss(
    output: RSTANOutput | Tensor, labels: Tensor, frame_mask: Tensor | None = None
) -> Tensor:
    """Cross-entropy of every step's prediction (Eq. 17), summed over t, averaged over videos.

    The norm term of Eq. 17 is left to the optimiser's weight decay, which gives lambda / 2 times
    the squared norm rather than lambda times the norm.

    output: an RSTANOutput, or logits (B, T, C). The streams of the classifier "score" are separate
        predictors; the loss is then the sum of their own losses.
    labels: (B,) int64 class of each video.  frame_mask: (B, T) bool; padded steps don't count.
    Returns a scalar. Raises DataError where shapes, types or classes disagree.
    """
    if isinstance(output, Tensor):
        return _cross_entropy(output, labels, frame_mask)
    if output.stream_logits is None:
        return _cross_entropy(output.logits, labels, frame_mask)
    losses = [_cross_entropy(part, labels, frame_mask) for part in output.stream_logits.values()]
    return torch.stack(losses).sum()


def _cross_entropy(logits: Tensor, labels: Tensor, frame_mask: Tensor | None) -> Tensor:
    if logits.ndim != 3:
        raise DataError("logits", shape_of(logits), "shape (B, T, C)")
    videos, steps, classes = logits.shape
    if labels.shape != (videos,) or labels.dtype != torch.int64:
        found = f"{shape_of(labels)} of {labels.dtype}"
        raise DataError("labels", found, f"shape {(videos,)} of torch.int64")
    if bool(((labels < 0) | (labels >= classes)).any()):
        raise DataError("labels", f"{labels.tolist()}", f"classes from 0 to {classes - 1}")
    repeated = labels[:, None].expand(videos, steps)  # (B, T)
    losses = functional.cross_entropy(logits.transpose(1, 2), repeated, reduction="none")
    if frame_mask is not None:
        check_mask(frame_mask, videos, steps)
        losses = losses * frame_mask
    return losses.sum() / videos


def actor_attention_loss(
    alpha_diagonal: Tensor | Mapping[str, Tensor], target: Tensor,
    frame_mask: Tensor | None = None, kind: str = "l2",
) -> Tensor:  # fmt: skip
    """Distance of each step's own map from the silhouette (Eq. 18), averaged over videos.

    alpha_diagonal: (B, T, P), RSTANOutput.alpha_diagonal. Two streams that are not fused have
        a map each, as a dict; the loss is then the mean of theirs.
    target: (B, T, P), M: a row sums to 1, or to 0 without a silhouette, and contributes nothing.
    frame_mask: (B, T) bool; padded steps contribute nothing.
    kind: "l2", the squared differences summed over t and places; or "ce", the cross-entropy
        -sum M log(alpha / sum alpha) of Table II; a score below the smallest float counts as that.
    Returns a scalar. Raises DataError for shapes that disagree, ConfigError for another kind.
    """
    check_choice("kind", kind, ("l2", "ce"))
    if not isinstance(alpha_diagonal, Tensor):
        maps = alpha_diagonal.values()
        losses = [actor_attention_loss(one, target, frame_mask, kind) for one in maps]
        return torch.stack(losses).mean()
    if target.shape != alpha_diagonal.shape:
        raise DataError("target", shape_of(target), f"the map's {shape_of(alpha_diagonal)}")
    has_actor = target.sum(dim=-1) > 0  # (B, T)
    if frame_mask is not None:
        check_mask(frame_mask, target.shape[0], target.shape[1])
        has_actor = has_actor & frame_mask
    if kind == "l2":
        rows = (alpha_diagonal - target).square().sum(dim=-1)  # (B, T)
    else:
        tiny = torch.finfo(alpha_diagonal.dtype).tiny
        total = alpha_diagonal.sum(dim=-1, keepdim=True)
        logs = alpha_diagonal.clamp_min(tiny).log() - total.clamp_min(tiny).log()
        rows = -(target * logs).sum(dim=-1)
    return (rows * has_actor).sum() / len(target)


def total_loss(main: Tensor, actor_attention: Tensor, lambda_aa: float) -> Tensor:
    """The main loss plus lambda_AA times the actor-attention loss (Eq. 19)."""
    return main + lambda_aa * actor_attention


def multi_task_loss(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Weighted sum of the data sets' losses; the paper weighs UCF101 0.1 and JHMDB 1.

    Raises ConfigError where the names of losses and weights differ or there are none.
    """
    if not losses or set(losses) != set(weights):
        raise ConfigError("weights", f"{sorted(weights)}", f"one for each of {sorted(losses)}")
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
