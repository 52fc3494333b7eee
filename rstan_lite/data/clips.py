"""What every reader of a data set shares: clips by split, frames, a validation part."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from rstan_lite.data.datasets import FOLDS
from rstan_lite.data.images import read_images
from rstan_lite.data.splits import TEST, TRAIN, carve_fold, carve_validation
from rstan_lite.data.video import read_frames
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.reading import disk_errors

NAMED_IN_ERROR = 5


@dataclass(frozen=True)
class Clip:
    """One clip: its name, its class, where it lies and the video that it was cut from.

    path: a video file, or a folder of frames. mask_path: the silhouettes' file, where there is one.
    """

    name: str
    action: str
    label: int
    path: Path
    mask_path: Path | None
    source: str


class ClipDataset(ABC):
    """A data set of clips with one of its three splits; each data set's reader derives from it.

    root: the data set's folder. split: 1, 2 or 3.
    missing: what to do about clips that a list names but the disk lacks: "error" counts and names
    them; "skip" leaves them out and keeps their names in `.missing`.
    damaged: the same of clips that turn out to be damaged when they are read, see `settle`.
    validation: share of the training list that becomes `.validation`, by source video.
    seed: of the validation part's draw.
    fold: 0: the lists' test part is tested. 1 to FOLDS: that fold of the training list is, and its
    other clips train (`carve_fold`); the lists' test part is left alone. For choices of settings.
    Attributes: classes, train, validation, test (lists of Clip), missing ("<class>/<clip>"),
    damaged ({part: {"<class>/<clip>": what was found}}), layout (the name of the folder that holds
    the clips).
    Raises DataError (root, layout, lists, missing clips), ConfigError (options).
    """

    NAME: ClassVar[str]  # in `datasets.DATASETS`
    TITLE: ClassVar[str]  # as it is written in a sentence
    has_silhouettes: ClassVar[bool]

    def __init__(
        self,
        root: str | Path,
        split: int = 1,
        missing: str = "error",
        validation: float = 0.1,
        seed: int = 0,
        damaged: str = "error",
        fold: int = 0,
    ):
        if split not in (1, 2, 3):
            raise ConfigError("split", repr(split), "1, 2 or 3")
        if missing not in ("error", "skip"):
            raise ConfigError("missing", repr(missing), "'error' or 'skip'")
        if not 0 <= validation <= 0.5:
            raise ConfigError("validation", repr(validation), "a share between 0 and 0.5")
        if damaged not in ("error", "skip"):
            raise ConfigError("damaged", repr(damaged), "'error' or 'skip'")
        if fold not in range(FOLDS + 1):
            raise ConfigError("fold", repr(fold), f"0 (none) to {FOLDS}")
        self.root, self.split, self.fold = Path(root), split, fold
        self._skip_damaged = damaged == "skip"
        self.damaged: dict[str, dict[str, str]] = {}
        with disk_errors(DataError, self.root, f"a folder with {self.TITLE}"):
            self._read(missing, validation, seed)

    def _read(self, missing: str, validation: float, seed: int) -> None:
        """Layout, lists and clips."""
        self.layout = self._find_layout()
        lists = self._lists()
        self.classes = tuple(lists)
        self.missing: tuple[str, ...] = ()
        clips = [
            (self._clip(name, action, label), part)
            for label, (action, parts) in enumerate(lists.items())
            for name, part in parts.items()
        ]
        train, test = ([clip for clip, of in clips if of == part] for part in (TRAIN, TEST))
        if self.fold:  # before absent clips are left out, so that they change no other clip's fold
            train, test = carve_fold(train, self.fold, self.root)
        absent = [clip for clip in (*train, *test) if not clip.path.exists()]
        if absent:
            self._report(absent, len(clips), missing)
        train, self.test = ([clip for clip in part if clip not in absent] for part in (train, test))
        self.train, self.validation = carve_validation(train, validation, seed)

    @abstractmethod
    def _find_layout(self) -> str:
        """The name of the folder that holds the clips; DataError where there is none."""

    @abstractmethod
    def _lists(self) -> dict[str, dict[str, int]]:
        """{class, in the order of the labels: {clip: TRAIN, TEST or UNUSED}} of this split."""

    @abstractmethod
    def _clip(self, name: str, action: str, label: int) -> Clip:
        """A listed clip, whether or not the disk has it."""

    @abstractmethod
    def silhouettes(self, clip: Clip, frames: np.ndarray) -> np.ndarray:
        """The actor's silhouette in each frame, uint8 (F, H, W) of {0, 1}.

        frames: the clip's frames (F, H, W, 3), whose shape the masks must match.
        All zero in a data set without silhouettes: Eq. 18 then has nothing to ask for.
        """

    def frames(self, clip: Clip) -> np.ndarray:
        """All frames of a clip, uint8 RGB (F, H, W, 3). DataError where they can't be read."""
        with disk_errors(DataError, clip.path, "a clip that can be read"):
            return read_images(clip.path) if clip.path.is_dir() else read_frames(clip.path)

    def settle(self, damaged: Mapping[Clip, DataError]) -> None:
        """Do about damaged clips what the option of that name says.

        "error" raises a DataError that names them all; "skip" takes them out of every part and
        keeps in `.damaged` what was found.
        """
        if not damaged:
            return
        if not self._skip_damaged:
            hint = "The others are stored. Mend it, or leave it out with --damaged skip."
            first = next(iter(damaged.values()))
            if len(damaged) == 1:
                said = f"{first.hint} {hint}".strip()
                raise DataError(first.where, first.found, first.expected, said) from first
            found = [f"{clip.action}/{clip.name} ({e.found})" for clip, e in damaged.items()]
            raise DataError(
                self.root,
                f"{len(found)} damaged clips: {'; '.join(found)}",
                "clips and silhouettes that can be read",
                hint.replace(" it", " them"),
            ) from first
        for part in ("train", "validation", "test"):
            clips: list[Clip] = getattr(self, part)
            found_here = {f"{c.action}/{c.name}": str(damaged[c]) for c in clips if c in damaged}
            if found_here:
                self.damaged[part] = {**self.damaged.get(part, {}), **found_here}
                setattr(self, part, [clip for clip in clips if clip not in damaged])

    def identity(self) -> str:
        """A hash of what this data set is: its class and clip names.

        Neither the split nor clips missing from the disk change it.
        """
        return self._digest().hexdigest()[:12]

    def _digest(self) -> hashlib._Hash:
        digest = hashlib.sha256()
        for action, parts in self._lists().items():
            digest.update(f"{action}:{','.join(sorted(parts))};".encode())
        return digest

    def _report(self, absent: list[Clip], total: int, missing: str) -> None:
        names = [f"{clip.action}/{clip.name}" for clip in absent]
        if missing == "error":
            more = len(names) - NAMED_IN_ERROR
            shown = ", ".join(names[:NAMED_IN_ERROR]) + (f" and {more} more" if more > 0 else "")
            raise DataError(
                self.root,
                f"{len(absent)} of the {total} clips of split {self.split} missing: {shown}",
                "every clip that the split lists name",
                "Complete the copy, or leave them out with missing='skip' (--missing skip).",
            )
        self.missing = tuple(names)
