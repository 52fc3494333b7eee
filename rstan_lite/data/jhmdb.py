"""The JHMDB reader: both layouts, three splits, silhouettes.

The puppets write the same layout, so that this is the one reader of both.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.silhouettes import read_masks
from rstan_lite.data.splits import read_class_lists, source_video
from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import disk_errors, read_json

VIDEOS, IMAGES, MASKS, SPLITS = "ReCompress_Videos", "Rename_Images", "puppet_mask", "splits"


class JHMDB(ClipDataset):
    """JHMDB, or puppets in its layout. For the options and errors see `ClipDataset`.

    root: holds `splits` and `ReCompress_Videos/<class>/<clip>.avi` or
    `Rename_Images/<class>/<clip>/*.png`; `puppet_mask/<class>/<clip>/puppet_mask.mat` beside them.
    """

    NAME, TITLE = "jhmdb", "JHMDB"
    has_silhouettes = True

    def silhouettes(self, clip: Clip, frames: np.ndarray) -> np.ndarray:
        """See `ClipDataset.silhouettes`; DataError where the file is missing or does not fit."""
        assert clip.mask_path is not None  # `_clip` below gives every clip one
        with disk_errors(DataError, clip.mask_path, "a silhouette that can be read"):
            return read_masks(clip.mask_path, frames.shape[:3], repeat_last=clip.path.is_dir())

    def _digest(self) -> hashlib._Hash:
        """Two sets of puppets have the same names; they differ by their parameters."""
        digest = super()._digest()
        puppets = self.root / "puppets.json"
        if puppets.is_file():
            record = read_json(puppets, DataError, "the record of generated clips, as JSON")
            digest.update(json.dumps(record, sort_keys=True).encode())
        return digest

    def _lists(self) -> dict[str, dict[str, int]]:
        return read_class_lists(self.root / SPLITS, self.split)

    def _clip(self, name: str, action: str, label: int) -> Clip:
        folder = self.root / self.layout / action
        path = folder / f"{name}.avi" if self.layout == VIDEOS else folder / name
        mask = self.root / MASKS / action / name / "puppet_mask.mat"
        return Clip(name, action, label, path, mask, source_video(name, action))

    def _find_layout(self) -> str:
        root = self.root
        if not root.is_dir():
            raise DataError(root, "no such folder", "a folder with JHMDB or puppets")
        if not (root / SPLITS).is_dir():
            raise DataError(root, f"no folder {SPLITS}", f"{SPLITS} beside {VIDEOS} or {IMAGES}")
        for layout in (VIDEOS, IMAGES):
            if (root / layout).is_dir():
                return layout
        inside = ", ".join(sorted(p.name for p in root.iterdir())[:8])
        raise DataError(root, f"neither {VIDEOS} nor {IMAGES} (but {inside})", "one of the two")
