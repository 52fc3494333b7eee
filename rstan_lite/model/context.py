"""One step's attention over all streams, and the record of the scores of all steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rstan_lite.model.attention import (
    frame_scores,
    gather_frames,
    gather_places,
    location_scores,
    project_cubes,
    sharpened_softmax,
)
from rstan_lite.model.config import RSTANConfig
from rstan_lite.model.fusion import fuse_scores
from rstan_lite.model.output import Attention
from rstan_lite.model.parameters import Stream


@dataclass(frozen=True)
class StepContext:
    """What one step attended to, by stream: (B, n, P), (B, n) and phi (B, d_cv).

    alpha, beta: each stream's own scores.  alpha_com, beta_com: those it used, which are one
    and the same tensor for all streams where they are fused.
    """

    alpha: dict[str, Tensor]
    alpha_com: dict[str, Tensor]
    beta: dict[str, Tensor]
    beta_com: dict[str, Tensor]
    phi: dict[str, Tensor]


def attended_frames(config: RSTANConfig, t: int, steps: int) -> range:
    """Frames that step t looks at; a window that reaches past the clip is shorter there."""
    if config.attention == "all":
        return range(steps)
    size = 1 if config.attention == "current" else config.window
    return range(t, min(t + size, steps))


@dataclass(frozen=True)
class AttendedClip:
    """What one stream offers to look at, computed once per video.

    cubes: (B, T, P, d_cv).
    projected: A_cv CV, (B, T, P, d_att), or for a window its T frames (B, P, d_att). Cutting
        it up once, rather than slicing it at every step, spares the backward pass a zero-filled
        gradient of the whole clip for each step.
    """

    cubes: Tensor
    projected: Tensor | tuple[Tensor, ...]

    @classmethod
    def prepare(cls, config: RSTANConfig, cubes: Tensor, A_cv: Tensor) -> AttendedClip:
        projected = project_cubes(cubes, A_cv)
        return cls(cubes, projected if config.attention == "all" else projected.unbind(dim=1))

    def at(self, frames: range) -> tuple[Tensor, Tensor]:
        """Cubes (B, n, P, d_cv) and projection (B, n, P, d_att) of n neighbouring frames."""
        part = slice(frames.start, frames.stop)
        projected = self.projected
        if not isinstance(projected, Tensor):
            return self.cubes[:, part], torch.stack(projected[part], dim=1)
        return self.cubes[:, part], projected[:, part]


def attend(
    config: RSTANConfig,
    streams: Mapping[str, Stream],
    h: Mapping[str, Tensor],
    clips: Mapping[str, AttendedClip],
    frames: range,
    frame_mask: Tensor | None,
) -> StepContext:
    """Attend to the given frames in all streams, fusing as the config says (Eq. 2-7, 14-15).

    h[stream]: (B, d_h).  clips[stream]: of all T frames.  frame_mask: (B, T) bool or None.
    """
    seen = {s: clips[s].at(frames) for s in streams}
    valid = None if frame_mask is None else frame_mask[:, frames.start : frames.stop]  # (B, n)
    alpha: dict[str, Tensor] = {}
    for s, p in streams.items():
        scores = location_scores(h[s], seen[s][1], p.A_h, p.v_a, p.b_a)  # Eq. 2
        alpha[s] = sharpened_softmax(scores, config.gamma_alpha)  # Eq. 3
    alpha_com = _fuse(config, alpha)  # Eq. 14
    L = {s: gather_places(alpha_com[s], seen[s][0]) for s in streams}  # Eq. 4
    beta: dict[str, Tensor] = {}
    for s, p in streams.items():
        scores = frame_scores(h[s], L[s], p.B_h, p.B_L, p.v_b, p.b_b)  # Eq. 5
        beta[s] = sharpened_softmax(scores, config.gamma_beta, valid)  # Eq. 6
    beta_com = _fuse(config, beta)  # Eq. 15
    phi = {s: gather_frames(beta_com[s], L[s]) for s in streams}  # Eq. 7
    return StepContext(alpha, alpha_com, beta, beta_com, phi)


def _fuse(config: RSTANConfig, scores: dict[str, Tensor]) -> dict[str, Tensor]:
    if config.fusion == "none":
        return scores
    fused = fuse_scores(list(scores.values()), config.fusion, config.renormalize)
    return dict.fromkeys(scores, fused)


def diagonal(config: RSTANConfig, t: int, context: StepContext) -> dict[str, Tensor]:
    """Each stream's map of step t over frame t itself, (B, P)."""
    slot = t if config.attention == "all" else 0
    return {s: alpha[:, slot] for s, alpha in context.alpha_com.items()}


