"""A whole data set of puppets: which clips there are, and writing them in JHMDB's own layout.

An interrupted one is continued, and the same seed gives the same bytes.
"""

import io
import itertools
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.random import Generator, SeedSequence
from scipy.io import savemat

from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.files import clear_parts, write_atomically
from rstan_lite.system.interruption import end_with_parent, starting_processes
from rstan_lite.system.reading import read_json
from rstan_lite.system.settings import check_count
from rstan_lite.system.tables import progress_bar

from .actions import CLASSES
from .painting import table
from .skeleton import FPS
from .staging import Clip, make_clip

VERSION = 1  # raise it when the same parameters give other clips
RECORD, STARTED = "puppets.json", ".puppets_started.json"
VIDEOS, MASKS, JOINTS, SPLITS = "ReCompress_Videos", "puppet_mask", "joint_positions", "splits"
SOURCE_SIZES = (1, 2, 2, 3, 1, 3, 2)  # clips cut from one source video, in turn
TEST_SHARE = 0.3
_FRAME_SIZES = (48, 1080)
MOST_RIVALS = 3
_MAT_HEADER = b"MATLAB 5.0 MAT-file, Platform: any, Created on: puppets, no date"


@dataclass(frozen=True)
class Job:
    """One clip to make: its class, its number within the class, and its source video's number."""

    action: str
    index: int
    source: int

    def streams(self, seed: int) -> tuple[Generator, Generator]:
        """The random streams of the source video and of the clip itself."""
        label = CLASSES.index(self.action)
        return _stream(seed, label, 1, self.source), _stream(seed, label, 0, self.index)


# Clips of the tour, and of trainings without a folder: minutes on two cores. Fewer actions with
# more clips of each say more than twenty with a handful. In each clip two others perform other
# actions, so that attention has something to win.
TOUR = {
    "clips_per_class": 24,
    "classes": (
        "clap", "climb_stairs", "golf", "jump", "kick_ball", "pick",
        "pullup", "run", "shoot_bow", "sit", "walk", "wave",
    ),
    "rivals": (2, 2),
}  # fmt: skip


def _stream(seed: int, *key: int) -> Generator:
    return np.random.default_rng(SeedSequence(entropy=seed, spawn_key=key))


def jobs(action: str, count: int) -> list[Job]:
    """The first `count` clips of a class; a clip's source does not depend on `count`."""
    sizes = itertools.cycle(SOURCE_SIZES)
    sources = (source for source, size in enumerate(sizes) for _ in range(size))
    return [Job(action, i, source) for i, source in enumerate(itertools.islice(sources, count))]


