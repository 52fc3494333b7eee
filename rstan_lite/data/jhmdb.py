"""The reader of JHMDB (928 clips of 21 actions, three splits, silhouettes), and of puppets."""

import json
from dataclasses import replace

import numpy as np

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.silhouettes import read_masks
from rstan_lite.data.splits import read_class_lists
from rstan_lite.data.video import frame_files
from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import disk_errors, read_json


class JHMDB(ClipDataset):
    """JHMDB, or puppets in its layout. For the options and errors see `ClipDataset`.

    root: holds `splits`, `ReCompress_Videos/<class>/<clip>.avi` (or `Rename_Images`, frames as PNG)
    and `puppet_mask/<class>/<clip>/puppet_mask.mat`, whose mask k is that of frame k.
    """

    NAME, TITLE = "jhmdb", "JHMDB"
    LISTS, VIDEOS, FRAMES = "splits", "ReCompress_Videos", "Rename_Images"
    has_silhouettes = True

    def silhouettes(self, clip: Clip, frames: np.ndarray) -> np.ndarray:
        """See `ClipDataset.silhouettes`; DataError where the file is missing or does not fit."""
        assert clip.mask_path is not None  # `_clip` below gives every clip one
        with disk_errors(DataError, clip.mask_path, "a silhouette that can be read"):
            if not clip.path.is_dir():
                return read_masks(clip.mask_path, frames.shape[:3])
            skipped = max(0, frame_files(clip.path)[0] - 1)  # frames count from 1, or from 0
            shape = (skipped + len(frames), *frames.shape[1:3])
            return read_masks(clip.mask_path, shape, repeat_last=True)[skipped:]

    def _recipe(self) -> str:
        """Two sets of puppets have the same names; they differ by their parameters."""
        puppets = self.root / "puppets.json"
        if not puppets.is_file():
            return ""
        record = read_json(puppets, DataError, "the record of generated clips, as JSON")
        return json.dumps(record, sort_keys=True)

    def _lists(self) -> dict[str, dict[str, int]]:
        return read_class_lists(self.root / self.LISTS, self.split)

    def _clip(self, name: str, action: str, label: int) -> Clip:
        mask = self.root / "puppet_mask" / action / name / "puppet_mask.mat"
        return replace(super()._clip(name, action, label), mask_path=mask)
