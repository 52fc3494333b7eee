"""Profiles: how large a run is. Imports no torch.

The profile `paper` has the paper's settings for each data set; `lab/paper_settings.py` says where
the paper states them, and why ours are as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rstan_lite.system.settings import check_choice
from rstan_lite.training.config import TrainConfig, from_mapping

# Differences from TrainConfig's defaults, which are the profile `course`.
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

_CORNERS = ("centre", "top-left", "top-right", "bottom-left", "bottom-right")

# What the paper states for all of its data sets, and for single ones.
STATED: dict[str, Any] = {
    "split": 1, "size": 224, "streams": ("appearance", "motion"), "d_h": 1024, "fusion": "max",
    "classifier": "joint", "renormalize": False, "test_frames": 32, "lr": 1e-2,
    "iterations": 20_000, "milestone": 12_000, "momentum": 0.9, "weight_decay": 5e-4,
}  # fmt: skip
STATED_FOR: dict[str, dict[str, Any]] = {
    "ucf101": {
        "dataset": "ucf101", "backbone": "vgg16", "attention": "all", "gamma_alpha": 5.0,
        "gamma_beta": 10.0, "aa_kind": "none", "frames": 16, "batch_size": 16,
        "second_dataset": "none",
    },
    "hmdb51": {
        "dataset": "hmdb51", "backbone": "bninception", "attention": "all", "gamma_alpha": 5.0,
        "gamma_beta": 10.0, "aa_kind": "none", "frames": 8, "batch_size": 32,
        "second_dataset": "none",
    },
    "jhmdb": {
        "dataset": "jhmdb", "backbone": "vgg16", "attention": "window", "window": 2,
        "gamma_alpha": 1.0, "gamma_beta": 1.0, "aa_kind": "l2", "lambda_aa": 0.5, "batch_size": 8,
        "second_dataset": "ucf101", "second_batch_size": 8, "second_weight": 0.1,
    },
}  # fmt: skip
# What the profile `paper` takes where the paper states nothing and `course` has another value.
OURS: dict[str, Any] = {
    "validation": 0.0, "fold": 0, "motion_backbone": "", "motion_size": 0, "flow": "tvl1",
    "camera": "none", "stored_frames": 32, "scale": "none", "dropout": 0.0, "second_split": 1,
    "precision": "32", "recurrence": "fast",
    "views": (*_CORNERS, *(corner + "-mirror" for corner in _CORNERS)),
}  # fmt: skip
OURS_FOR: dict[str, dict[str, Any]] = {
    "ucf101": {"lambda_aa": 0.0}, "hmdb51": {"lambda_aa": 0.0}, "jhmdb": {"frames": 16},
}  # fmt: skip
# Other clips take JHMDB's settings, but have no UCF101 beside them, and fill the mini-batch alone.
_ALONE = {"second_dataset": "none", "batch_size": 16}


def column(dataset: str) -> str:
    """The paper's data set whose settings a data set takes: all but the paper's take JHMDB's."""
    return dataset if dataset in STATED_FOR else "jhmdb"


def stated(dataset: str) -> dict[str, Any]:
    """The settings that the paper states for one of its data sets; none for another name."""
    return STATED | STATED_FOR[dataset] if dataset in STATED_FOR else {}


def resolve(
    profile: str = "course", overrides: Mapping[str, Any] | None = None, variant: str | None = None
) -> TrainConfig:
    """The configuration of a profile, changed by a variant and then by single options.

    The profile `paper` is that of the data set among the options.
    Raises ConfigError for an unknown profile, variant or option, naming the real ones.
    """
    check_choice("--profile", profile, PROFILES)
    if variant is not None:
        check_choice("--variant", variant, tuple(VARIANTS))
    given = dict(overrides or {})
    dataset = str(given.get("dataset", TrainConfig.dataset))
    chosen = paper_profile(dataset) if profile == "paper" else SIZES[profile]
    chosen = {**chosen, **VARIANTS.get(variant or "", {}), **given}
    if "iterations" in given and "milestone" not in given:
        chosen["milestone"] = chosen["iterations"] * 3 // 5  # keeps the paper's proportion
    return from_mapping(chosen)


def paper_profile(dataset: str) -> dict[str, Any]:
    """The profile `paper` for a data set: the paper's settings, and ours where it has none."""
    name = column(dataset)
    ours = OURS | OURS_FOR[name] if name in OURS_FOR else {}
    found = ours | stated(name) | ({} if dataset in STATED_FOR else _ALONE)
    return {key: value for key, value in found.items() if key != "dataset"}
