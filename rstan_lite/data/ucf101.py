"""The UCF101 reader: 13,320 clips of 101 actions, three splits, no silhouettes."""

from __future__ import annotations

import re
from pathlib import Path

from rstan_lite.data.folders import ClassFolders
from rstan_lite.data.splits import TEST, TRAIN, check_name, list_lines
from rstan_lite.system.errors import DataError

CLASS_LIST = "classInd.txt"

# v_<class>_g<group>_c<clip>: the clips of a group show the same people in the same place
_CLIP_NUMBER = re.compile(r"_c\d+$")


class UCF101(ClassFolders):
    """UCF101. For the options and errors see `ClipDataset`, for the folders `ClassFolders`.

    root: holds `ucfTrainTestlist` (the lists of the action recognition task) and `UCF-101`.
    A clip's source is its group; the official splits never part one either.
    """

    NAME, TITLE = "ucf101", "UCF101"
    VIDEOS, LISTS, CLASSES = "UCF-101", "ucfTrainTestlist", 101
    OFFICIAL = ((9537, 3783), (9586, 3734), (9624, 3696))

    def _source(self, name: str, action: str) -> str:
        return _CLIP_NUMBER.sub("", name)

    def _read_lists(self) -> dict[str, dict[str, int]]:
        folder = self.root / self.LISTS
        classes = _read_classes(folder / CLASS_LIST)
        numbers = {action.casefold(): number for number, action in enumerate(classes, start=1)}
        lists: dict[str, dict[str, int]] = {action: {} for action in classes}
        for part, file in ((TRAIN, "trainlist"), (TEST, "testlist")):
            path = folder / f"{file}0{self.split}.txt"
            before = sum(map(len, lists.values()))
            for where, line in list_lines(path):
                number, name = _read_line(where, line, numbers, labelled=part == TRAIN)
                action = classes[number - 1]
                if name in lists[action]:
                    raise DataError(where, f"{name} a second time", "each clip in one list, once")
                lists[action][name] = part
            if sum(map(len, lists.values())) == before:
                raise DataError(path, "an empty list", "lines '<class>/<clip>.avi'")
        return lists


def _read_classes(path: Path) -> list[str]:
    """The classes of `classInd.txt`, in the order of the labels that it counts from 1."""
    classes: list[str] = []
    for where, line in list_lines(path):
        number, _, name = line.partition(" ")
        name = name.strip()
        if number != str(len(classes) + 1):
            raise DataError(where, repr(line[:120]), f"'{len(classes) + 1} <class>'")
        check_name(where, name)
        if name.casefold() in (other.casefold() for other in classes):
            raise DataError(where, f"{name} a second time", "each class once")
        classes.append(name)
    if not classes:
        raise DataError(path, "an empty list", "lines '<label> <class>', counted from 1")
    return classes


def _read_line(where: str, line: str, numbers: dict[str, int], labelled: bool) -> tuple[int, str]:
    """The class's number and the clip of a line of a list.

    numbers: {class, without case: its number}. Lines of a training list end in the number; those of
    a test list have none.
    """
    path, label = line, ""
    if labelled:
        path, _, label = line.rpartition(" ")
    folder, _, file = path.strip().partition("/")
    name = file.removesuffix(".avi")
    if name == file or (labelled and not label.isdecimal()):
        form = "'<class>/<clip>.avi <label>'" if labelled else "'<class>/<clip>.avi'"
        raise DataError(where, repr(line[:120]), form)
    check_name(where, name)
    number = numbers.get(folder.casefold())
    if number is None:
        raise DataError(where, f"the class {folder[:120]!r}", f"one that {CLASS_LIST} names")
    if labelled and label.lstrip("0") != str(number):
        raise DataError(where, f"label {label[:20]}", f"{number}, the number of {folder}")
    return number, name
