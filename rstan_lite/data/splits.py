"""Split lists: which clips train and which are tested."""

import re
import unicodedata
from pathlib import Path

from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import read_text

TRAIN, TEST, UNUSED = 1, 2, 0
FOLDS = 5  # that a training list can be cut into
LONGEST = 200  # bytes of a name; file systems take 255, with the ending of a stored file

# HMDB51's naming, which JHMDB kept: visible body part, camera motion, people, viewpoint, quality.
_SUFFIX = re.compile(r"_[fuhl]_(?:cm|nm)_np\d+_(?:fr|ba|le|ri)_(?:bad|med|goo)_\d+$")


def part_name(split: int, fold: int = 0) -> str:
    """What is tested, in words: a split's test list, or a fold of its training list."""
    return f"split {split}, fold {fold}" if fold else f"split {split}"


def read_split(path: str | Path) -> dict[str, int]:
    """Read `<class>_test_split<k>.txt`: a clip and 1 (train), 2 (test) or 0 (unused) a line.

    Returns {clip name without `.avi`: 1, 2 or 0}, in the list's order.
    Raises DataError with the line's number for a bad line, a bad number or a clip named twice.
    """
    parts: dict[str, int] = {}
    form = "lines '<clip>.avi 1' (train) or '... 2'"
    for where, line in list_lines(path, form):
        found = re.fullmatch(r"(.*\S)\.avi\s+([012])", line)
        if found is None:
            raise DataError(where, repr(line[:120]), form)
        check_name(where, found[1])
        if found[1] in parts:
            raise DataError(where, f"{found[1]} a second time", "each clip once")
        parts[found[1]] = int(found[2])
    return parts


def read_class_lists(folder: Path, split: int) -> dict[str, dict[str, int]]:
    """{class: `read_split` of its list `<class>_test_split<k>.txt`}; DataError for none."""
    end = f"_test_split{split}.txt"
    # a name that starts with a dot is what some systems leave beside a file when they copy it
    names = (p.name for p in folder.iterdir() if not p.name.startswith("."))
    classes = sorted(name.removesuffix(end) for name in names if name.endswith(end))
    if not classes:
        raise DataError(folder, f"no list *{end}", f"a list for each class, <class>{end}")
    for action in classes:
        check_name(f"{folder}, a list {action[:120]!r}{end}", action)
    return {action: read_split(folder / f"{action}{end}") for action in classes}


def list_lines(path: str | Path, expected: str) -> list[tuple[str, str]]:
    """A list's lines that are not blank, each with its place for an error; DataError for none."""
    lines = read_text(Path(path), DataError, "a UTF-8 split list").splitlines()
    found = [(f"{path}, line {i}", x.strip()) for i, x in enumerate(lines, start=1) if x.strip()]
    if not found:
        raise DataError(path, "an empty list", expected)
    return found


def check_name(where: str, name: str) -> str:
    """A clip's or class's name, its accents composed (Unicode NFC): some systems part them.

    Raises DataError for a name that leads out of its folder, or that names no file.
    """
    name = unicodedata.normalize("NFC", name)
    if not name or "/" in name or "\\" in name or name in (".", "..") or not name.isprintable():
        raise DataError(where, repr(name[:120]), "a plain clip name")
    if len(name.encode()) > LONGEST:
        found = f"a name of {len(name.encode())} bytes, {name[:40]!r} ..."
        raise DataError(where, found, f"at most {LONGEST}, which every file system takes")
    return name


def source_video(name: str, action: str) -> str:
    """The source of `<source>_<action>_f_cm_np1_fr_med_3`; another name is its own source."""
    return _SUFFIX.sub("", name).removesuffix(f"_{action}")
