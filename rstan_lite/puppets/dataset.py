"""Writes a whole data set of puppets: resumable, and the same bytes for the same seed."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cv2
from tqdm.auto import tqdm

from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.files import clear_parts
from rstan_lite.system.interruption import end_with_parent, starting_processes
from rstan_lite.system.reading import read_json

from . import plan
from .actions import CLASSES
from .clip import make_clip
from .writer import SPLITS, VIDEOS, clip_done, write_bytes, write_clip

VERSION = 1  # raise it when the same parameters give other clips
RECORD, STARTED = "puppets.json", ".puppets_started.json"
_FRAME_SIZES = (48, 1080)
MOST_RIVALS = 3


def generate(
    root: Path | str,
    clips_per_class: int = 16,
    classes: Sequence[str] | None = None,
    seed: int = 0,
    workers: int = 2,
    size: tuple[int, int] = (240, 320),
    progress: bool = True,
    rivals: tuple[int, int] = (0, 0),
) -> Path:
    """Write puppet clips into `root` in JHMDB's layout and return `root`.

    clips_per_class: at least 2, so that each class has a training and a test clip. classes: some
    of CLASSES, or None for all. seed: from 0; clip i of a class is the same whatever the other
    parameters. workers: processes; each costs a core (a script that asks for more than one must
    start from `if __name__ == "__main__":`). size: (height, width), even. progress: show a bar.
    rivals: fewest and most people beside the actor who perform other actions; where there are
    any, the actor wears a vest.

    A folder that is complete for these parameters is kept; an interrupted one is continued.
    `puppets.json` is written last. Raises ConfigError for a parameter out of range or a folder
    made with other parameters, DataError for a folder of something else or one that can't be
    written.
    """
    root = Path(root)
    parameters = _check(clips_per_class, classes, seed, workers, size, rivals)
    _claim(root, parameters)
    jobs = {name: plan.jobs(name, clips_per_class) for name in parameters["classes"]}
    names = _known_names(root)
    todo = [
        job
        for made in jobs.values()
        for job in made
        if (name := names.get((job.action, job.index))) is None
        or not clip_done(root, job.action, name)
    ]
    if todo:
        with tqdm(
            total=sum(map(len, jobs.values())),
            initial=sum(map(len, jobs.values())) - len(todo),
            desc="puppets",
            unit="clip",
            disable=not progress,
        ) as bar:
            for job, name in _work(root, todo, seed, size, workers, rivals):
                names[job.action, job.index] = name
                bar.update()
    for action, made in jobs.items():
        for number in (1, 2, 3):
            sides = plan.split(made, number, seed)
            lines = [
                f"{names[action, j.index]}.avi {side}\n"
                for j, side in zip(made, sides, strict=True)
            ]
            write_bytes(root / SPLITS / f"{action}_test_split{number}.txt", "".join(lines).encode())
    clear_parts(root)  # now, as processes of a killed run outlive it by a moment
    write_bytes(root / RECORD, _text(parameters))
    (root / STARTED).unlink(missing_ok=True)
    return root


def _check(
    clips_per_class: int,
    classes: Sequence[str] | None,
    seed: int,
    workers: int,
    size: tuple[int, int],
    rivals: tuple[int, int],
) -> dict[str, Any]:
    """Check the parameters and return those that decide what the clips look like."""
    chosen = list(CLASSES if classes is None else classes)
    unknown = [name for name in chosen if name not in CLASSES]
    if unknown or not chosen or len(set(chosen)) != len(chosen):
        raise ConfigError(
            "classes",
            found=", ".join(map(str, unknown or chosen)) or "none",
            expected="different names out of " + ", ".join(CLASSES),
        )
    for option, value, low, high in (
        ("clips_per_class", clips_per_class, 2, 1000),
        ("seed", seed, 0, 2**63 - 1),
        ("workers", workers, 1, 256),
    ):
        if not isinstance(value, int) or not low <= value <= high:
            raise ConfigError(
                option, found=repr(value), expected=f"a whole number from {low} to {high}"
            )
    good = len(size) == 2 and all(isinstance(v, int) and v % 2 == 0 for v in size)
    if not good or not all(_FRAME_SIZES[0] <= v <= _FRAME_SIZES[1] for v in size):
        raise ConfigError(
            "size",
            found=repr(size),
            expected=f"(height, width), both even and from {_FRAME_SIZES[0]} to {_FRAME_SIZES[1]}",
        )
    numbers = len(rivals) == 2 and all(isinstance(v, int) for v in rivals)
    if not numbers or not 0 <= rivals[0] <= rivals[1] <= MOST_RIVALS:
        raise ConfigError(
            "rivals",
            found=repr(rivals),
            expected=f"(fewest, most), whole numbers from 0 to {MOST_RIVALS}",
        )
    return {
        "version": VERSION,
        "seed": seed,
        "clips_per_class": clips_per_class,
        "classes": [name for name in CLASSES if name in chosen],
        "size": list(size),
        "rivals": list(rivals),
    }


def _text(parameters: dict[str, Any]) -> bytes:
    return (json.dumps({"data": "puppets", **parameters}, indent=1) + "\n").encode()


def _claim(root: Path, parameters: dict[str, Any]) -> None:
    """Mark the folder as being filled with these parameters, or complain about what is there."""
    for record in (root / RECORD, root / STARTED):
        if not record.exists():
            continue
        hint = "Delete the folder and generate it again."
        found = read_json(record, DataError, "the record of generated clips, as JSON", hint)
        wanted = json.loads(_text(parameters))
        if not isinstance(found, dict) or found != wanted:
            there = found if isinstance(found, dict) else {}
            differ = [k for k in wanted if there.get(k) != wanted[k]]
            raise ConfigError(
                record,
                found="; ".join(f"{k} = {there.get(k)}" for k in differ) or "other keys",
                expected="; ".join(f"{k} = {wanted[k]}" for k in differ)
                or "the keys of this version",
                hint="Choose another folder, or delete this one to make it anew.",
            )
        return
    if (root / VIDEOS).exists() or (root / SPLITS).exists():
        raise DataError(
            root,
            found="a data set that is not made of puppets",
            expected="an empty or new folder",
            hint="Choose another folder.",
        )
    write_bytes(root / STARTED, _text(parameters))


def _known_names(root: Path) -> dict[tuple[str, int], str]:
    """Names of the clips already written, by class and number."""
    found = {}
    for action in CLASSES:
        folder = root / VIDEOS / action
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            number = path.stem.rsplit("_", 1)[-1]
            if path.suffix == ".avi" and not path.name.startswith(".") and number.isdecimal():
                found[action, int(number)] = path.stem
    return found


def _make(
    root: Path, job: plan.Job, seed: int, size: tuple[int, int], rivals: tuple[int, int]
) -> str:
    """Make and write one clip; returns its name."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        clip = make_clip(job.action, job.source_stream(seed), job.stream(seed), size, rivals)
    finally:
        cv2.setNumThreads(threads)
    source = plan.source_name(job.action, job.source, seed)
    name = f"{source}_{job.action}_{clip.tags}_{job.index}"
    write_clip(root, job.action, name, clip)
    return name


def _work(
    root: Path,
    todo: list[plan.Job],
    seed: int,
    size: tuple[int, int],
    workers: int,
    rivals: tuple[int, int],
) -> Iterator[tuple[plan.Job, str]]:
    """Make the clips of `todo`, in this process or in several; yields them as they are finished."""
    if workers == 1 or len(todo) == 1:
        for job in todo:
            yield job, _make(root, job, seed, size, rivals)
        return
    context = multiprocessing.get_context("spawn")  # forking a process that runs threads may hang
    pool = ProcessPoolExecutor(
        min(workers, len(todo)), mp_context=context, initializer=end_with_parent
    )
    try:
        with starting_processes():
            waiting: dict[Future[str], plan.Job] = {
                pool.submit(_make, root, job, seed, size, rivals): job for job in todo
            }
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
    except BrokenProcessPool as error:
        raise DataError(
            root,
            found="a worker process that ended early",
            expected="room in memory for each worker",
            hint="Use workers=1; from a script, call generate under `if __name__ == '__main__':`.",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
