"""Every data set by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rstan_lite.system.errors import ConfigError

if TYPE_CHECKING:
    from rstan_lite.data.clips import ClipDataset

DATASETS = ("puppets", "jhmdb", "ucf101", "hmdb51")
FOLDS = 5  # that a training list can be cut into


def part_name(split: int, fold: int = 0) -> str:
    """What is tested, in words: a split's test list, or a fold of its training list."""
    return f"split {split}, fold {fold}" if fold else f"split {split}"


def damage_lines(damaged: Mapping[str, Mapping[str, str]], where: str = "") -> list[str]:
    """What to print of clips that were left out as damaged, see `ClipDataset.settle`."""
    lines: list[str] = []
    for part, found in damaged.items():
        use = "not counted" if part in ("test", "validation") else "left out"
        lines += [f"{len(found)} damaged clips of the {part} part{where}, {use}:"]
        lines += [f"  {name}: {reason}" for name, reason in found.items()]
    return lines


def open_clips(
    name: str,
    root: str | Path,
    split: int = 1,
    missing: str = "error",
    validation: float = 0.1,
    damaged: str = "error",
    fold: int = 0,
) -> ClipDataset:
    """Open the data set of a name in DATASETS; for the other options see `ClipDataset`.

    Puppets must have been generated: they are read like JHMDB, whose layout they have.
    Raises ConfigError (name, options), DataError (root, layout, lists, missing clips).
    """
    # the readers load decoders, which a command's help can do without
    from rstan_lite.data.hmdb51 import HMDB51
    from rstan_lite.data.jhmdb import JHMDB
    from rstan_lite.data.ucf101 import UCF101

    readers: dict[str, type[ClipDataset]] = {
        "puppets": JHMDB,
        "jhmdb": JHMDB,
        "ucf101": UCF101,
        "hmdb51": HMDB51,
    }
    if name not in readers:
        raise ConfigError("dataset", repr(name), f"one of {', '.join(DATASETS)}")
    return readers[name](root, split, missing, validation, damaged=damaged, fold=fold)
