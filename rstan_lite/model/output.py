"""What an RSTAN returns, and the checks on what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rstan_lite.model.config import RSTANConfig
from rstan_lite.system.errors import DataError

# Not frozen: Lightning Fabric converts the floats of what a model returns, and refuses to do so in
# a frozen dataclass.


@dataclass
class Attention:
    """Attention scores of every step, with N slots for attended frames.

    alpha, beta: (B, T, N, P) and (B, T, N) as Eq. 4 and Eq. 7 use them: fused, or those of
        the only stream. None where two streams are not fused, since there is no common map.
    alpha_stream, beta_stream: the same of each stream before fusion; alpha sums to 1 over P,
        beta to 1 over N.
    frames: (T, N) int64, the frame in each slot.
    frames_valid: (T, N) bool, False for a slot that lies past the end of the clip.
    Scores are 0 in slots past the end, for padded frames and at padded steps.
    """

    alpha: Tensor | None
    beta: Tensor | None
    alpha_stream: dict[str, Tensor]
    beta_stream: dict[str, Tensor]
    frames: Tensor
    frames_valid: Tensor


@dataclass
class RSTANOutput:
    """Predictions of every step.

    logits: (B, T, C). Their softmax is y_hat of Eq. 16, or the streams' averaged softmax where
        the classifier is "score". At a padded step they repeat the last real one's.
    stream_logits: (B, T, C) of each stream, for the classifier "score", else None.
    alpha_diagonal: (B, T, P), the map of step t over its own frame t, which Eq. 18 compares
        with the silhouette; a dict of one such map a stream where two streams are not fused;
        None without attention. 0 at padded steps.
    attention: all scores, where asked for and where there is attention.
    """

    logits: Tensor
    stream_logits: dict[str, Tensor] | None
    alpha_diagonal: Tensor | dict[str, Tensor] | None
    attention: Attention | None


def last_step(logits: Tensor, frame_mask: Tensor | None = None) -> Tensor:
    """Prediction of the last real step, the paper's rule for testing.

    logits: (B, T, C).  frame_mask: (B, T) bool, True for a real frame.  Returns (B, C).
    Raises DataError where shapes disagree or a clip has no real frame.
    """
    if logits.ndim != 3:
        raise DataError("logits", shape_of(logits), "shape (B, T, C)")
    if frame_mask is None:
        return logits[:, -1]
    check_mask(frame_mask, logits.shape[0], logits.shape[1])
    steps = torch.arange(1, logits.shape[1] + 1, device=frame_mask.device)
    last = (frame_mask * steps).argmax(dim=1)  # (B,)
    return logits[torch.arange(len(logits), device=logits.device), last]


def shape_of(value: object) -> str:
    """Words for an error: the shape of a tensor, else the type."""
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def check_mask(frame_mask: Tensor, videos: int, steps: int) -> None:
    """Raise DataError unless the mask is (B, T) bool with a real frame in each video."""
    if frame_mask.shape != (videos, steps) or frame_mask.dtype != torch.bool:
        found = f"{shape_of(frame_mask)} of {frame_mask.dtype}"
        raise DataError("frame_mask", found, f"shape {(videos, steps)} of torch.bool")
    if not bool(frame_mask.any(dim=1).all()):
        raise DataError("frame_mask", "a video without a real frame", "True at least once a row")


def check_inputs(
    config: RSTANConfig,
    cubes: Mapping[str, Tensor] | None,
    vectors: Mapping[str, Tensor],
    frame_mask: Tensor | None,
) -> None:
    """Raise DataError, naming the tensor, unless all shapes agree with the config and each other.

    Streams that the config doesn't name may be present; they are not read.
    """
    need = {"vectors": (vectors, config.d_fc, 3)}
    if config.attention != "none":
        need["cubes"] = ({} if cubes is None else cubes, config.d_cv, 4)
    leading: tuple[int, ...] | None = None  # (B, T), the same everywhere
    places: int | None = None
    for name, (tensors, width, ndim) in need.items():
        for stream in config.streams:
            where = f"{name}[{stream!r}]"
            if stream not in tensors:
                raise DataError(where, f"only {sorted(tensors)}", "a tensor for this stream")
            value = tensors[stream]
            letters = (*"BTP"[: ndim - 1], str(width[stream]))
            if not isinstance(value, Tensor) or value.ndim != ndim or 0 in value.shape:
                raise DataError(where, shape_of(value), f"shape ({', '.join(letters)})")
            leading = leading or tuple(value.shape[:2])
            places = places or (value.shape[2] if ndim == 4 else None)
            right = (*leading, *((places,) if ndim == 4 else ()), width[stream])
            if tuple(value.shape) != right:
                raise DataError(where, shape_of(value), f"shape {right}")
    if frame_mask is not None and leading is not None:
        check_mask(frame_mask, leading[0], leading[1])
