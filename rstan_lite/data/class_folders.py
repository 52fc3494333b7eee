"""UCF101 and HMDB51: clips in a folder per class, as videos or frames."""

import re
import warnings
from abc import abstractmethod
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.silhouettes import MASKS, masks_in
from rstan_lite.data.splits import TEST, TRAIN, check_name, list_lines, read_class_lists
from rstan_lite.system.errors import DataError

CLASS_LIST = "classInd.txt"
LINE = "lines '<class>/<clip>.avi', behind which a label may stand"

# v_<class>_g<group>_c<clip>: the clips of a group show the same people in the same place
_CLIP_NUMBER = re.compile(r"_c\d+$")


class ClassFolders(ClipDataset):
    """Clips in folders, and a check of the lists against the official numbers.

    root: holds the folder LISTS and `VIDEOS/<class>/<clip>.avi` or `frames/<class>/<clip>/*.png`
    (or `.jpg`). They come without silhouettes; drawn ones may lie in `masks/<class>/<clip>.mat`.
    Lists of another number of clips than the official ones are read with a warning.
    """

    FRAMES = "frames"
    CLASSES: ClassVar[int]
    OFFICIAL: ClassVar[tuple[tuple[int, int], ...]]  # training and test clips of each split

    def _find_layout(self) -> str:
        found = masks_in(self.root / MASKS)
        self._masks = {(action.casefold(), name.casefold()): path for (action, name), path in found}
        self.has_silhouettes = bool(self._masks)
        return super()._find_layout()

    def _clip(self, name: str, action: str, label: int) -> Clip:
        mask = self._masks.get((action.casefold(), name.casefold()))
        return replace(super()._clip(name, action, label), mask_path=mask)

    @abstractmethod
    def _read_lists(self) -> dict[str, dict[str, int]]:
        """`_lists`, before their numbers are checked."""

    def _lists(self) -> dict[str, dict[str, int]]:
        lists = self._read_lists()
        counts = Counter(part for parts in lists.values() for part in parts.values())
        found, official = (counts[TRAIN], counts[TEST]), self.OFFICIAL[self.split - 1]
        if found != official:
            where = f"{self.root / self.LISTS}, split {self.split}"
            said = f"{len(lists)} of the {self.CLASSES} classes of {self.TITLE}, {found} training "
            said += f"and test clips; {official} are official. Results on them are not results on "
            warnings.warn(f"{where}: {said}{self.TITLE}.", stacklevel=3)
        return lists


class UCF101(ClassFolders):
    """UCF101: 13,320 clips of 101 actions, in three splits.

    For the options and errors see `ClipDataset`, for the folders `ClassFolders`.
    root: holds `ucfTrainTestlist` (the lists of the action recognition task) and `UCF-101`.
    A clip's source is its group; the official splits never part one either.
    """

    NAME, TITLE = "ucf101", "UCF101"
    LISTS, VIDEOS, CLASSES = "ucfTrainTestlist", "UCF-101", 101
    OFFICIAL = ((9537, 3783), (9586, 3734), (9624, 3696))

    def _source(self, name: str, action: str) -> str:
        return _CLIP_NUMBER.sub("", name)

    def _read_lists(self) -> dict[str, dict[str, int]]:
        folder = self.root / self.LISTS
        classes = _read_classes(folder / CLASS_LIST)
        lists: dict[str, dict[str, int]] = {action: {} for action in classes.values()}
        for part, file in ((TRAIN, "trainlist"), (TEST, "testlist")):
            for where, line in list_lines(folder / f"{file}0{self.split}.txt", LINE):
                found = re.fullmatch(r"([^/]*)/(.*)\.avi(\s+[0-9]+)?", line)
                if found is None:
                    raise DataError(where, repr(line[:120]), LINE)
                check_name(where, found[2])
                action = classes.get(found[1].casefold())
                if action is None:
                    listed = f"one that {CLASS_LIST} names"
                    raise DataError(where, f"the class {found[1][:120]!r}", listed)
                if found[2] in lists[action]:
                    raise DataError(where, f"{found[2]} a second time", "each clip in one list")
                lists[action][found[2]] = part
        return lists


class HMDB51(ClassFolders):
    """HMDB51: 6,766 clips of 51 actions; see `ClipDataset` (options) and `ClassFolders` (folders).

    root: holds `testTrainMulti_7030_splits` and `hmdb51_org`. A split uses 70 training and 30 test
    clips of each class. A clip's source is what its name holds before the class.
    """

    NAME, TITLE = "hmdb51", "HMDB51"
    LISTS, VIDEOS, CLASSES = "testTrainMulti_7030_splits", "hmdb51_org", 51
    OFFICIAL = ((3570, 1530), (3570, 1530), (3570, 1530))

    def _read_lists(self) -> dict[str, dict[str, int]]:
        return read_class_lists(self.root / self.LISTS, self.split)


def _read_classes(path: Path) -> dict[str, str]:
    """{class, without case: its name} of `classInd.txt`, which counts from 1."""
    classes: dict[str, str] = {}
    for where, line in list_lines(path, "lines '<label> <class>', counted from 1"):
        number, _, name = line.partition(" ")
        if number != str(len(classes) + 1):
            raise DataError(where, repr(line[:120]), f"'{len(classes) + 1} <class>'")
        check_name(where, name)
        classes[name.casefold()] = name
    return classes
