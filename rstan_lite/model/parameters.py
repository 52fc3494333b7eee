"""What an RSTAN learns: the parameters of a stream and of a data set's classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rstan_lite.model.config import RSTANConfig
from rstan_lite.model.fusion import average_scores, classify
from rstan_lite.model.lstm import GATES, lstm_step


class Stream(nn.Module):
    """Parameters of one stream, under the paper's symbols.

    Always: U_x (4 d_h, d_fc), U_h (4 d_h, d_h), b (4 d_h,), in gate blocks i, f, o, g.
    With attention also U_phi (4 d_h, d_cv); A_h (d_att, d_h), A_cv (d_att, d_cv), v_a and b_a
    (d_att,) of Eq. 2; B_h, B_L, v_b and b_b, of the same shapes, of Eq. 5.
    """

    U_x: nn.Parameter
    U_h: nn.Parameter
    U_phi: nn.Parameter
    b: nn.Parameter
    A_h: nn.Parameter
    A_cv: nn.Parameter
    v_a: nn.Parameter
    b_a: nn.Parameter
    B_h: nn.Parameter
    B_L: nn.Parameter
    v_b: nn.Parameter
    b_b: nn.Parameter

    def __init__(self, config: RSTANConfig, stream: str):
        super().__init__()
        d_h, d_att, d_fc = config.d_h, config.d_att, config.d_fc[stream]
        shapes: dict[str, tuple[int, ...]] = {
            "U_x": (4 * d_h, d_fc),
            "U_h": (4 * d_h, d_h),
            "b": (4 * d_h,),
        }
        if config.attention != "none":
            d_cv = config.d_cv[stream]
            shapes |= {"U_phi": (4 * d_h, d_cv)}
            shapes |= {"A_h": (d_att, d_h), "A_cv": (d_att, d_cv), "v_a": (d_att,), "b_a": (d_att,)}
            shapes |= {"B_h": (d_att, d_h), "B_L": (d_att, d_cv), "v_b": (d_att,), "b_b": (d_att,)}
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw fresh values.

        U_h is orthogonal gate by gate, which keeps the length of h over many steps; the other
        matrices, and v as a matrix of one row, are Xavier uniform, U_x and U_phi gate by gate.
        Biases are 0, but 1 for the forget gate, so that a fresh memory lasts.
        """
        for name, value in self.named_parameters():
            blocks = value.chunk(4) if name.startswith("U_") else (value,)
            if name == "U_h":
                for block in blocks:
                    nn.init.orthogonal_(block)
            elif value.ndim == 2:
                for block in blocks:
                    nn.init.xavier_uniform_(block)
            elif name.startswith("v_"):
                nn.init.xavier_uniform_(value[None])
            else:
                nn.init.zeros_(value)
        nn.init.ones_(self.b.chunk(4)[GATES.index("f")])

    def advance(
        self, ux: Tensor, h: Tensor, c: Tensor, phi: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """lstm_step with this stream's parameters; phi is None without attention."""
        return lstm_step(ux, h, c, self.U_h, self.b, phi, U_phi=None if phi is None else self.U_phi)


class Classifier(nn.Module):
    """One data set's classifier: W (C, d_h) a stream; b (C,), one a stream for "score"."""

    def __init__(self, config: RSTANConfig, classes: int):
        super().__init__()
        self.W = nn.ParameterDict(
            {s: nn.Parameter(torch.empty(classes, config.d_h)) for s in config.streams}
        )
        for weight in self.W.values():
            nn.init.xavier_uniform_(weight)
        self.b: nn.Parameter | nn.ParameterDict
        if config.classifier == "joint":
            self.b = nn.Parameter(torch.zeros(classes))
        else:
            self.b = nn.ParameterDict({s: nn.Parameter(torch.zeros(classes)) for s in self.W})

    def forward(self, hidden: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor] | None]:
        """Predict from hidden[stream] (B, T, d_h).

        Returns logits (B, T, C), and for "score" also those of each stream, else None; all in
        float32 at least.
        """
        if isinstance(self.b, Tensor):
            logits = classify([hidden[s] for s in self.W], list(self.W.values()), self.b)  # Eq. 16
            return _at_least_float32(logits), None
        stream_logits = {
            s: _at_least_float32(classify([hidden[s]], [self.W[s]], self.b[s])) for s in self.W
        }
        return average_scores(list(stream_logits.values())), stream_logits


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