def common(config: RSTANConfig, by_stream: dict[str, Tensor]) -> Tensor | None:
    """The scores that all streams use, or None where each uses its own."""
    if config.fusion == "none" and len(config.streams) > 1:
        return None
    return by_stream[config.streams[0]]


def join_diagonals(
    config: RSTANConfig, maps: Mapping[str, Tensor], frame_mask: Tensor | None
) -> Tensor | dict[str, Tensor]:
    """RSTANOutput.alpha_diagonal from each stream's maps (B, T, P)."""
    if frame_mask is not None:
        maps = {s: alpha * frame_mask[..., None] for s, alpha in maps.items()}
    one = common(config, dict(maps))
    return dict(maps) if one is None else one


def join_attention(
    config: RSTANConfig, contexts: Sequence[StepContext], frame_mask: Tensor | None
) -> Attention:
    """RSTANOutput.attention from the contexts of all T steps."""
    slots = max(context.beta[config.streams[0]].shape[1] for context in contexts)  # N

    def join(field: str) -> dict[str, Tensor]:
        joined = {}
        for s in config.streams:
            scores = [getattr(context, field)[s] for context in contexts]
            rank = scores[0].ndim  # 3 for alpha, 2 for beta
            pads = [(0, 0) * (rank - 2) + (0, slots - score.shape[1]) for score in scores]
            joined[s] = torch.stack(
                [functional.pad(score, pad) for score, pad in zip(scores, pads, strict=True)], dim=1
            )
        return joined

    own = join("alpha"), join("beta")
    return record_attention(config, *own, join("alpha_com"), join("beta_com"), frame_mask)


def record_attention(
    config: RSTANConfig,
    alpha: dict[str, Tensor],
    beta: dict[str, Tensor],
    alpha_com: dict[str, Tensor],
    beta_com: dict[str, Tensor],
    frame_mask: Tensor | None,
) -> Attention:
    """RSTANOutput.attention from scores by stream, alpha (B, T, N, P) and beta (B, T, N).

    alpha_com, beta_com: those that each stream used. Slots past the end of the clip hold 0.
    """
    first = beta[config.streams[0]]
    _, steps, slots = first.shape
    seen = [attended_frames(config, t, steps) for t in range(steps)]
    index = [[*frames, *[steps - 1] * (slots - len(frames))] for frames in seen]
    frames = torch.tensor(index, device=first.device)  # (T, N)
    sizes = torch.tensor([len(frames) for frames in seen], device=first.device)
    frames_valid = torch.arange(slots, device=first.device) < sizes[:, None]  # (T, N)
    if frame_mask is not None:  # both the step and the frame are real
        keep = (frame_mask[:, :, None] & frame_mask[:, frames]).to(first.dtype)  # (B, T, N)
        alpha, alpha_com = (
            {s: scores * keep[..., None] for s, scores in part.items()}
            for part in (alpha, alpha_com)
        )
        beta, beta_com = (
            {s: scores * keep for s, scores in part.items()} for part in (beta, beta_com)
        )
    return Attention(
        alpha=common(config, alpha_com),
        beta=common(config, beta_com),
        alpha_stream=alpha,
        beta_stream=beta,
        frames=frames,
        frames_valid=frames_valid,
    )
