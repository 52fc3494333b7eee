"""Every data set by its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rstan_lite.errors import ConfigError

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
    return readers[name](root, split, missing, validation, damaged=damaged)
