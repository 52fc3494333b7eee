"""Every data set by its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import check_class, imported

if TYPE_CHECKING:
    from rstan_lite.data.clips import ClipDataset

DATASETS = ("puppets", "jhmdb", "ucf101", "hmdb51", "folder")


def open_clips(
    name: str, root: str | Path, split: int = 1, missing: str = "error", validation: float = 0.1,
    damaged: str = "error", fold: int = 0,
) -> ClipDataset:  # fmt: skip
    """Open a data set: a name in DATASETS, or `module:Class`, a subclass of ClipDataset.

    For the other options see `ClipDataset`. Puppets must have been generated.
    """
    # the readers load decoders, which a command's help can do without
    from rstan_lite.data.class_folders import HMDB51, UCF101
    from rstan_lite.data.clips import ClipDataset
    from rstan_lite.data.jhmdb import JHMDB
    from rstan_lite.data.own_clips import OwnClips

    check_class("dataset", name, DATASETS)
    readers: dict[str, type[ClipDataset]] = {
        "puppets": JHMDB, "jhmdb": JHMDB, "ucf101": UCF101, "hmdb51": HMDB51, "folder": OwnClips,
    }  # fmt: skip
    reader = readers.get(name)
    if reader is None:
        module, _, own = name.partition(":")
        expected = "module:Class of a subclass of rstan_lite.data.clips.ClipDataset"
        reader = imported(f"dataset {name}", module, own, expected)
        if not (isinstance(reader, type) and issubclass(reader, ClipDataset)):
            raise ConfigError(f"dataset {name}", f"a {type(reader).__name__}", expected)
    return reader(root, split, missing, validation, damaged=damaged, fold=fold)
