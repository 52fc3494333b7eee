# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#     "av>=17",
#     "filelock>=3.16",
#     "mediapipe==0.10.14",
#     "numpy>=1.26",
#     "pillow>=10",
#     "platformdirs>=4",
#     "psutil>=5.9",
#     "scipy>=1.11",
#     "tqdm>=4.66",
# ]
# ///
"""Draw a person's silhouette into clips that have none, for the loss of Eq. 18.

`uv run data_scripts/draw_silhouettes.py CLIPS` makes an environment for this script alone, from the
block above: MediaPipe pins versions that would hold back the package's own. Of the package the
script uses the readers of clips, which need neither torch nor an installation.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.datasets import DATASETS, open_clips
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.own_clips import clip_name
from rstan_lite.data.silhouettes import KEY, MASKS, read_masks
from rstan_lite.data.video import MAX_BYTES, frame_files
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.files import clear_parts, write_atomically
from rstan_lite.system.interruption import run_command
from rstan_lite.system.reading import read_matlab
from rstan_lite.system.tables import aligned, progress_bar

# Chosen on training clips of JHMDB, see docs/data-sets.md
CONFIDENCE = 0.1  # from which a person counts as found
THRESHOLD = 0.5  # of a pixel's share, in [0, 1], from which the pixel is the person's


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, draw, and compare where that is asked; 1 if clips are damaged."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clips", type=Path, help="folder of the data set, elsewhere --root")
    parser.add_argument("--dataset", choices=DATASETS, default="folder")
    parser.add_argument("--split", type=int, default=1, help="its lists name the clips")
    parser.add_argument("--out", type=Path, help="for the masks; CLIPS, if you do not say")
    parser.add_argument("--compare", type=Path, metavar="TRUE", help="a folder with true masks")
    arguments = parser.parse_args(argv)
    return run_command(lambda: _draw_and_compare(arguments))


def _draw_and_compare(arguments: argparse.Namespace) -> int:
    root, out, truth = arguments.clips, arguments.out or arguments.clips, arguments.compare
    dataset = open_clips(arguments.dataset, root, arguments.split, missing="skip", validation=0.0)
    if truth is not None and truth.resolve() == out.resolve():
        found = f"{truth}, where the masks are drawn"
        raise ConfigError("--compare", found, "a folder with true masks")
    damaged = draw(dataset, out)
    if truth is not None:
        clips = [clip for clip in (*dataset.train, *dataset.test) if clip not in damaged]
        print(compare(dataset, clips, out, truth))
    return int(bool(damaged))


def draw(dataset: ClipDataset, out: Path) -> dict[Clip, DataError]:
    """Write the masks of every clip that has none in `out`; the damaged clips and their errors.

    What is there is kept, so that an interrupted run goes on. A clip in which nobody is found gets
    no file: the readers refuse a silhouette that is empty throughout.
    """
    clips = [*dataset.train, *dataset.test]
    own = out.resolve() == dataset.root.resolve()
    todo = {
        clip: path
        for clip in clips
        if not (path := mask_file(dataset, clip, out)).exists()
        and not (own and clip.mask_path is not None and clip.mask_path.exists())
    }
    print(f"{len(clips) - len(todo)} of {len(clips)} clips have masks in {out}", flush=True)
    if out.is_dir():
        clear_parts(out)
    damaged: dict[Clip, DataError] = {}
    nobody = []
    for clip, path in progress_bar(todo.items(), desc="silhouettes"):
        try:
            masks = person_masks(dataset.frames(clip))
        except DataError as error:
            damaged[clip] = error
            continue
        if masks.any():
            before = _frames_before(dataset, clip)
            write_atomically(path, mask_bytes(np.pad(masks, ((before, 0), (0, 0), (0, 0)))))
        else:
            nobody.append(f"{clip.action}/{clip.name}")
    print(f"{len(todo) - len(damaged) - len(nobody)} drawn; nobody found in {len(nobody)}")
    for title, lines in (("nobody found", nobody), ("damaged", [str(e) for e in damaged.values()])):
        for line in lines:
            print(f"{title}: {line}", file=sys.stderr)
    return damaged


def _frames_before(dataset: ClipDataset, clip: Clip) -> int:
    """Masks before the first frame: of JHMDB, mask k is that of the frame whose name says k."""
    named = isinstance(dataset, JHMDB) and clip.path.is_dir()
    return max(0, frame_files(clip.path)[0] - 1) if named else 0


def mask_file(dataset: ClipDataset, clip: Clip, folder: Path) -> Path:
    """Where a clip's masks lie below a folder: as JHMDB has them, or as the other readers do."""
    if isinstance(dataset, JHMDB) and clip.mask_path is not None:
        return folder / clip.mask_path.relative_to(dataset.root)
    name = clip.path.name if clip.path.is_dir() else clip_name(clip.path.name)
    return folder / MASKS / clip.action / f"{name}.mat"


