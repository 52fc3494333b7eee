"""Every data set by its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rstan_lite.system.settings import check_choice

if TYPE_CHECKING:
    from rstan_lite.data.clips import ClipDataset

DATASETS = ("puppets", "jhmdb", "ucf101", "hmdb51")


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
