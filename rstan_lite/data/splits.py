"""Split lists, and a validation part carved from the training list."""

from __future__ import annotations

import math
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from rstan_lite.data.datasets import FOLDS
from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import read_text

TRAIN, TEST, UNUSED = 1, 2, 0
LONGEST = 200  # bytes of a name; file systems take 255, with the ending of a stored file

# HMDB51's naming, which JHMDB kept: visible body part, camera motion, people, viewpoint, quality.
_SUFFIX = re.compile(r"_[fuhl]_(?:cm|nm)_np\d+_(?:fr|ba|le|ri)_(?:bad|med|goo)_\d+$")


def read_split(path: str | Path, suffix: str = ".avi") -> dict[str, int]:
    """Read `<class>_test_split<k>.txt`: a clip and 1 (train), 2 (test) or 0 (unused) a line.

    Returns {clip name without its suffix: 1, 2 or 0}, in the list's order.
    Raises DataError with the line's number for a bad line, a bad number or a clip named twice.
    """
    parts: dict[str, int] = {}
    for where, line in list_lines(path):
        name, _, part = line.rpartition(" ")
        name = name.strip()
        if not name.endswith(suffix) or part not in ("0", "1", "2"):
            raise DataError(where, repr(line[:120]), f"'<clip>{suffix} 1' (train) or '... 2'")
        name = name.removesuffix(suffix)
        check_name(where, name)
        if name in parts:
            raise DataError(where, f"{name} a second time", "each clip once")
        parts[name] = int(part)
    if not parts:
        raise DataError(path, "an empty list", f"lines '<clip>{suffix} 1' or '... 2'")
    return parts


def read_class_lists(folder: Path, split: int) -> dict[str, dict[str, int]]:
    """Read one split's lists `<class>_test_split<k>.txt`, as JHMDB and HMDB51 have them.

    Returns {class, in the order of the names: {clip: 1, 2 or 0}}.
    Raises DataError for a folder without a list and for a bad list (see `read_split`).
    """
    end = f"_test_split{split}.txt"
    # a name that starts with a dot is what some systems leave beside a file when they copy it
    names = (p.name for p in folder.iterdir() if not p.name.startswith("."))
    classes = sorted(name.removesuffix(end) for name in names if name.endswith(end))
    if not classes:
        raise DataError(folder, f"no list *{end}", f"a list for each class, <class>{end}")
    for action in classes:
        check_name(f"{folder}, a list {action[:120]!r}{end}", action)
    return {action: read_split(folder / f"{action}{end}") for action in classes}


def list_lines(path: str | Path) -> Iterator[tuple[str, str]]:
    """The lines of a list that are not blank, each with its place for an error message.

    Raises DataError for a file that can't be read.
    """
    lines = read_text(Path(path), DataError, "a UTF-8 split list").splitlines()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{path}, line {number}", line.strip()


def check_name(where: str, name: str) -> None:
    """Refuse a clip's or class's name that could lead out of its folder, or names no file."""
    if not name or "/" in name or "\\" in name or name in (".", "..") or not name.isprintable():
        raise DataError(where, repr(name[:120]), "a plain clip name")
    if len(name.encode()) > LONGEST:
        found = f"a name of {len(name.encode())} bytes, {name[:40]!r} ..."
        raise DataError(where, found, f"at most {LONGEST}, which every file system takes")


def source_video(name: str, action: str) -> str:
    """The video that a clip was cut from, read off its name.

    name: `<source>_<action>_f_cm_np1_fr_med_3`. A name that does not follow the pattern is its own
    source.
    """
    return _SUFFIX.sub("", name).removesuffix(f"_{action}")


class _Clip(Protocol):
    @property
    def action(self) -> str: ...
    @property
    def source(self) -> str: ...


C = TypeVar("C", bound=_Clip)


def carve_validation(clips: list[C], share: float, seed: int) -> tuple[list[C], list[C]]:
    """Split a training list in two by source video, class by class.

    share: of each class's clips that should go to the validation part, in [0, 0.5]. Sources are
    drawn in seeded order while they fit the class's quota; where none fits, the smallest serves. A
    source never stands on both sides. A class keeps a source for training unless its last one is
    held for a later class, as a source may have clips of several; so a class may go over its quota.
    Returns (training clips, validation clips), both in the list's order.
    """
    by_class: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for clip in clips:
        by_class[clip.action][clip.source] += 1
    rng = np.random.default_rng(seed)
    held: set[str] = set()
    for action in sorted(by_class):
        sizes = by_class[action]
        quota = math.ceil(share * sum(sizes.values()))
        taken = sum(n for source, n in sizes.items() if source in held)
        names = sorted(sizes)
        drawn = [names[i] for i in rng.permutation(len(names))]
        # a second look, smallest first, for a class whose every source is above its quota
        for source in (*drawn, *sorted(drawn, key=lambda name: sizes[name])):
            fits = taken + sizes[source] <= quota or (
                taken == 0 and sizes[source] == min(sizes.values())
            )
            spare = any(name not in held for name in names if name != source)
            if quota and source not in held and fits and spare:
                held.add(source)
                taken += sizes[source]
    train = [clip for clip in clips if clip.source not in held]
    return train, [clip for clip in clips if clip.source in held]


def carve_fold(clips: list[C], fold: int, where: str | Path) -> tuple[list[C], list[C]]:
    """Take one of FOLDS folds out of a training list, by source video.

    Each clip is in one fold, with all that was cut from its video; classes are spread as evenly as
    whole videos allow (scikit-learn's StratifiedGroupKFold), so that a class of few videos may lack
    in a fold, or in the rest.
    fold: 1 to FOLDS. where: the data set, for an error.
    Returns (the others' clips, the fold's clips), both in the list's order. Raises DataError where
    there are too few clips or videos for so many folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second to import

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    sources = [clip.source for clip in clips]
    videos, expected = (
        len(set(sources)),
        f"at least {FOLDS} videos, and {FOLDS} clips of some class",
    )
    if videos < FOLDS:
        raise DataError(where, f"a training list of {videos} videos", expected)
    try:
        with warnings.catch_warnings():  # of classes with fewer clips than folds, see above
            warnings.simplefilter("ignore", UserWarning)
            cut = list(folds.split(sources, [clip.action for clip in clips], sources))
        rest, held = cut[fold - 1]
    except ValueError as error:
        raise DataError(where, f"a training list that can't be cut ({error})", expected) from error
    return [clips[i] for i in rest], [clips[i] for i in held]
