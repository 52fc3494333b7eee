"""The whole network: streams that attend, meet, remember and predict (Eq. 2-16)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rstan_lite.errors import ConfigError
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
from rstan_lite.model.output import RSTANOutput, check_inputs
from rstan_lite.model.parameters import Classifier, Stream


class RSTAN(nn.Module):
    """The recurrent spatial-temporal attention network of Section III.

    Order inside a step: alpha of each stream, fused; L of each stream from the fused alpha; beta
    of each stream, fused; Phi of each stream from the fused beta; one LSTM step of each stream.
    States start at 0, so the first step attends by content alone.
    """

    def __init__(self, config: RSTANConfig):
        super().__init__()
        self.config = config
        self.streams = nn.ModuleDict({s: Stream(config, s) for s in config.streams})
        self.heads = nn.ModuleDict({k: Classifier(config, n) for k, n in config.heads.items()})

    def forward(
        self,
        cubes: Mapping[str, Tensor] | None,
        vectors: Mapping[str, Tensor],
        head: str | None = None,
        frame_mask: Tensor | None = None,
        return_attention: bool = False,
    ) -> RSTANOutput:
        """Run a batch of clips through all steps.

        cubes[stream]: (B, T, P, d_cv), not read when attention is "none".
        vectors[stream]: (B, T, d_fc). Both of any float type; finite, also where padded.
        head: the data set whose classifier to use; may be left out when there is one.
        frame_mask: (B, T) bool, True for a real frame, False for padding. Padded frames are
            never attended, and a padded step leaves the state as it was.
        return_attention: keep the scores of all steps, (B, T, N, P) floats a stream.

        Raises DataError for shapes that disagree, ConfigError for an unknown head.
        """
        config, classifier = self.config, self._classifier(head)
        check_inputs(config, cubes, vectors, frame_mask)
        streams = {s: cast(Stream, self.streams[s]) for s in config.streams}
        # U_x x and A_cv CV are the same at every step, so they are computed once per video.
        ux = {
            s: project_inputs(self._drop(self._in_own_type(vectors[s])), p.U_x)  # (B, T, 4 d_h)
            for s, p in streams.items()
        }
        clips: dict[str, AttendedClip] = {}
        if config.attention != "none" and cubes is not None:
            clips = {
                s: AttendedClip.prepare(config, self._in_own_type(cubes[s]), p.A_cv)
                for s, p in streams.items()
            }
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
                phi = {s: self._drop(value) for s, value in context.phi.items()}
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
        logits, stream_logits = classifier(
            {s: self._drop(torch.stack(hidden[s], dim=1)) for s in streams}  # (B, T, d_h)
        )
        return RSTANOutput(
            logits=logits,
            stream_logits=stream_logits,
            alpha_diagonal=join_diagonals(config, diagonals, frame_mask) if diagonals else None,
            attention=join_attention(config, contexts, frame_mask) if contexts else None,
        )

    def _classifier(self, head: str | None) -> Classifier:
        names = list(self.config.heads)
        if head is None and len(names) == 1:
            head = names[0]
        if head not in names:
            found = "none, with several to choose from" if head is None else repr(head)
            raise ConfigError("head", found, f"one of {', '.join(names)}")
        return cast(Classifier, self.heads[head])

    def _drop(self, value: Tensor) -> Tensor:
        return functional.dropout(value, self.config.dropout, self.training)

    def _in_own_type(self, value: Tensor) -> Tensor:
        """Turn stored half precision into the parameters' type; autocast chooses by itself."""
        if torch.is_autocast_enabled(value.device.type):
            return value
        return value.to(cast(Stream, self.streams[self.config.streams[0]]).b.dtype)
