"""RSTAN, the network of the paper's Section III, from its sizes to its predictions (Eq. 2-16).

The file reads from top to bottom: the sizes, one function per equation, one step of all streams,
the loop over time, the module. `parameters.py` has shapes and first values, `output.py` what the
module returns, `checks.py` what it accepts. Eq. 1 reads a convolutional cube as places. It runs
where features are made, in `rstan_lite.features.backbones`. Eq. 17-19 are in `losses.py`.

Letters of shapes: B videos, T steps, N frames that a step looks at, P = K * K places of a frame,
S streams, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rstan_lite.model.checks import check_config, check_inputs
from rstan_lite.model.fast import Plan, choose_plan, run_fast
from rstan_lite.model.output import Attended, Recurred, RSTANOutput, average_scores, read_out
from rstan_lite.model.parameters import Classifier, Stream
from rstan_lite.system.errors import ConfigError


@dataclass(frozen=True)
class RSTANConfig:
    """Sizes and variant of an RSTAN. Raises ConfigError for a value that is not allowed.

    Each profile chooses its own sizes and window, see `training/profiles.toml`.
    """

    streams: tuple[str, ...]  # their names: "appearance", "motion", or others
    d_cv: Mapping[str, int]  # length of a place's vector, by stream; not read without attention
    d_fc: Mapping[str, int]  # length of a frame's vector, by stream
    heads: Mapping[str, int]  # number of classes, by data set; several make a multi-task model
    d_h: int = 1024  # size of an LSTM's state
    d_att: int = 256  # width inside Eq. 2 and Eq. 5
    attention: str = "all"  # frames of a step: "none" (the plain LSTM), "current", "window", "all"
    window: int = 2  # t .. t + window - 1, cut off at the end of the clip
    gamma_alpha: float = 1.0  # sharpness of Eq. 3; 0 averages over places, a large one picks one
    gamma_beta: float = 1.0  # sharpness of Eq. 6, over frames
    fusion: str = "max"  # Eq. 14-15 by "max" or "mean", or "none"; changes nothing for one stream
    classifier: str = "joint"  # Eq. 16; "score" gives every stream its softmax and averages them
    renormalize: bool = False  # divide fused weights by their sum: "max" sums to 1 or more
    dropout: float = 0.0  # of x, of Phi and of h before the classifier, while training
    recurrence: str = "plain"  # this file's loop; "fast": that of `fast/`; "auto": the quicker

    def __post_init__(self) -> None:
        streams: object = self.streams
        if isinstance(streams, list):  # what JSON makes of a tuple
            object.__setattr__(self, "streams", tuple(streams))
        check_config(self)


# ---- Section III-B: attention and recurrence of one stream ------------------------------------


def location_scores(h: Tensor, projected: Tensor, A_h: Tensor, v_a: Tensor, b_a: Tensor) -> Tensor:
    """Score each place of each frame: v_a . tanh(A_h h + A_cv CV + b_a) (Eq. 2).

    This is the additive attention of Bahdanau, Cho and Bengio (ICLR 2015). The hidden state is the
    query, and the places are keys and values.

    h: (B, d_h) hidden state of the step before.  projected: (B, N, P, d_att), A_cv CV.
    A_h: (d_att, d_h).  v_a, b_a: (d_att,).  Returns un-normalised scores (B, N, P).
    """
    query = functional.linear(h, A_h, b_a)[:, None, None]  # (B, 1, 1, d_att)
    return torch.tanh(projected + query) @ v_a  # Eq. 2


def sharpened_softmax(scores: Tensor, gamma: float = 1.0, valid: Tensor | None = None) -> Tensor:
    """Turn scores into weights that sum to 1 over the last axis (Eq. 3 and Eq. 6).

    exp(s)**gamma / sum exp(s)**gamma is softmax(gamma * s), which cannot overflow.

    scores: any shape.  gamma: sharpness, 0 or more.
    valid: bool, broadcast against scores; False entries get exactly 0. A row that is False
        throughout gets even weights, not NaN: its step is padded, and its result thrown away.
    Returns the shape of scores, in float32 at least, since bfloat16 keeps too few digits here.
    """
    scores = gamma * scores.to(torch.promote_types(scores.dtype, torch.float32))
    if valid is not None:
        scores = scores.masked_fill(~valid, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1)  # Eq. 3, 6


def gather_places(alpha: Tensor, cubes: Tensor) -> Tensor:
    """Summarise each frame by its attended places (Eq. 4).

    alpha: (B, N, P), a stream's own or the fused one.  cubes: (B, N, P, d_cv).
    Returns L (B, N, d_cv).
    """
    return torch.einsum("bnp,bnpd->bnd", alpha, cubes)  # Eq. 4


def frame_scores(
    h: Tensor, L: Tensor, B_h: Tensor, B_L: Tensor, v_b: Tensor, b_b: Tensor
) -> Tensor:
    """Score each frame: v_b . tanh(B_h h + B_L L + b_b) (Eq. 5), additive attention as in Eq. 2.

    h: (B, d_h).  L: (B, N, d_cv).  B_h: (d_att, d_h).  B_L: (d_att, d_cv).  v_b, b_b: (d_att,).
    Returns un-normalised scores (B, N).
    """
    query = functional.linear(h, B_h, b_b)[:, None]  # (B, 1, d_att)
    return torch.tanh(functional.linear(L, B_L) + query) @ v_b  # Eq. 5


def gather_frames(beta: Tensor, L: Tensor) -> Tensor:
    """Summarise the attended frames by one context vector (Eq. 7).

    beta: (B, N), a stream's own or the fused one.  L: (B, N, d_cv).  Returns Phi (B, d_cv).
    """
    return torch.einsum("bn,bnd->bd", beta, L)  # Eq. 7


def lstm_step(
    ux: Tensor,
    h: Tensor,
    c: Tensor,
    U_h: Tensor,
    b: Tensor,
    phi: Tensor | None = None,
    U_phi: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Advance an LSTM by one frame, with the context as an extra input (Eq. 8-13).

    ux: (B, 4 d_h), U_x x of this frame.  h, c: (B, d_h), the state of the step before.
    U_h: (4 d_h, d_h).  b: (4 d_h,).  In four blocks: i, f, o, g.
    phi, U_phi: (B, d_cv) and (4 d_h, d_cv); without them this is a plain LSTM.
    Returns the new h and c (B, d_h), in float32 at least: the memory adds up over steps.
    """
    gates = ux + functional.linear(h, U_h, b)  # (B, 4 d_h): inside the brackets of Eq. 8-11
    if phi is not None and U_phi is not None:
        gates = gates + functional.linear(phi, U_phi)
    gates = gates.to(torch.promote_types(gates.dtype, torch.float32))
    i, f, o, g = gates.chunk(4, dim=-1)  # (B, d_h) each
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)  # Eq. 8, 9, 11, 12
    h = torch.sigmoid(o) * torch.tanh(c)  # Eq. 10, 13
    return h, c


