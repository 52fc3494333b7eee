"""The whole network: streams that attend, meet, remember and predict (Eq. 2-16)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rstan_lite.model.config import RSTANConfig
from rstan_lite.model.fast import Plan, choose_plan, run_fast
from rstan_lite.model.output import RSTANOutput, check_inputs
from rstan_lite.model.parameters import Classifier, Stream
from rstan_lite.model.plain import run_plain
from rstan_lite.system.errors import ConfigError


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
        given = {s: self._drop(self._in_own_type(vectors[s])) for s in streams}
        seen = {}
        if config.attention != "none" and cubes is not None:
            seen = {s: self._in_own_type(cubes[s]) for s in streams}
        device = given[config.streams[0]].device
        run = run_plain if self.plan(device, return_attention).name == "plain" else run_fast
        dropout = config.dropout if self.training else 0.0
        result = run(config, streams, seen, given, frame_mask, dropout, return_attention)
        logits, stream_logits = classifier({s: self._drop(h) for s, h in result.hidden.items()})
        return RSTANOutput(logits, stream_logits, result.alpha_diagonal, result.attention)

    def plan(self, device: torch.device, return_attention: bool = False) -> Plan:
        """How forward would run now, and why. Raises ConfigError where it can't as demanded."""
        recorded = torch.is_grad_enabled() and return_attention
        return choose_plan(self.config, device, scores_with_gradient=recorded)

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
