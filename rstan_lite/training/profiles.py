"""Profiles (how large a run is) and variants (which row of the paper's tables it is)."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rstan_lite.errors import ConfigError
from rstan_lite.training.config import (
    TrainConfig,
    default_of,
    from_mapping,
    nearest,
    one_of,
    value_types,
)

# Differences from TrainConfig's defaults, which are the profile `course`.
PROFILES: dict[str, dict[str, Any]] = {
    # A test: seconds on two cores, with the small networks that ship with the package.
    "tiny": {
        "backbone": "puppetnet",
        "size": 112,  # pixels, which puppetnet makes 7 x 7 places of
        "motion_size": 0,  # the same
        "dropout": 0.0,
        "d_h": 64,
        "d_att": 32,
        "iterations": 200,
        "milestone": 120,  # three fifths of the way, as in the paper
    },
    # A class room: minutes on a laptop. Its silhouette loss is the cross-entropy: in so short a
    # training the squared distance of Eq. 18 hardly moves the attention (its gradient at an even
    # map is some twenty times smaller).
    "course": {},
    # Section IV-B for JHMDB, without its second data set (multi-task training).
    "paper": {
        "backbone": "vgg16",  # the network of GPCNN; that of TSN is "bninception"
        "motion_backbone": "",  # the same
        "motion_size": 0,  # the same
        "dropout": 0.0,
        "aa_kind": "l2",
        "lambda_aa": 0.5,
        "flow": "tvl1",
        "d_h": 1024,
        "frames": 16,
        "stored_frames": 32,
        "test_frames": 32,
        "iterations": 20_000,
        "milestone": 12_000,
        # Four corners and the centre, mirrored: the crops that GPCNN trains on.
        "views": tuple(
            corner + mirror
            for mirror in ("", "-mirror")
            for corner in ("centre", "top-left", "top-right", "bottom-left", "bottom-right")
        ),
        "scale": "none",
        "save_every": 10,
    },
}

# Rows of Tables I to III. "Two streams without fusion" averages two softmaxes there.
VARIANTS: dict[str, dict[str, Any]] = {
    "lstm": {"attention": "none", "fusion": "none", "classifier": "score", "aa_kind": "none"},
    "attention": {"fusion": "none", "classifier": "score", "aa_kind": "none"},
    "fusion-mean": {"fusion": "mean", "classifier": "joint", "aa_kind": "none"},
    "fusion-max": {"fusion": "max", "classifier": "joint", "aa_kind": "none"},
    "silhouettes-ce": {"fusion": "max", "classifier": "joint", "aa_kind": "ce"},
    "silhouettes": {"fusion": "max", "classifier": "joint", "aa_kind": "l2"},
    "current-frame": {"attention": "current", "fusion": "max", "aa_kind": "l2"},
}


def resolve(
    profile: str = "course",
    overrides: Mapping[str, Any] | None = None,
    variant: str | None = None,
) -> TrainConfig:
    """The configuration of a profile, changed by a variant and then by single options.

    Raises ConfigError for an unknown profile, variant or option, naming the real ones.
    """
    if profile not in PROFILES:
        raise ConfigError("--profile", repr(profile), one_of(PROFILES), nearest(profile, PROFILES))
    if variant is not None and variant not in VARIANTS:
        raise ConfigError("--variant", repr(variant), one_of(VARIANTS), nearest(variant, VARIANTS))
    chosen = dict(PROFILES[profile])
    if variant is not None:
        chosen.update(VARIANTS[variant])
    chosen.update(overrides or {})
    if "iterations" in chosen and "milestone" not in (overrides or {}):
        chosen["milestone"] = chosen["iterations"] * 3 // 5  # keeps the paper's proportion
    return from_mapping(chosen)


def add_options(parser: argparse.ArgumentParser) -> None:
    """One command-line option for each field of TrainConfig, with its help text."""
    parser.add_argument(
        "--profile", default="course", help="size of the run: " + ", ".join(PROFILES)
    )
    parser.add_argument("--variant", help="row of the paper's tables: " + ", ".join(VARIANTS))
    types = value_types()
    for spec in fields(TrainConfig):
        kind, choices = types[spec.name], spec.metadata["choices"]
        text = spec.metadata["help"] + (f": {', '.join(choices)}" if choices else "")
        text += f" (course: {_shown(default_of(spec))})"
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
    types = value_types()
    given = {k: v for k, v in vars(arguments).items() if k in types}
    overrides = {name: _parsed(name, value, types[name]) for name, value in given.items()}
    return resolve(arguments.profile, overrides, arguments.variant)


def _shown(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else (str(value) if value != "" else "none")


def _parsed(name: str, text: Any, kind: type) -> Any:
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
