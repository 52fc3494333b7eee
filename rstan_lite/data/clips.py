"""What every reader of a data set shares: clips by split, frames, a validation part."""

import hashlib
import math
import warnings
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from rstan_lite.data.sampling import equally_spaced
from rstan_lite.data.silhouettes import read_any_masks
from rstan_lite.data.splits import FOLDS, TEST, TRAIN, source_video
from rstan_lite.data.video import VIDEOS, read_frames, read_images
from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import disk_errors
from rstan_lite.system.settings import check_choice, check_count, check_real

NAMED_IN_ERROR = 5
MEASURED = 15  # clips


@dataclass(frozen=True)
class Clip:
    """One clip. path: a video file, or a folder of frames. mask_path: of its silhouettes.

    source: the video that it was cut from.
    """

    name: str
    action: str
    label: int
    path: Path
    mask_path: Path | None
    source: str


class ClipDataset(ABC):
    """A data set of clips with one of its three splits; each data set's reader derives from it.

    root: the folder of the split lists, and of the clips in a folder per class: as videos (with an
    ending of `video.VIDEOS`) or, in another folder, as frames; with both, the videos count. Folders
    of classes may lie one level deeper. Case does not matter.
    missing: "error" names clips that a list names but the disk lacks; "skip" leaves them out.
    damaged: the same of clips that can't be read, see `settle`.
    validation: share of the training list held out by source video; seed: of its draw.
    fold: 1 to FOLDS tests that fold of the training list (`carve_fold`); 0 tests the test list.
    Attributes: classes, train, validation, test (lists of Clip), missing ("<class>/<clip>"),
    damaged ({part: {"<class>/<clip>": what was found}}), layout (the folder of the clips).
    Raises DataError (root, layout, lists, missing clips), ConfigError (options).
    """

    NAME: ClassVar[str] = ""  # in `datasets.DATASETS`
    TITLE: ClassVar[str] = "clips of your own"  # as it is written in a sentence
    LISTS: ClassVar[str]  # the folder of the split lists
    VIDEOS: ClassVar[str]
    FRAMES: ClassVar[str]
    has_silhouettes: bool

    def __init__(
        self, root: str | Path, split: int = 1, missing: str = "error", validation: float = 0.1,
        seed: int = 0, damaged: str = "error", fold: int = 0,
    ):  # fmt: skip
        check_count("split", split, 1, 3)
        check_choice("missing", missing, ("error", "skip"))
        check_choice("damaged", damaged, ("error", "skip"))
        check_real("validation", validation, 0, 0.5)
        check_count("fold", fold, 0, FOLDS)
        self.root, self.split, self.fold = Path(root), split, fold
        self._skip_damaged = damaged == "skip"
        self.missing: tuple[str, ...] = ()
        self.damaged: dict[str, dict[str, str]] = {}
        with disk_errors(DataError, self.root, f"a folder with {self.TITLE}"):
            self.layout = self._find_layout()
            self._listed = self._lists()
            self.classes = tuple(self._listed)
            self._there = self._find_clips()
            self._read_clips(missing == "skip", validation, seed)

    def _find_layout(self) -> str:
        """The name of the folder that holds the clips; DataError where there is none."""
        root, layouts = self.root, (self.VIDEOS, self.FRAMES)
        if not root.is_dir():
            raise DataError(root, "no such folder", f"a folder with {self.TITLE} (--root)")
        if not (root / self.LISTS).is_dir():
            expected = f"{self.LISTS} (the split lists) beside {' or '.join(layouts)}"
            hint = "".join(f"There is {p}. " for p in sorted(root.glob(f"*/{self.LISTS}"))).strip()
            raise DataError(root, f"no folder {self.LISTS}", expected, hint)
        for layout in layouts:
            if (root / layout).is_dir():
                return layout
        inside = ", ".join(sorted(p.name for p in root.iterdir())[:8])
        raise DataError(root, f"neither {' nor '.join(layouts)} (but {inside})", "one of the two")

    def _find_clips(self) -> dict[tuple[str, str], list[Path]]:
        """{(class, clip), both without case: where it lies}, from one look at each folder."""
        names = {name.casefold() for name in self.classes}
        upper = [path for path in sorted((self.root / self.layout).iterdir()) if path.is_dir()]
        lower = [path for folder in upper for path in sorted(folder.iterdir()) if path.is_dir()]
        found: dict[tuple[str, str], list[Path]] = defaultdict(list)
        for folder in (one for one in (*upper, *lower) if one.name.casefold() in names):
            for path in sorted(folder.iterdir()):
                is_video = path.suffix.lower() in VIDEOS
                if is_video if self.layout == self.VIDEOS else path.is_dir():
                    name = path.stem if is_video else path.name
                    found[folder.name.casefold(), name.casefold()].append(path)
        return found

    def _read_clips(self, skip_missing: bool, validation: float, seed: int) -> None:
        """Sort the listed clips into parts."""
        clips = [
            (self._clip(name, action, label), part)
            for label, (action, parts) in enumerate(self._listed.items())
            for name, part in parts.items()
        ]
        train, test = ([clip for clip, of in clips if of == part] for part in (TRAIN, TEST))
        if self.fold:  # before absent clips are left out, so that they change no other clip's fold
            train, test = carve_fold(train, self.fold, self.root)
        absent = {clip: None for clip in (*train, *test) if not clip.path.exists()}  # in order
        names = [f"{clip.action}/{clip.name}" for clip in absent]
        none = len(names) == len({*train, *test})
        if absent and (none or not skip_missing):
            found = f"{len(names)} of the {len(clips)} clips of split {self.split} missing: "
            found += ", ".join(names[:NAMED_IN_ERROR]) + ", ..." * (len(names) > NAMED_IN_ERROR)
            if none:
                inside = sorted((self.root / self.layout).glob("*/*"))[:NAMED_IN_ERROR]
                held = ", ".join(str(path.relative_to(self.root)) for path in inside)
                found += f"; there is {held or f'nothing in a folder of {self.layout}'}"
            expected = f"every clip of the split lists, as {Path(self.layout, '<class>/<clip>')}"
            hint = "Complete the copy, or leave them out with missing='skip' (--missing skip)."
            raise DataError(self.root, found, expected, hint)
        self.missing = tuple(names)
        train, self.test = ([clip for clip in part if clip not in absent] for part in (train, test))
        self.train, self.validation = carve_validation(train, validation, seed)

    @abstractmethod
    def _lists(self) -> dict[str, dict[str, int]]:
        """{class, in the order of the labels: {clip: TRAIN, TEST or UNUSED}} of this split."""

    def _clip(self, name: str, action: str, label: int) -> Clip:
        """A listed clip, whether or not the disk has it."""
        file = f"{name}.avi" if self.layout == self.VIDEOS else name
        expected = self.root / self.layout / action / file
        known = self._there.get((action.casefold(), name.casefold()), [expected])
        path = expected if expected in known else known[0]
        return Clip(name, action, label, path, None, self._source(name, action))

    def _source(self, name: str, action: str) -> str:
        """The source video of a clip."""
        return source_video(name, action)

    def short_side(self) -> int:
        """The median short side in pixels of up to MEASURED training clips."""
        some = equally_spaced(len(self.train), min(MEASURED, len(self.train)))
        sides = sorted(min(self.frames(self.train[i]).shape[1:3]) for i in some)
        return sides[len(sides) // 2]

    def check_training(self) -> None:
        """Raise DataError where no clip is left to train on."""
        if not self.train:
            lost = len(self.missing) + sum(map(len, self.damaged.values()))
            found = f"no training clip in split {self.split} ({lost} are missing or damaged)"
            raise DataError(self.root, found, "clips to train on", "Complete the copy.")

    def frames(self, clip: Clip) -> np.ndarray:
        """All frames of a clip, uint8 RGB (F, H, W, 3). DataError where they can't be read."""
        with disk_errors(DataError, clip.path, "a clip that can be read"):
            return read_images(clip.path) if clip.path.is_dir() else read_frames(clip.path)

    def silhouettes(self, clip: Clip, frames: np.ndarray) -> np.ndarray:
        """The actor's silhouette in each of the clip's frames (F, H, W, 3), uint8 (F, H, W).

        All zero for a clip without silhouettes: Eq. 18 then has nothing to ask for. DataError where
        the file cannot be read or does not fit.
        """
        if clip.mask_path is None:
            return np.zeros(frames.shape[:3], np.uint8)
        with disk_errors(DataError, clip.mask_path, "silhouettes that can be read"):
            return read_any_masks(clip.mask_path, frames.shape[:3])

    def settle(self, damaged: Mapping[Clip, DataError]) -> None:
        """Name all damaged clips in a DataError, or take them out of every part, as is asked."""
        if damaged and not self._skip_damaged:
            hint = "The others are stored. Mend it, or leave it out with --damaged skip."
            first = next(iter(damaged.values()))
            if len(damaged) == 1:
                said = f"{first.hint} {hint}".strip()
                raise DataError(first.where, first.found, first.expected, said) from first
            files = ((f"{c.action}/{c.name}", Path(e.where).name, e) for c, e in damaged.items())
            named = [f"{name} ({file}: {error.found})" for name, file, error in files]
            found = f"{len(named)} damaged clips: {'; '.join(named)}"
            raise DataError(self.root, found, "clips that can be read", hint) from first
        for part in ("train", "validation", "test"):
            clips: list[Clip] = getattr(self, part)
            found_here = {f"{c.action}/{c.name}": str(damaged[c]) for c in clips if c in damaged}
            if found_here:
                self.damaged[part] = {**self.damaged.get(part, {}), **found_here}
                setattr(self, part, [clip for clip in clips if clip not in damaged])

    def identity(self) -> str:
        """A hash of all listed classes and clips, missing or not, and how clips were generated."""
        names = (f"{action}:{','.join(sorted(clips))};" for action, clips in self._listed.items())
        return hashlib.sha256(("".join(names) + self._recipe()).encode()).hexdigest()[:12]

    def _recipe(self) -> str:
        """How clips were generated, where they were."""
        return ""


def carve_validation(clips: list[Clip], share: float, seed: int) -> tuple[list[Clip], list[Clip]]:
    """Split a training list in two by source video, class by class: (training, validation).

    share: of each class's clips, in [0, 0.5]. Sources are drawn in seeded order while they fit the
    class's quota; where none fits, the smallest serves. A source never stands on both sides, and
    each class keeps one for training.
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
            holders = (others for others in by_class.values() if source in others)
            spare = all(others.keys() - held - {source} for others in holders)
            if quota and source not in held and fits and spare:
                held.add(source)
                taken += sizes[source]
    train = [clip for clip in clips if clip.source not in held]
    return train, [clip for clip in clips if clip.source in held]


def carve_fold(clips: list[Clip], fold: int, where: str | Path) -> tuple[list[Clip], list[Clip]]:
    """Take fold 1 to FOLDS out of a training list: (the others' clips, the fold's clips).

    Each clip is in one fold, with all of its video; classes are spread as evenly as videos allow.
    Raises DataError, of the data set `where`, for too few clips or videos.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second to import

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    sources, actions = [clip.source for clip in clips], [clip.action for clip in clips]
    videos, most = len(set(sources)), max(map(actions.count, actions), default=0)
    if min(videos, most) < FOLDS:
        found = f"a training list of {videos} videos, with at most {most} clips of a class"
        raise DataError(where, found, f"at least {FOLDS} of both")
    with warnings.catch_warnings():  # of classes with fewer clips than folds, see above
        warnings.simplefilter("ignore", UserWarning)
        rest, held = list(folds.split(sources, actions, sources))[fold - 1]
    return [clips[i] for i in rest], [clips[i] for i in held]
