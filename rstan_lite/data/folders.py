"""What UCF101 and HMDB51 share: clips in a folder a class, as videos or frames, no silhouettes."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.splits import TEST, TRAIN
from rstan_lite.system.errors import DataError

FRAMES = "frames"  # the folder of clips as images, for both data sets


class ClassFolders(ClipDataset):
    """Clips without silhouettes, and a check of the lists against the official numbers.

    root: holds the folder LISTS and `VIDEOS/<class>/<clip>.avi` or `frames/<class>/<clip>/*.png`
    (or `.jpg`). Where both are there, the videos count. Folders and files are matched without
    regard to case, as copies differ in it.
    Lists of all classes must name as many clips as the official ones, else DataError; lists of
    fewer classes are taken for a part of the data set, with a warning.
    """

    has_silhouettes = False
    VIDEOS: ClassVar[str]
    LISTS: ClassVar[str]
    CLASSES: ClassVar[int]
    OFFICIAL: ClassVar[tuple[tuple[int, int], ...]]  # training and test clips of each split

    @abstractmethod
    def _source(self, name: str, action: str) -> str:
        """The source video of a clip."""

    @abstractmethod
    def _read_lists(self) -> dict[str, dict[str, int]]:
        """`_lists`, before their numbers are checked."""

    def silhouettes(self, clip: Clip, frames: np.ndarray) -> np.ndarray:
        """Zeros, uint8 (F, H, W): the data set has no silhouettes."""
        return np.zeros(frames.shape[:3], np.uint8)

    def _find_layout(self) -> str:
        if not self.root.is_dir():
            raise DataError(self.root, "no such folder", f"a folder with {self.TITLE}")
        both = f"{self.VIDEOS} or {FRAMES}"
        if not (self.root / self.LISTS).is_dir():
            expected = f"{self.LISTS} (the split lists) beside {both}"
            raise DataError(self.root, f"no folder {self.LISTS}", expected)
        for layout in (self.VIDEOS, FRAMES):
            if (self.root / layout).is_dir():
                self._index = _index(self.root / layout, videos=layout == self.VIDEOS)
                return layout
        inside = ", ".join(sorted(p.name for p in self.root.iterdir())[:8])
        raise DataError(self.root, f"neither {both} (but {inside})", "one of the two")

    def _lists(self) -> dict[str, dict[str, int]]:
        lists = self._read_lists()
        counts = Counter(part for parts in lists.values() for part in parts.values())
        found, official = (counts[TRAIN], counts[TEST]), self.OFFICIAL[self.split - 1]
        where = f"{self.root / self.LISTS}, split {self.split}"
        if len(lists) >= self.CLASSES and found != official:
            raise DataError(
                where,
                f"lists of {found[0]} training and {found[1]} test clips",
                f"{official[0]} and {official[1]}, as in the official lists of {self.TITLE}",
                "Copy or download the lists again.",
            )
        if len(lists) < self.CLASSES:
            warnings.warn(
                f"{where}: lists of {len(lists)} of the {self.CLASSES} classes of {self.TITLE}, "
                f"with {found[0]} training and {found[1]} test clips ({official[0]} and "
                f"{official[1]} in all). Results on them are not results on {self.TITLE}.",
                stacklevel=3,
            )
        return lists

    def _clip(self, name: str, action: str, label: int) -> Clip:
        file = f"{name}.avi" if self.layout == self.VIDEOS else name
        expected = self.root / self.layout / action / file
        known = self._index.get((action.casefold(), name.casefold()), [])
        path = expected if expected in known or not known else known[0]
        return Clip(name, action, label, path, None, self._source(name, action))


def _index(folder: Path, videos: bool) -> dict[tuple[str, str], list[Path]]:
    """{(class, clip), both without case: where it lies} of a folder of classes."""
    index: dict[tuple[str, str], list[Path]] = {}
    for action in sorted(p for p in folder.iterdir() if p.is_dir()):
        for path in sorted(action.iterdir()):
            if videos and path.suffix.lower() == ".avi":
                name = path.stem
            elif not videos and path.is_dir():
                name = path.name
            else:
                continue
            index.setdefault((action.name.casefold(), name.casefold()), []).append(path)
    return index