# ---- Section III-C: where the streams meet ----------------------------------------------------


def fuse_scores(scores: Sequence[Tensor], fusion: str = "max", renormalize: bool = False) -> Tensor:
    """Merge the streams' weights: of places (Eq. 14) or of frames (Eq. 15).

    scores: the weights alpha or beta, one tensor a stream; each sums to 1 over its last axis.
    fusion: "max" as in the paper, or "mean"; another raises ConfigError.
    renormalize: divide by the sum over the last axis, which the paper does not.
    Returns one tensor of that shape.
    """
    stacked = torch.stack(tuple(scores))  # (S, ...)
    if fusion == "max":
        fused = stacked.amax(dim=0)  # Eq. 14, 15
    elif fusion == "mean":
        fused = stacked.mean(dim=0)
    else:
        raise ConfigError("fusion", repr(fusion), "max or mean")
    return fused / fused.sum(dim=-1, keepdim=True) if renormalize else fused


def classify(hidden: Sequence[Tensor], W: Sequence[Tensor], b: Tensor) -> Tensor:
    """Class logits from all streams together: W_a h_a + W_m h_m + b_am of Eq. 16.

    hidden: (..., d_h) a stream.  W: (C, d_h) a stream.  b: (C,).
    Returns (..., C); their softmax is y_hat. It is left to the loss, which needs its logarithm.
    """
    logits = functional.linear(hidden[0], W[0], b)
    for h, weight in zip(hidden[1:], W[1:], strict=True):
        logits = logits + functional.linear(h, weight)
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


