"""Clips of your own: a folder for each class, in it videos or folders of frames."""

import csv
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from rstan_lite.data.clips import Clip, ClipDataset, carve_validation
from rstan_lite.data.silhouettes import MASKS, masks_in
from rstan_lite.data.splits import TEST, TRAIN, UNUSED, check_name, list_lines, source_video
from rstan_lite.data.video import SUFFIXES, VIDEOS, is_video
from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import read_text

PARTS = {"train": TRAIN, "test": TEST, "unused": UNUSED}
TEST_SHARE = 0.3  # of a class's clips, where no list says which are tested


class OwnClips(ClipDataset):
    """`<class>/<video>`, `<class>/<source>/<video>`, or folders of frames in the place of videos.

    root: the folder of the classes. Beside them may lie
    - `masks/<class>/<clip>.mat` (JHMDB's `part_mask`), `.npz` (one array (F, H, W)) or a folder of
      PNG images: silhouettes, of all clips or of some;
    - `split<k>.csv` or `split.csv`, with the columns clip, class, part (train, test, unused) and,
      if you like, source;
    - `train<k>.txt` and `test<k>.txt` (or `val<k>.txt`, each also without k): lines
      `path label` (mmaction2's lists) or `path frames label` (TSN's).
    Without a list, three tenths of each class are tested, by whole sources; split k draws with
    seed k. A clip's source is the column's, else the folder between class and clip, in all classes
    the same one, else what its name holds before HMDB51's ending, else itself. A list that parts
    clips of one source is refused: of a class, where its column does not name the source.
    For the options and errors see `ClipDataset`.
    """

    NAME, TITLE = "folder", "clips of your own"

    def _find_layout(self) -> str:
        if not self.root.is_dir():
            raise DataError(self.root, "no such folder", "a folder with class folders (--root)")
        folders = sorted(p for p in self.root.iterdir() if p.is_dir() and p.name[0] not in "._")
        left = sorted(p for p in self.root.iterdir() if p.is_file() and is_video(p))
        held = [(p, dict(_clips_in(p, left))) for p in folders if p.name != MASKS]
        if left:
            said = f"{len(left)} files are left out, for example {left[0].relative_to(self.root)}"
            warnings.warn(f"{self.root}: {said}: they are no videos, or in no class", stacklevel=4)
        disk = [(check_name(str(p), p.name), clips) for p, clips in held if clips]
        self._disk = dict(disk)
        if len(self._disk) < max(2, len(disk)):  # two of one name, but for the accents' form
            found = f"{len(disk)} folders with videos ({', '.join(self._disk) or 'none'})"
            upper = [p for p, _ in held if sum(inner.is_dir() for inner in p.iterdir()) > 1]
            hint = "".join(f"Or are the classes in {p}?" for p in upper[:1])
            raise DataError(self.root, found, "two or more: <class>/<video>", hint)
        self._masks = dict(masks_in(self.root / MASKS))
        for action, name in self._masks:
            if name not in self._disk.get(action, {}):
                found = f"masks of {action}/{name}, and no such clip"
                raise DataError(self.root / MASKS, found, "masks named like their clips")
        self.has_silhouettes = bool(self._masks)
        return ""

    def _find_clips(self) -> dict[tuple[str, str], list[Path]]:
        return {}  # `_find_layout` has looked already

    def _lists(self) -> dict[str, dict[str, int]]:
        listed = _listed(self.root, self.split)
        self._sources = {key: source for key, (source, _) in listed.items()}
        parts: dict[str, dict[str, int]] = {action: {} for action in self._disk}
        seen: dict[tuple[str, ...], int] = {}
        for (action, name), (named, part) in listed.items():
            parts.setdefault(action, {})[name] = part
            source = self._clip(name, action, 0).source
            key = (source,) if named else (action, source)  # a folder's name may be a mere number
            if part != UNUSED and seen.setdefault(key, part) != part:
                found = f"source {source!r} on both sides, for example {name}"
                expected = "each source in one part, as split.csv's column `source` names them"
                raise DataError(self.root, found, expected)
        if listed:
            there = {(action, name) for action in self._disk for name in self._disk[action]}
            if others := sorted(there - listed.keys()):
                said = f"{len(others)} clips in no list are left out, as {'/'.join(others[0])}"
                warnings.warn(f"{self.root}: {said}", stacklevel=4)
            return {action: clips for action, clips in sorted(parts.items()) if clips}
        clips = {
            self._clip(name, action, label): (action, name)
            for label, action in enumerate(self._disk)
            for name in self._disk[action]
        }
        test = set(carve_validation(list(clips), TEST_SHARE, seed=self.split)[1])
        if not test:
            found = "one source in every class, so that none can be tested"
            raise DataError(self.root, found, "two or more in some class, or a split.csv")
        for clip, (action, name) in clips.items():
            parts[action][name] = TEST if clip in test else TRAIN
        return parts

    def _clip(self, name: str, action: str, label: int) -> Clip:
        path, folder = self._disk.get(action, {}).get(name, (self.root / action / name, ""))
        named = self._sources.get((action, name), "") or folder
        source = named or f"{action}/{source_video(name, action)}"
        twice = sum(name in clips for clips in self._disk.values()) > 1
        title = f"{action}-{name}" if twice else name  # a clip's name stands once
        return Clip(title, action, label, path, self._masks.get((action, name)), source)


