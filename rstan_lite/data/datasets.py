"""Every data set by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rstan_lite.system.settings import check_choice

if TYPE_CHECKING:
    from rstan_lite.data.clips import ClipDataset

DATASETS = ("puppets", "jhmdb", "ucf101", "hmdb51")


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
    from rstan_lite.data.class_folders import HMDB51, UCF101
    from rstan_lite.data.jhmdb import JHMDB

    check_choice("dataset", name, DATASETS)
    others: dict[str, type[ClipDataset]] = {"ucf101": UCF101, "hmdb51": HMDB51}
    return others.get(name, JHMDB)(root, split, missing, validation, damaged=damaged, fold=fold)