# ---- All streams: one step, then the loop over time -------------------------------------------


def attended_frames(config: RSTANConfig, steps: int) -> list[range]:
    """The frames that each step looks at; a window that reaches past the clip is shorter there."""
    size = 1 if config.attention == "current" else config.window
    if config.attention == "all":
        return [range(steps)] * steps
    return [range(t, min(t + size, steps)) for t in range(steps)]


def attend(
    config: RSTANConfig,
    streams: Mapping[str, Stream],
    h: Mapping[str, Tensor],
    projected: Mapping[str, Tensor],
    cubes: Mapping[str, Tensor],
    valid: Tensor | None = None,
) -> Attended:
    """What one step looks at in all streams, fused as the config says (Eq. 2-7, 14-15).

    h: (B, d_h).  projected: (B, N, P, d_att).  cubes: (B, N, P, d_cv).  valid: (B, N) bool, the
    frames that are no padding.
    """

    def fuse(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        if config.fusion == "none":
            return weights
        fused = fuse_scores(list(weights.values()), config.fusion, config.renormalize)
        return dict.fromkeys(weights, fused)

    alpha: dict[str, Tensor] = {}
    for s, p in streams.items():
        scores = location_scores(h[s], projected[s], p.A_h, p.v_a, p.b_a)  # Eq. 2, (B, N, P)
        alpha[s] = sharpened_softmax(scores, config.gamma_alpha)  # Eq. 3
    alpha_com = fuse(alpha)  # Eq. 14
    L = {s: gather_places(alpha_com[s], cubes[s]) for s in streams}  # Eq. 4, (B, N, d_cv)
    beta: dict[str, Tensor] = {}
    for s, p in streams.items():
        scores = frame_scores(h[s], L[s], p.B_h, p.B_L, p.v_b, p.b_b)  # Eq. 5, (B, N)
        beta[s] = sharpened_softmax(scores, config.gamma_beta, valid)  # Eq. 6
    beta_com = fuse(beta)  # Eq. 15
    phi = {s: gather_frames(beta_com[s], L[s]) for s in streams}  # Eq. 7, (B, d_cv)
    return Attended(alpha, alpha_com, beta, beta_com, phi)


def run_plain(
    config: RSTANConfig,
    streams: Mapping[str, Stream],
    cubes: Mapping[str, Tensor],
    vectors: Mapping[str, Tensor],
    frames: list[range],
    frame_mask: Tensor | None,
    dropout: float,
    return_attention: bool,
) -> Recurred:
    """All steps, one after another, as the equations are written.

    cubes: (B, T, P, d_cv) of each stream; an empty dict without attention.
    vectors: (B, T, d_fc) of each stream.  frames: those that each step looks at.
    frame_mask: (B, T) bool.  dropout: of Phi.
    """
    # U_x x and A_cv CV are the same at every step, so they are computed once for all frames. They
    # are kept frame by frame: the gradient of a slice would be as large as the clip at every step.
    ux = {s: functional.linear(vectors[s], p.U_x).unbind(dim=1) for s, p in streams.items()}
    keys = {s: functional.linear(cubes[s], streams[s].A_cv).unbind(dim=1) for s in cubes}
    videos, steps = vectors[config.streams[0]].shape[:2]
    h = {s: p.b.new_zeros(videos, config.d_h) for s, p in streams.items()}
    c = dict(h)
    hidden: dict[str, list[Tensor]] = {s: [] for s in streams}
    maps: dict[str, list[Tensor]] = {s: [] for s in cubes}
    looks: list[Attended] = []
    for t in range(steps):
        phi: dict[str, Tensor] = {}
        if cubes:
            window = slice(frames[t].start, frames[t].stop)
            projected = {s: torch.stack(a[window], dim=1) for s, a in keys.items()}
            seen = {s: cube[:, window] for s, cube in cubes.items()}  # (B, N, P, d_cv)
            valid = None if frame_mask is None else frame_mask[:, window]  # (B, N)
            look = attend(config, streams, h, projected, seen, valid)
            phi = {s: functional.dropout(value, dropout) for s, value in look.phi.items()}
            for s, alpha in look.alpha_com.items():
                maps[s].append(alpha[:, t - window.start])  # of frame t itself, for Eq. 18
            if return_attention:
                looks.append(look)
        for s, p in streams.items():
            U_phi = p.U_phi if cubes else None
            state = lstm_step(ux[s][t], h[s], c[s], p.U_h, p.b, phi.get(s), U_phi)
            if frame_mask is not None:  # a padded step leaves the state as it was
                real = frame_mask[:, t, None]  # (B, 1)
                state = torch.where(real, state[0], h[s]), torch.where(real, state[1], c[s])
            h[s], c[s] = state
            hidden[s].append(h[s])
    return Recurred.stack(hidden, maps, looks)


class RSTAN(nn.Module):
    """The whole network (Eq. 2-16). States start at 0, so the first step attends by content."""

    def __init__(self, config: RSTANConfig):
        super().__init__()
        self.config = config
        self.streams, self.heads = nn.ModuleDict(), nn.ModuleDict()
        for s in config.streams:
            d_cv = None if config.attention == "none" else config.d_cv[s]
            self.streams[s] = Stream(config.d_h, config.d_att, config.d_fc[s], d_cv)
        for name, classes in config.heads.items():
            joint = config.classifier == "joint"
            self.heads[name] = Classifier(config.streams, config.d_h, classes, joint)

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
        return_attention: keep the weights of all steps, (B, T, N, P) floats a stream.
        Raises DataError for shapes that disagree, ConfigError for an unknown head.
        """
        config = self.config
        check_inputs(config, cubes, vectors, frame_mask)
        classifier = self._classifier(head)
        streams = {s: cast(Stream, self.streams[s]) for s in config.streams}
        x = {s: self._drop(self._in_own_type(vectors[s])) for s in streams}
        given = cubes if cubes and config.attention != "none" else {}
        places = {s: self._in_own_type(given[s]) for s in streams if s in given}
        first = x[config.streams[0]]
        frames = attended_frames(config, first.shape[1])
        run = run_plain if self.plan(first.device, return_attention).name == "plain" else run_fast
        dropout = config.dropout if self.training else 0.0
        found = run(config, streams, places, x, frames, frame_mask, dropout, return_attention)
        h = {s: self._drop(states) for s, states in found.hidden.items()}
        each: dict[str, Tensor] | None = None
        if isinstance(classifier.b, Tensor):
            logits = classify([*h.values()], [classifier.W[s] for s in h], classifier.b)  # Eq. 16
        else:
            each = {s: classify([h[s]], [classifier.W[s]], classifier.b[s]) for s in h}
            logits = average_scores(list(each.values()))
        shared = config.fusion != "none" or len(streams) == 1
        diagonal, attention = read_out(found, frames, shared, frame_mask)
        return RSTANOutput(logits, each, diagonal, attention)

    def plan(self, device: torch.device, return_attention: bool = False) -> Plan:
        """How forward would run now, and why. Raises ConfigError where it can't as demanded."""
        return choose_plan(self.config, device, torch.is_grad_enabled() and return_attention)

    def _classifier(self, head: str | None) -> Classifier:
        names = list(self.config.heads)
        if head is None and len(names) == 1:
            (head,) = names
        if head is None or head not in names:
            found = "none, with several to choose from" if head is None else repr(head)
            raise ConfigError("head", found, f"one of {', '.join(names)}")
        return cast(Classifier, self.heads[head])

    def _drop(self, value: Tensor) -> Tensor:
        return functional.dropout(value, self.config.dropout, self.training)

    def _in_own_type(self, value: Tensor) -> Tensor:
        """Turn stored half precision into the parameters' type; autocast chooses by itself."""
        if torch.is_autocast_enabled(value.device.type):
            return value
        return value.to(next(self.parameters()).dtype)