def _clips_in(action: Path, left: list[Path]) -> Iterator[tuple[str, tuple[Path, str]]]:
    """(name, (path, source)) of a class's folder. left: what is no clip is added to it."""
    seen: dict[str, Path] = {}
    paths = list(_lowest(action))
    videos = [path for path in paths if path.suffix.lower() in VIDEOS]
    named = {*videos, *(path.with_suffix("") for path in videos)}
    for path in paths:
        beside = path.suffix.lower() not in VIDEOS and path.with_suffix("") in named  # 001.mp4.bak
        if not path.is_dir() and (beside or not is_video(path)):
            left.append(path)
            continue
        name = check_name(str(path), path.name if path.is_dir() else clip_name(path.name))
        if name in seen:
            found = f"a second clip {name}, beside {seen[name]}"
            hint = f"Or is {action} a folder of classes?"
            raise DataError(path, found, "names that differ in a class", hint)
        seen[name] = path
        yield name, (path, path.parent.relative_to(action).as_posix().removeprefix("."))


def _lowest(folder: Path) -> Iterator[Path]:
    """Files, and folders of images, which are clips; another folder is a source."""
    for path in sorted(p for p in folder.iterdir() if p.name[0] not in "._"):
        if path.is_dir() and not any(p.suffix.lower() in SUFFIXES for p in path.iterdir()):
            yield from _lowest(path)
        else:
            yield path


def _listed(root: Path, split: int) -> dict[tuple[str, str], tuple[str, int]]:
    """{(class, clip): (source, part)} of the lists; empty without."""
    for name in (f"split{split}.csv", "split.csv"):
        if (root / name).is_file():
            return _unique(root / name, _table(root / name))
    for end in (str(split), ""):
        train = root / f"train{end}.txt"
        for test in (root / f"test{end}.txt", root / f"val{end}.txt"):
            if train.is_file() and test.is_file():
                return _unique(test, [*_lines(train, TRAIN), *_lines(test, TEST)])
    return {}


_Row = tuple[str, str, str, str, int]  # place in a file, class, clip, source, part


def _unique(path: Path, rows: Iterable[_Row]) -> dict[tuple[str, str], tuple[str, int]]:
    found: dict[tuple[str, str], tuple[str, int]] = {}
    for where, action, name, source, part in rows:
        key = check_name(where, action), check_name(where, name)
        if key in found:
            raise DataError(where, f"{action}/{name} a second time", "each clip once")
        found[key] = source, part
    if not found:
        raise DataError(path, "an empty list", "a line for each clip")
    return found


def _table(path: Path) -> Iterator[_Row]:
    """Rows of a CSV file with a header; the separator may be a comma, semicolon or tab."""
    text = read_text(path, DataError, "a table with the columns clip, class, part").lstrip("\ufeff")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text), delimiter=separator)
    reader.fieldnames = columns = [name.strip().lower() for name in reader.fieldnames or ()]
    if missing := {"clip", "class", "part"} - set(columns):
        raise DataError(path, f"columns {', '.join(columns)}", f"also {', '.join(sorted(missing))}")
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        clip, action, part, source = (
            (row.get(key) or "").strip() for key in ("clip", "class", "part", "source")
        )
        if part.lower() not in PARTS:
            raise DataError(where, f"part {part!r}", "train, test or unused")
        yield where, action, clip_name(clip), source, PARTS[part.lower()]


def _lines(path: Path, part: int) -> Iterator[_Row]:
    """Rows of a list of mmaction2 (`path label`) or TSN (`path frames label`)."""
    form = "'<class>/<clip> <label>' or '<class>/<clip> <frames> <label>'"
    for where, line in list_lines(path, form):
        found = re.fullmatch(r"(.+?)(?:\s+\d+){1,2}", line)
        folders = PurePosixPath(found[1].replace("\\", "/")).parts if found else ()
        if found is None or len(folders) < 2:
            raise DataError(where, repr(line[:120]), form)
        yield where, folders[-2], clip_name(folders[-1]), "", part


def clip_name(name: str) -> str:
    """A clip's name without its class and ending."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.stem if path.suffix.lower() in VIDEOS else path.name