def mask_bytes(masks: np.ndarray) -> bytes:
    """A file `puppet_mask.mat` of masks uint8 (F, H, W), which it holds as (H, W, F)."""
    file = io.BytesIO()
    savemat(file, {KEY: masks.transpose(1, 2, 0)}, do_compression=True)
    return file.getvalue()


def person_masks(frames: np.ndarray) -> np.ndarray:
    """One person's silhouette in each frame of a clip, as MediaPipe's pose network sees it.

    frames: uint8 RGB (F, H, W, 3). The network follows one person from frame to frame: of several,
    the one that it found first.
    Returns uint8 (F, H, W) of {0, 1}, zeros in a frame where nobody is found.
    """
    masks = np.zeros(frames.shape[:3], np.uint8)
    with (
        _quiet(),
        _pose_module().Pose(
            model_complexity=1,  # the one whose weights the wheel has; others are downloaded
            enable_segmentation=True,
            min_detection_confidence=CONFIDENCE,
        ) as network,
    ):
        for frame, mask in zip(frames, masks, strict=True):
            shares = network.process(frame).segmentation_mask  # (H, W) in [0, 1], or None
            if shares is not None:
                mask[shares > THRESHOLD] = 1
    return masks


def _pose_module() -> Any:
    """MediaPipe's pose solution; ConfigError where it is not installed."""
    try:
        from mediapipe.python.solutions import pose
    except ImportError as error:
        hint = f"Run `uv run {Path(__file__).name}`, or install what its first lines name."
        found = f"no such library ({error})"
        raise ConfigError("mediapipe", found, "it installed", hint) from error
    return pose


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what libraries in C++ say on stderr: MediaPipe warns twice of each clip."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def compare(dataset: ClipDataset, clips: Sequence[Clip], drawn: Path, truth: Path) -> str:
    """A table by class of how drawn masks agree with true ones, in frames that show the actor.

    found: share of frames with a drawn mask. IoU: intersection over union, averaged over frames,
    those with a drawn mask or all.
    """
    by_class: dict[str, list[np.ndarray]] = {}
    for clip in clips:
        paths = (mask_file(dataset, clip, folder) for folder in (drawn, truth))
        overlaps = agreement(*_pair(*paths))
        for row in (clip.action, "all"):
            by_class.setdefault(row, []).append(overlaps)
    by_class["all"] = by_class.pop("all")  # comes last
    rows = [("class", "clips", "frames", "found", "IoU where found", "IoU of all")]
    for row, clips_of_row in by_class.items():
        overlaps = np.concatenate(clips_of_row)
        found = overlaps[~np.isnan(overlaps)]
        cells = (
            len(found) / len(overlaps),
            found.sum() / max(1, len(found)),
            found.sum() / len(overlaps),
        )
        rows.append((row, str(len(clips_of_row)), str(len(overlaps)), *(f"{x:.3f}" for x in cells)))
    return "\n".join(aligned(rows, left=1))


def agreement(drawn: np.ndarray, true: np.ndarray) -> np.ndarray:
    """IoU of masks (F, H, W) in each frame with a true one; NaN where none is drawn.

    A mask that misses the actor altogether counts as found, with IoU 0.
    """
    shown = true.any(axis=(1, 2))
    drawn, true = drawn[shown] > 0, true[shown] > 0
    both, either = ((x.sum(axis=(1, 2))) for x in (drawn & true, drawn | true))
    return np.where(drawn.any(axis=(1, 2)), both / either, np.nan)


def _pair(drawn: Path, true: Path) -> tuple[np.ndarray, np.ndarray]:
    """Drawn and true masks (F, H, W); zeros for a clip in which nobody was found."""
    if drawn.exists():
        found = _stored(drawn)
        return found, read_masks(true, found.shape)
    shown = _stored(true)
    return np.zeros_like(shown), shown


def _stored(path: Path) -> np.ndarray:
    return np.atleast_3d(read_matlab(path, KEY, DataError, MAX_BYTES)).transpose(2, 0, 1)


if __name__ == "__main__":
    sys.exit(main())
