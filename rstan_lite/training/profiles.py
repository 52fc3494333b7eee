"""Profiles (how large a run is), and options of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import nearest, one_of
from rstan_lite.training import paper
from rstan_lite.training.config import (
    TrainConfig,
    default_of,
    from_mapping,
    value_types,
)
from rstan_lite.training.paper_rows import VARIANTS

# Differences from TrainConfig's defaults, which are the profile `course`. The profile `paper` is
# another for each data set: see `paper.py`.
SIZES: dict[str, dict[str, Any]] = {
    # A test: seconds on two cores, with the small networks that ship with the package.
    "tiny": {
        "backbone": "puppetnet",
        "size": 112,  # pixels, which puppetnet makes 7 x 7 places of
        "motion_size": 0,  # the same
        "dropout": 0.0,
        "d_h": 64,
        "d_att": 32,
        "iterations": 300,
        "milestone": 180,  # three fifths of the way, as in the paper
        "lambda_aa": 0.5,  # enough to find the actor; more leaves less to the action
    },
    # A class room: minutes on a laptop. Its silhouette loss is the cross-entropy: in so short a
    # training the squared distance of Eq. 18 hardly moves the attention (its gradient at an even
    # map is some twenty times smaller).
    "course": {},
}
PROFILES = (*SIZES, "paper")


def resolve(
    profile: str = "course",
    overrides: Mapping[str, Any] | None = None,
    variant: str | None = None,
) -> TrainConfig:
    """The configuration of a profile, changed by a variant and then by single options.

    The profile `paper` has the settings that the paper gives for the data set among the options.

    Raises ConfigError for an unknown profile, variant or option, naming the real ones.
    """
    if profile not in PROFILES:
        raise ConfigError("--profile", repr(profile), one_of(PROFILES), nearest(profile, PROFILES))
    if variant is not None and variant not in VARIANTS:
        raise ConfigError("--variant", repr(variant), one_of(VARIANTS), nearest(variant, VARIANTS))
    dataset = str((overrides or {}).get("dataset", TrainConfig.dataset))
    chosen = paper.profile(dataset) if profile == "paper" else dict(SIZES[profile])
    if variant is not None:
        chosen.update(VARIANTS[variant])
    chosen.update(overrides or {})
    if "iterations" in (overrides or {}) and "milestone" not in (overrides or {}):
        chosen["milestone"] = chosen["iterations"] * 3 // 5  # keeps the paper's proportion
    return from_mapping(chosen)


def add_options(parser: argparse.ArgumentParser, leave_out: Sequence[str] = ()) -> None:
    """One command-line option for each field of TrainConfig but some, with its help text."""
    parser.add_argument(
        "--profile", default="course", help="size of the run: " + ", ".join(PROFILES)
    )
    parser.add_argument("--variant", help="row of the paper's tables: " + ", ".join(VARIANTS))
    types = value_types()
    for spec in fields(TrainConfig):
        if spec.name in leave_out:
            continue
        kind, choices = types[spec.name], spec.metadata["choices"]
        text = spec.metadata["help"] + (f": {', '.join(choices)}" if choices else "")
        text += f" (course: {shown(default_of(spec))})"
        flag = "--" + spec.name.replace("_", "-")
        if kind is bool:
            parser.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text
            )
        else:
            metavar = kind.__name__.upper() if kind in (int, float) else "NAME"
            parser.add_argument(flag, default=argparse.SUPPRESS, metavar=metavar, help=text)


def from_arguments(arguments: argparse.Namespace) -> TrainConfig:
    """The configuration that parsed options describe; ConfigError where one is not a value."""
    return resolve(arguments.profile, overrides_of(arguments), arguments.variant)


def overrides_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of TrainConfig that options were given for; ConfigError for what is no value."""
    types = value_types()
    given = {k: v for k, v in vars(arguments).items() if k in types}
    return {name: parsed(name, value, types[name]) for name, value in given.items()}


def shown(value: Any) -> str:
    """A value as the command line takes it; `none` for an empty text."""
    return ",".join(value) if isinstance(value, tuple) else (str(value) if value != "" else "none")


def parsed(name: str, text: Any, kind: type) -> Any:
    """Text of the command line as a value of the field's type."""
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is str or isinstance(text, bool):
        return text
    try:
        return kind(text)
    except ValueError as error:
        where = "--" + name.replace("_", "-")
        raise ConfigError(where, repr(text), f"a value of type {kind.__name__}") from error
