"""What an RSTAN returns: predictions, and the attention weights of every step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

from rstan_lite.model.checks import check_mask, shape_of
from rstan_lite.system.errors import DataError


@dataclass
class Attention:
    """Attention weights of every step, with N slots for attended frames.

    alpha, beta: (B, T, N, P) and (B, T, N) as Eq. 4 and Eq. 7 use them; None where two streams
        are not fused.
    alpha_stream, beta_stream: of each stream before fusion; they sum to 1 over P and over N.
    frames: (T, N) int64, the frame in each slot.
    frames_valid: (T, N) bool, False for a slot that lies past the end of the clip.
    Weights are 0 in slots past the end, for padded frames and at padded steps.
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

    logits: (B, T, C). Their softmax is y_hat of Eq. 16, or the streams' averaged softmax. At a
        padded step they repeat the last real one's.
    stream_logits: (B, T, C) of each stream, for the classifier "score", else None.
    alpha_diagonal: (B, T, P), the map of step t over frame t (Eq. 18), 0 at padded steps; a dict
        of one a stream where two streams are not fused; None without attention.
    attention: all weights, where asked for and where there is attention.
    """

    logits: Tensor
    stream_logits: dict[str, Tensor] | None
    alpha_diagonal: Tensor | dict[str, Tensor] | None
    attention: Attention | None


# So that `torch.export` and ONNX know what `forward` returns. None stays None, a tensor a tensor.
for _record in (Attention, RSTANOutput):
    torch.export.register_dataclass(_record, serialized_type_name=f"rstan_lite.{_record.__name__}")


class Attended(NamedTuple):
    """What one step attended to, by stream: alpha (B, N, P), beta (B, N), phi (B, d_cv).

    alpha_com, beta_com: the weights that it used, one tensor for all streams where they are fused.
    """

    alpha: dict[str, Tensor]
    alpha_com: dict[str, Tensor]
    beta: dict[str, Tensor]
    beta_com: dict[str, Tensor]
    phi: dict[str, Tensor]


class Recurred(NamedTuple):
    """What a loop over time gives, by stream: hidden (B, T, d_h), and with attention the rest.

    maps: (B, T, P), the used map of each step over its own frame.
    looks: all steps, alpha (B, T, N, P) and beta (B, T, N), where asked for.
    """

    hidden: dict[str, Tensor]
    maps: dict[str, Tensor]
    looks: Attended | None

    @classmethod
    def stack(
        cls, hidden: Mapping[str, Sequence[Tensor]], maps: Mapping[str, Sequence[Tensor]],
        looks: Sequence[Attended],
    ) -> Self:  # fmt: skip
        """From lists over the steps; looks that are shorter at the clip's end get slots of 0."""
        states = {s: torch.stack(tuple(steps), dim=1) for s, steps in hidden.items()}
        alphas = {s: torch.stack(tuple(steps), dim=1) for s, steps in maps.items()}
        if not looks:
            return cls(states, alphas, None)
        slots = max(next(iter(look.beta.values())).shape[1] for look in looks)  # N

        def joined(field: str) -> dict[str, Tensor]:
            found: dict[str, Tensor] = {}
            for s, first in getattr(looks[0], field).items():
                weights = [getattr(look, field)[s] for look in looks]
                places = (0, 0) * (first.ndim - 2)
                padded = [functional.pad(w, (*places, 0, slots - w.shape[1])) for w in weights]
                found[s] = torch.stack(padded, dim=1)
            return found

        alpha, alpha_com, beta = joined("alpha"), joined("alpha_com"), joined("beta")
        return cls(states, alphas, Attended(alpha, alpha_com, beta, joined("beta_com"), {}))


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


def average_scores(stream_logits: Sequence[Tensor]) -> Tensor:
    """The logarithm, (..., C), of the averaged softmax of the streams' logits (..., C)."""
    logs = torch.stack([torch.log_softmax(logits, dim=-1) for logits in stream_logits])
    return torch.logsumexp(logs, dim=0) - math.log(len(stream_logits))


def read_out(
    found: Recurred, frames: Sequence[range], shared: bool, frame_mask: Tensor | None
) -> tuple[Tensor | dict[str, Tensor] | None, Attention | None]:
    """RSTANOutput.alpha_diagonal and .attention. shared: all streams used the same weights."""
    if not found.maps:
        return None, None
    maps = found.maps
    if frame_mask is not None:
        maps = {s: alpha * frame_mask[..., None] for s, alpha in maps.items()}
    diagonal = next(iter(maps.values())) if shared else maps
    if found.looks is None:
        return diagonal, None
    alpha, alpha_com, beta, beta_com, _ = found.looks
    first = next(iter(beta.values()))
    slots, device = first.shape[2], first.device
    index = [[*seen, *[len(frames) - 1] * (slots - len(seen))] for seen in frames]
    shown = torch.tensor(index, device=device)  # (T, N)
    sizes = torch.tensor([len(seen) for seen in frames], device=device)
    if frame_mask is not None:  # both the step and the frame are real
        keep = (frame_mask[:, :, None] & frame_mask[:, shown]).to(first.dtype)  # (B, T, N)
        places = keep[..., None]
        alpha, alpha_com = ({s: w * places for s, w in a.items()} for a in (alpha, alpha_com))
        beta, beta_com = ({s: w * keep for s, w in b.items()} for b in (beta, beta_com))
    used = [next(iter(weights.values())) if shared else None for weights in (alpha_com, beta_com)]
    return diagonal, Attention(
        alpha=used[0], beta=used[1], alpha_stream=alpha, beta_stream=beta, frames=shown,
        frames_valid=torch.arange(slots, device=device) < sizes[:, None],  # (T, N)
    )  # fmt: skip