def source_name(action: str, source: int, seed: int) -> str:
    """The name of a source video; no two sources of a run share one."""
    number = CLASSES.index(action) * 1000 + source
    order = _stream(seed, 1 << 20)
    first, second = table("looks")["first_names"], table("looks")["second_names"]
    one = first[order.permutation(len(first))[number % len(first)]]
    other = second[order.permutation(len(second))[(number // 5) % len(second)]]
    return f"{one}_{other}_{number}"


def split(made: list[Job], number: int, seed: int) -> list[int]:
    """1 (train) or 2 (test) for each clip of one class in split `number`.

    Whole sources go to the test side until it holds about TEST_SHARE of the clips; both sides hold
    at least one source.
    """
    sources = sorted({job.source for job in made})
    size = {s: sum(job.source == s for job in made) for s in sources}
    order = _stream(seed, CLASSES.index(made[0].action), 2, number).permutation(sources)
    wanted = max(1, round(TEST_SHARE * len(made)))
    test: set[int] = set()
    held = 0
    for s in order.tolist():
        fits = held + size[s] <= wanted or not test
        if fits and len(test) < len(sources) - 1 and held < wanted:
            test.add(s)
            held += size[s]
    return [2 if job.source in test else 1 for job in made]


def generate(
    root: Path | str, clips_per_class: int = 16, classes: Sequence[str] | None = None,
    seed: int = 0, workers: int = 2, size: tuple[int, int] = (240, 320), progress: bool = True,
    rivals: tuple[int, int] = (0, 0),
) -> Path:  # fmt: skip
    """Write puppet clips into `root` in JHMDB's layout and return `root`.

    clips_per_class: at least 2. classes: some of CLASSES, or None for all. seed: from 0; clip i of
    a class is the same whatever the other parameters. workers: processes (a script that asks for
    more than one must start from `if __name__ == "__main__":`). size: (height, width), even.
    rivals: fewest and most people beside the actor, who then wears a vest, that perform other
    actions.

    A complete folder is kept; an interrupted one is continued. Raises ConfigError for a parameter
    out of range or a folder made with other parameters, DataError for a folder of something else,
    StoreError for one that can't be written.
    """
    root, parameters = Path(root), _checked(clips_per_class, classes, seed, size, rivals)
    check_count("workers", workers, 1, 256)
    if _claim(root, parameters):
        return root
    wanted = {name: jobs(name, clips_per_class) for name in parameters["classes"]}
    todo = [job for made in wanted.values() for job in made]
    names = {}
    make = partial(_make, root, seed, size, rivals)
    made_now = _work(make, todo, min(workers, len(todo)), root)
    for job, name in progress_bar(made_now, progress, total=len(todo), desc="puppets", unit="clip"):
        names[job.action, job.index] = name
    for action, made in wanted.items():
        for number in (1, 2, 3):
            sides = zip(made, split(made, number, seed), strict=True)
            text = "".join(f"{names[action, job.index]}.avi {side}\n" for job, side in sides)
            write_atomically(root / SPLITS / f"{action}_test_split{number}.txt", text.encode())
    clear_parts(root)  # now, as processes of a killed run outlive it by a moment
    write_atomically(root / RECORD, _text(parameters))
    (root / STARTED).unlink(missing_ok=True)
    return root


def _checked(
    clips_per_class: int, classes: Sequence[str] | None, seed: int,
    size: tuple[int, int], rivals: tuple[int, int],
) -> dict[str, Any]:  # fmt: skip
    """The parameters that decide what the clips look like, once they are checked."""
    chosen = list(CLASSES if classes is None else classes)
    unknown = [name for name in chosen if name not in CLASSES]
    if unknown or not chosen or len(set(chosen)) != len(chosen):
        found = ", ".join(map(str, unknown or chosen)) or "none"
        raise ConfigError("classes", found, "different names out of " + ", ".join(CLASSES))
    check_count("clips_per_class", clips_per_class, 2, 1000)
    check_count("seed", seed, 0, 2**63 - 1)
    for side in size:
        check_count("size", side, *_FRAME_SIZES)
        if side % 2:
            raise ConfigError("size", repr(size), "(height, width), both even")
    fewest, most = rivals
    check_count("rivals", most, 0, MOST_RIVALS)
    check_count("rivals", fewest, 0, most)
    names = [name for name in CLASSES if name in chosen]
    decisive = {"version": VERSION, "seed": seed, "clips_per_class": clips_per_class}
    return decisive | {"classes": names, "size": list(size), "rivals": list(rivals)}


def _text(parameters: dict[str, Any]) -> bytes:
    return (json.dumps({"data": "puppets", **parameters}, indent=1) + "\n").encode()


def _claim(root: Path, parameters: dict[str, Any]) -> bool:
    """Whether the folder is complete; mark it as being filled, or complain about what is there."""
    wanted = json.loads(_text(parameters))
    for record in (root / RECORD, root / STARTED):
        if not record.exists():
            continue
        hint = "Delete the folder and generate it again."
        found = read_json(record, DataError, "the record of generated clips, as JSON", hint)
        if found == wanted:
            return record.name == RECORD
        there = found if isinstance(found, dict) else {}
        differ = [k for k in wanted if there.get(k) != wanted[k]]
        here, new = ("; ".join(f"{k} = {o.get(k)}" for k in differ) for o in (there, wanted))
        hint = "Choose another folder, or delete this one to make it anew."
        raise ConfigError(record, here or "other keys", new or "the keys of this version", hint)
    if (root / VIDEOS).exists() or (root / SPLITS).exists():
        found, expected = "a data set that is not made of puppets", "an empty or new folder"
        raise DataError(root, found, expected, "Choose another folder.")
    write_atomically(root / STARTED, _text(parameters))
    return False


def _make(root: Path, seed: int, size: tuple[int, int], rivals: tuple[int, int], job: Job) -> str:
    """Make and write one clip, unless an interrupted call did; returns its name."""
    for video in (root / VIDEOS / job.action).glob(f"*_{job.index}.avi"):  # written last
        return video.stem
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        clip = make_clip(job.action, *job.streams(seed), size, rivals)
    finally:
        cv2.setNumThreads(threads)
    source = source_name(job.action, job.source, seed)
    name = f"{source}_{job.action}_{clip.tags}_{job.index}"
    write_clip(root, job.action, name, clip)
    return name


def _work(
    make: Callable[[Job], str], todo: list[Job], workers: int, root: Path
) -> Iterator[tuple[Job, str]]:
    """Make the clips of `todo`, in this process or in several; yields each with its name."""
    if workers == 1:
        for job in todo:
            yield job, make(job)
        return
    context = multiprocessing.get_context("spawn")  # forking a process that runs threads may hang
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent)
    try:
        with starting_processes():
            names = pool.map(make, todo)
        yield from zip(todo, names, strict=True)
    except BrokenProcessPool as error:
        hint = "Use workers=1; from a script, call generate under `if __name__ == '__main__':`."
        found, expected = "a worker process that ended early", "room in memory for each worker"
        raise DataError(root, found, expected, hint) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def encode(frames: np.ndarray, quantiser: int = 4) -> bytes:
    """Compress frames (F, H, W, 3) uint8 RGB to MPEG-4 in AVI, 30 frames a second.

    One thread, a fixed quantiser and FFmpeg's bit-exact mode: no time, version or machine enters.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.bit_rate = 4_000_000
        limits = {"qmin": str(quantiser), "qmax": str(quantiser)}
        stream.options = {"flags": "+bitexact", **limits, "g": "12", "bf": "0"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def mat_bytes(variables: dict[str, Any]) -> bytes:
    """A compressed MAT file whose header says nothing of the day or the platform."""
    buffer = io.BytesIO()
    savemat(buffer, variables, do_compression=True, oned_as="row")  # type: ignore[arg-type]
    return _MAT_HEADER.ljust(116) + buffer.getvalue()[116:]


def write_clip(root: Path, action: str, name: str, clip: Clip) -> None:
    """Write silhouettes, joints and, as the mark of a whole clip, the video."""
    masks = root / MASKS / action / name / "puppet_mask.mat"
    h, w = clip.frames.shape[1:3]
    part_mask = np.ascontiguousarray(clip.masks.transpose(1, 2, 0))  # (H, W, F)
    write_atomically(masks, mat_bytes({"part_mask": part_mask}))
    (x, y), scale = clip.joints, clip.scale[None, :]
    world = np.stack([(x / w - 0.5) * w / h / scale, (y / h - 0.5) / scale])
    described = {"pos_img": clip.joints, "pos_world": world, "scale": scale}
    joints = root / JOINTS / action / name / "joint_positions.mat"
    write_atomically(joints, mat_bytes(described | {"viewpoint": clip.viewpoint}))
    write_atomically(root / VIDEOS / action / f"{name}.avi", encode(clip.frames))
