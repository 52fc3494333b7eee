"""All steps as the equations are written: the recurrence that the notebooks show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rstan_lite.model.config import RSTANConfig
from rstan_lite.model.context import (
    AttendedClip,
    StepContext,
    attend,
    attended_frames,
    diagonal,
    join_attention,
    join_diagonals,
)
from rstan_lite.model.lstm import project_inputs
from rstan_lite.model.output import Attention
from rstan_lite.model.parameters import Stream


@dataclass(frozen=True)
class Recurred:
    """What a recurrence gives: hidden[stream] (B, T, d_h), the rest as in RSTANOutput."""

    hidden: dict[str, Tensor]
    alpha_diagonal: Tensor | dict[str, Tensor] | None
    attention: Attention | None


def run_plain(
    config: RSTANConfig,
    streams: Mapping[str, Stream],
    cubes: Mapping[str, Tensor],
    vectors: Mapping[str, Tensor],
    frame_mask: Tensor | None,
    dropout: float,
    return_attention: bool,
) -> Recurred:
    """One step after another.

    cubes[stream]: (B, T, P, d_cv), none without attention.  vectors[stream]: (B, T, d_fc), dropout
    done.  frame_mask: (B, T) bool or None.  dropout: probability for Phi, 0 but in training.
    """
    # U_x x and A_cv CV are the same at every step, so they are computed once per video.
    ux = {s: project_inputs(vectors[s], p.U_x) for s, p in streams.items()}  # (B, T, 4 d_h)
    clips = {s: AttendedClip.prepare(config, x, streams[s].A_cv) for s, x in cubes.items()}
    videos, steps = vectors[config.streams[0]].shape[:2]
    h = {s: p.b.new_zeros(videos, config.d_h) for s, p in streams.items()}
    c = dict(h)
    hidden: dict[str, list[Tensor]] = {s: [] for s in streams}
    diagonals: list[dict[str, Tensor]] = []
    contexts: list[StepContext] = []
    for t in range(steps):
        phi: dict[str, Tensor] = {}
        if clips:
            frames = attended_frames(config, t, steps)
            context = attend(config, streams, h, clips, frames, frame_mask)
            phi = {s: functional.dropout(value, dropout) for s, value in context.phi.items()}
            diagonals.append(diagonal(config, t, context))
            if return_attention:
                contexts.append(context)
        for s, p in streams.items():
            state = p.advance(ux[s][:, t], h[s], c[s], phi.get(s))
            if frame_mask is not None:
                real = frame_mask[:, t, None]  # (B, 1)
                state = torch.where(real, state[0], h[s]), torch.where(real, state[1], c[s])
            h[s], c[s] = state
            hidden[s].append(h[s])
    maps = {s: torch.stack([step[s] for step in diagonals], dim=1) for s in streams if diagonals}
    return Recurred(
        {s: torch.stack(hidden[s], dim=1) for s in streams},
        join_diagonals(config, maps, frame_mask) if maps else None,
        join_attention(config, contexts, frame_mask) if contexts else None,
    )
