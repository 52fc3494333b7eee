"""What an RSTAN accepts: every complaint names what was found and what is expected."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.settings import check_choice, check_count, check_names, check_real

CHOICES = {
    "attention": ("none", "current", "window", "all"),
    "fusion": ("none", "mean", "max"),
    "classifier": ("joint", "score"),
    "recurrence": ("auto", "plain", "fast"),
}


def check_config(config: Any) -> None:
    """Raise ConfigError, naming the field, unless an RSTANConfig describes a network."""
    check_names("streams", config.streams)
    fields = ("d_fc", "heads") if config.attention == "none" else ("d_fc", "d_cv", "heads")
    for field in fields:
        found = getattr(config, field)
        if not isinstance(found, Mapping) or not found:
            what = "number of classes for each data set" if field == "heads" else "size a stream"
            raise ConfigError(field, repr(found), f"a {what}, as a dict")
        for stream in () if field == "heads" else config.streams:
            if stream not in found:
                expected = f"one for {stream!r} as well"
                raise ConfigError(field, f"sizes for {sorted(found)}", expected)
        for name, number in found.items():
            check_count(f"{field}[{name!r}]", number)
    for field, one in [(f, one) for f in ("streams", "heads") for one in getattr(config, f)]:
        if not isinstance(one, str) or not one.isidentifier() or hasattr(nn.ParameterDict(), one):
            expected = "names of letters, digits and underscores that torch.nn.ParameterDict lacks"
            raise ConfigError(field, f"one named {one!r}", expected)
    for field in ("d_h", "d_att", "window"):
        check_count(field, getattr(config, field))
    for field, choices in CHOICES.items():
        check_choice(field, getattr(config, field), choices)
    check_real("gamma_alpha", config.gamma_alpha, 0)
    check_real("gamma_beta", config.gamma_beta, 0)
    check_real("dropout", config.dropout, 0, below=1)
    if not isinstance(config.renormalize, bool):
        raise ConfigError("renormalize", repr(config.renormalize), "True or False")


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
    config: Any, cubes: Mapping[str, Tensor] | None, vectors: Mapping[str, Tensor],
    frame_mask: Tensor | None,
) -> None:  # fmt: skip
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
