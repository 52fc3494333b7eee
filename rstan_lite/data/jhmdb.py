"""The JHMDB reader: both layouts, three splits, silhouettes, a validation part.

The puppets write the same layout, so that this is the one reader of both.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rstan_lite.data.silhouettes import read_masks
from rstan_lite.data.splits import TEST, TRAIN, carve_validation, read_split, source_video
from rstan_lite.data.video import read_frames
from rstan_lite.errors import ConfigError, DataError

VIDEOS, IMAGES, MASKS, SPLITS = "ReCompress_Videos", "Rename_Images", "puppet_mask", "splits"
NAMED_IN_ERROR = 5


@dataclass(frozen=True)
class Clip:
    """One clip: its name, its class, where it lies and the video that it was cut from.

    path: an AVI file, or a folder of PNG frames. mask_path: the silhouettes' file.
    """

    name: str
    action: str
    label: int
    path: Path
    mask_path: Path
    source: str


class JHMDB:
    """JHMDB, or puppets in its layout, with one of the three splits.

    root: holds `splits` and `ReCompress_Videos/<class>/<clip>.avi` or
    `Rename_Images/<class>/<clip>/*.png`; `puppet_mask/<class>/<clip>/puppet_mask.mat` beside them.
    split: 1, 2 or 3.
    missing: what to do about clips that a list names but the disk lacks: "error" counts and names
    them; "skip" leaves them out and keeps their names in `.missing`.
    validation: share of the training list that becomes `.validation`, by source video.
    seed: of the validation part's draw.
    Attributes: classes, train, validation, test (lists of Clip), missing (names), layout.
    Raises DataError (root, layout, lists, missing clips), ConfigError (options).
    """

    def __init__(
        self,
        root: str | Path,
        split: int = 1,
        missing: str = "error",
        validation: float = 0.1,
        seed: int = 0,
    ):
        if split not in (1, 2, 3):
            raise ConfigError("split", repr(split), "1, 2 or 3")
        if missing not in ("error", "skip"):
            raise ConfigError("missing", repr(missing), "'error' or 'skip'")
        if not 0 <= validation <= 0.5:
            raise ConfigError("validation", repr(validation), "a share between 0 and 0.5")
        self.root, self.split = Path(root), split
        self.layout = _find_layout(self.root)
        lists = self._lists()
        self.classes = tuple(lists)
        self.missing: tuple[str, ...] = ()
        clips = [
            (self._clip(name, action, label), part)
            for label, (action, parts) in enumerate(lists.items())
            for name, part in parts.items()
        ]
        absent = [clip for clip, part in clips if part in (TRAIN, TEST) and not clip.path.exists()]
        if absent:
            self._report(absent, len(clips), missing)
        train = [clip for clip, part in clips if part == TRAIN and clip.path.exists()]
        self.train, self.validation = carve_validation(train, validation, seed)
        self.test = [clip for clip, part in clips if part == TEST and clip.path.exists()]

    def frames(self, clip: Clip) -> np.ndarray:
        """All frames of a clip, uint8 RGB (F, H, W, 3)."""
        if clip.path.is_dir():
            return _read_images(clip.path)
        return read_frames(clip.path)

    def silhouettes(self, clip: Clip, frames: np.ndarray) -> np.ndarray:
        """The actor's silhouette in each frame, uint8 (F, H, W) of {0, 1}.

        frames: the clip's frames (F, H, W, 3), whose shape the masks must match.
        """
        return read_masks(clip.mask_path, frames.shape[:3], repeat_last=clip.path.is_dir())

    def identity(self) -> str:
        """A hash of what this data set is: its class and clip names, and the puppets' parameters.

        Clips missing from the disk don't change it; two sets of puppets differ by their seed.
        """
        digest = hashlib.sha256()
        for action, parts in self._lists().items():
            digest.update(f"{action}:{','.join(sorted(parts))};".encode())
        puppets = self.root / "puppets.json"
        if puppets.is_file():
            digest.update(json.dumps(json.loads(puppets.read_text()), sort_keys=True).encode())
        return digest.hexdigest()[:12]

    def _lists(self) -> dict[str, dict[str, int]]:
        folder = self.root / SPLITS
        end = f"_test_split{self.split}.txt"
        names = sorted(p.name for p in folder.iterdir() if p.name.endswith(end))
        if not names:
            raise DataError(folder, f"no list *{end}", f"a list for each class, <class>{end}")
        return {name.removesuffix(end): read_split(folder / name) for name in names}

    def _clip(self, name: str, action: str, label: int) -> Clip:
        folder = self.root / self.layout / action
        path = folder / f"{name}.avi" if self.layout == VIDEOS else folder / name
        mask = self.root / MASKS / action / name / "puppet_mask.mat"
        return Clip(name, action, label, path, mask, source_video(name, action))

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


def _find_layout(root: Path) -> str:
    if not root.is_dir():
        raise DataError(root, "no such folder", "a folder with JHMDB or puppets")
    if not (root / SPLITS).is_dir():
        raise DataError(root, f"no folder {SPLITS}", f"{SPLITS} beside {VIDEOS} or {IMAGES}")
    for layout in (VIDEOS, IMAGES):
        if (root / layout).is_dir():
            return layout
    inside = ", ".join(sorted(p.name for p in root.iterdir())[:8])
    raise DataError(root, f"neither {VIDEOS} nor {IMAGES} (but {inside})", "one of the two")


def _read_images(folder: Path) -> np.ndarray:
    import cv2

    names = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".png")
    if not names:
        raise DataError(folder, "0 PNG frames", "at least one frame")
    frames: list[np.ndarray] = []
    for name in names:
        frame = cv2.imdecode(np.fromfile(name, dtype=np.uint8), cv2.IMREAD_COLOR)
        if frame is None:
            raise DataError(name, "an image that does not decode", "a PNG frame")
        if frames and frame.shape != frames[0].shape:
            raise DataError(name, f"a frame of {frame.shape}", f"{frames[0].shape} like the first")
        frames.append(frame[..., ::-1])
    return np.stack(frames)
