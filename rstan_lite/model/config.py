"""What an RSTAN is made of: sizes, and which variant of the paper's tables it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from rstan_lite.system.errors import ConfigError

STREAMS = ("appearance", "motion")
ATTENTIONS = ("none", "current", "window", "all")
FUSIONS = ("none", "mean", "max")
CLASSIFIERS = ("joint", "score")
RECURRENCES = ("auto", "plain", "fast")


@dataclass(frozen=True)
class RSTANConfig:
    """Sizes and variant of an RSTAN; checked on creation.

    streams: one or both of "appearance" and "motion".
    d_cv, d_fc: length of a place's vector in the cube and of the frame's vector, by stream.
        d_cv is not read when attention is "none"; entries of other streams are not read.
    heads: number of classes by data set; more than one makes a multi-task model.
    d_h: size of an LSTM's state.  d_att: width inside Eq. 2 and Eq. 5.
    attention: frames that step t looks at: "none" (the plain LSTM, no context at all),
        "current" (t), "window" (t .. t + window - 1, cut off at the end of the clip), "all".
    gamma_alpha, gamma_beta: sharpness of Eq. 3 and Eq. 6; 0 averages, large values pick one.
    fusion: Eq. 14-15 by "max" or "mean", or "none". With one stream there is nothing to
        fuse, and all three are the same.
    classifier: "joint" is Eq. 16; "score" gives every stream its own softmax and averages them.
    renormalize: divide fused scores by their sum. Off, they are kept as Eq. 14-15 give them,
        summing to between 1 and 2 under "max".
    dropout: probability applied to x, to Phi and to h before the classifier while training.
    recurrence: how the loop over t is computed, never what: "plain", as the equations are written;
        "fast", which computes the same sooner and in less memory, see rstan_lite.model.fast; or
        "auto", the fast one wherever it can be used and the model is not too small to gain by it.

    Raises ConfigError naming the field, what was found and what is expected.
    """

    streams: tuple[str, ...]
    d_cv: Mapping[str, int]
    d_fc: Mapping[str, int]
    heads: Mapping[str, int]
    d_h: int = 1024
    d_att: int = 256
    attention: str = "all"
    window: int = 2
    gamma_alpha: float = 1.0
    gamma_beta: float = 1.0
    fusion: str = "max"
    classifier: str = "joint"
    renormalize: bool = False
    dropout: float = 0.0
    recurrence: str = "auto"

    def __post_init__(self) -> None:
        streams: object = self.streams
        if isinstance(streams, list):  # what JSON makes of a tuple
            object.__setattr__(self, "streams", tuple(streams))
        self._check_streams()
        _check_sizes("d_fc", self.d_fc, self.streams)
        if self.attention != "none":
            _check_sizes("d_cv", self.d_cv, self.streams)
        _check_heads(self.heads)
        for field in ("d_h", "d_att", "window"):
            _check_count(field, getattr(self, field))
        _check_choice("attention", self.attention, ATTENTIONS)
        _check_choice("fusion", self.fusion, FUSIONS)
        _check_choice("classifier", self.classifier, CLASSIFIERS)
        _check_choice("recurrence", self.recurrence, RECURRENCES)
        for field in ("gamma_alpha", "gamma_beta"):
            _check_real(field, getattr(self, field), 0.0, math.inf)
        _check_real("dropout", self.dropout, 0.0, 1.0)
        if not isinstance(self.renormalize, bool):
            raise ConfigError("renormalize", repr(self.renormalize), "True or False")

    def _check_streams(self) -> None:
        found, known = self.streams, f"one or both of {', '.join(STREAMS)}, each once, as a tuple"
        if not isinstance(found, tuple) or not found:
            raise ConfigError("streams", repr(found), known)
        if len(set(found)) != len(found) or not set(found) <= set(STREAMS):
            raise ConfigError("streams", repr(found), known)


def _check_choice(field: str, found: object, known: tuple[str, ...]) -> None:
    if found not in known:
        raise ConfigError(field, repr(found), f"one of {', '.join(known)}")


def _check_count(field: str, found: object) -> None:
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ConfigError(field, repr(found), "a whole number of 1 or more")


def _check_real(field: str, found: object, low: float, below: float) -> None:
    number = isinstance(found, int | float) and not isinstance(found, bool)
    if not number or not low <= found < below:  # type: ignore[operator]
        raise ConfigError(field, repr(found), f"a number of {low:g} or more and below {below:g}")


def _check_sizes(field: str, found: object, streams: tuple[str, ...]) -> None:
    if not isinstance(found, Mapping):
        raise ConfigError(field, repr(found), "a size for each stream, as a dict")
    for stream in streams:
        if stream not in found:
            raise ConfigError(field, f"sizes for {sorted(found)}", f"one for {stream!r} as well")
        _check_count(f"{field}[{stream!r}]", found[stream])


def _check_heads(found: object) -> None:
    if not isinstance(found, Mapping) or not found:
        raise ConfigError("heads", repr(found), "a number of classes for each data set, as a dict")
    taken = nn.ModuleDict()
    for name, classes in found.items():
        # Heads are looked up by attribute, so a name must not hide one that modules have.
        if not isinstance(name, str) or not name.isidentifier() or hasattr(taken, name):
            expected = "names of letters, digits and underscores that torch.nn.ModuleDict lacks"
            raise ConfigError("heads", f"a head named {name!r}", expected)
        _check_count(f"heads[{name!r}]", classes)
