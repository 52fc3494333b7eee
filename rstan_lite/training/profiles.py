"""Profiles: how large a run is. Their values are in `profiles.toml`. Imports no torch.

`lab/paper_settings.py` says where the paper states those of the profile `paper`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rstan_lite.system.reading import read_toml
from rstan_lite.system.settings import check_choice
from rstan_lite.training.config import TrainConfig, from_mapping

_TABLES = read_toml(Path(__file__).with_suffix(".toml"))
SIZES: dict[str, dict[str, Any]] = _TABLES["sizes"]
VARIANTS: dict[str, dict[str, Any]] = _TABLES["variants"]
STATED: dict[str, Any] = _TABLES["stated"]
STATED_FOR: dict[str, dict[str, Any]] = _TABLES["stated_for"]
OURS: dict[str, Any] = _TABLES["ours"]
OURS_FOR: dict[str, dict[str, Any]] = _TABLES["ours_for"]
PROFILES = ("tiny", "course", "paper")

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
    """The configuration of a profile (`paper`: for the data set among the options), changed by a
    variant and then by single options. ConfigError for unknown names.
    """
    check_choice("--profile", profile, PROFILES)
    if variant is not None:
        check_choice("--variant", variant, tuple(VARIANTS))
    given = dict(overrides or {})
    dataset = str(given.get("dataset", TrainConfig.dataset))
    chosen = SIZES.get(profile, {})
    if profile == "paper":
        name = column(dataset)
        alone = {} if dataset in STATED_FOR else _ALONE
        chosen = {**OURS, **OURS_FOR[name], **stated(name), **alone, "dataset": dataset}
    chosen = {**chosen, **VARIANTS.get(variant or "", {}), **given}
    if "iterations" in given and "milestone" not in given:
        chosen["milestone"] = chosen["iterations"] * 3 // 5  # keeps the paper's proportion
    return from_mapping(chosen)
