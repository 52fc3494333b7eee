"""Runs cases in a process of their own, so that a crash or a hang is a finding and not the end."""

import contextlib
import io
import os
import shutil
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import active_children, get_context
from pathlib import Path
from random import Random
from typing import Any

import psutil

from rstan_lite.system.errors import RstanError
from tests.hostile.damage import BYTES, change_json, change_lines
from tests.hostile.entries import ENTRIES, Entry, kinds
from tests.hostile.special import ANYWHERE, CANARY, SPECIAL

MEMORY = 3 * 2**30  # bytes of address space that a case may take beside what the worker has
WALL = 120.0  # seconds that a case may take, of a processor on a busy machine
GROWTH = 2**30  # bytes by which a case may raise the worker's largest resident memory
# The entries whose call writes into the case's folder.
WRITE = {"store's key", "zip", "tar", "rar", "predict", "predict with a run", "resumed training"}


def draw(seed: int) -> tuple[str, str]:
    """The entry and the kind of damage of a seed."""
    rng = Random(f"case {seed}")
    names = [name for name, entry in ENTRIES.items() for _ in range(entry.weight)]
    name = rng.choice(names)
    return name, rng.choice(kinds(ENTRIES[name]))


def cases() -> list[str]:
    """The names of all cases made by hand: `<entry>: <case>`."""
    return [f"{name}: {case}" for name in ENTRIES for case in {**ANYWHERE, **SPECIAL[name]}]


def _tree(entry: Entry, world: Path, case: Path) -> Path:
    """Copy what an entry needs, by links; returns the place of the file, which is not there yet."""
    if not entry.tree:
        case.mkdir()
        return case / Path(entry.good).name
    shutil.copytree(world / entry.tree, case, copy_function=os.link)
    (file,) = case.glob(entry.good)
    file.unlink()
    return file


def _write(case: str | int, entry: Entry, file: Path, data: bytes) -> str:
    """Put a case's file into its place; returns the kind of damage."""
    if isinstance(case, str):
        name, _, which = case.partition(": ")
        {**ANYWHERE, **SPECIAL[name]}[which](file, data)
        return "by hand"
    rng, kind = Random(case), draw(case)[1]
    change = {**BYTES, "json": change_json, "lines": change_lines}[kind]
    file.write_bytes(change(data, rng))
    return kind


def _names(folder: Path) -> set[str]:
    """All under a folder; os.walk, since a case asks three times and pathlib is slow."""
    walked = ((where, (*below, *files)) for where, below, files in os.walk(folder))
    return {f"{where}/{name}"[len(str(folder)) + 1 :] for where, names in walked for name in names}


def _peak() -> int:
    """Largest resident memory so far, bytes; getrusage's would be that of the process before."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10


def run(case: str | int, world: Path) -> dict[str, Any]:
    """Run one case in a folder beside the world; the answer has kind, outcome, finding."""
    name = case.partition(": ")[0] if isinstance(case, str) else draw(case)[0]
    entry, folder = ENTRIES[name], world.parent / "case"
    shutil.rmtree(folder, ignore_errors=True)
    (good,) = (world / entry.tree).glob(entry.good)
    file = _tree(entry, world, folder)
    kind = _write(case, entry, file, good.read_bytes())
    around, inside = _names(world.parent), _names(folder)
    before, finding = _peak(), ""
    said = io.StringIO()
    try:
        quiet = contextlib.redirect_stderr(said), contextlib.redirect_stdout(said)
        with quiet[0], quiet[1], warnings.catch_warnings():
            warnings.simplefilter("ignore")
            entry.call(folder, file)
        outcome = "success"
    except RstanError as error:
        outcome = type(error).__name__
        if not (error.where and error.found and error.expected) or len(str(error)) > 5000:
            finding = f"a complaint that says too little or too much: {str(error)[:500]!r}"
    except BaseException as error:
        outcome = "exception"
        finding = f"{type(error).__name__}: {str(error)[:300]} at {_place(error)}"
    if _peak() - before > GROWTH:
        finding = finding or f"{(_peak() - before) >> 20} MiB of memory"
    here = _names(folder) if folder.is_dir() else set()
    if (world.parent / CANARY).exists():
        finding = "code of the file was run"
        (world.parent / CANARY).unlink()
    outside = {path for path in _names(world.parent) - around if not path.startswith("case/")}
    if outside:
        finding = finding or f"written outside of the folder: {sorted(outside)[:3]}"
    left = sorted(path for path in here - inside if path.endswith(".part"))
    if left or (here != inside and name not in WRITE):
        finding = finding or f"left behind: {left or sorted(here ^ inside)[:3]}"
    if outcome not in ("success",) and (folder / "target" / "clips").exists():
        finding = finding or "a part of a refused archive"
    return {"case": case, "entry": name, "kind": kind, "outcome": outcome, "finding": finding}


def _place(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "rstan_lite" in f.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "the suite itself"


def limit() -> None:
    """Begin the process: without a place to print to, and with so much memory."""
    import resource  # Windows has none

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    most = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def run_cases(world: Path, chosen: Iterable[str | int]) -> Iterator[dict[str, Any]]:
    """The answers of cases, see `run`, in order, each as it comes."""
    pool = _pool()
    try:
        for case in chosen:
            try:
                yield _waited(pool.submit(run, case, world))
                continue
            except BrokenExecutor:
                finding = "the process died"
            except TimeoutError:
                finding = f"a hang of {WALL:.0f} s"
            _end(pool)
            pool = _pool()
            name = case.partition(": ")[0] if isinstance(case, str) else draw(case)[0]
            yield {"case": case, "entry": name, "kind": "", "outcome": "lost", "finding": finding}
    finally:
        _end(pool)


def _waited(future: Future[dict[str, Any]]) -> dict[str, Any]:
    """A case's answer; TimeoutError if it stands still, or computes for longer than WALL."""

    def used() -> float:
        times = (psutil.Process(one.pid).cpu_times() for one in active_children())
        return sum(one.user + one.system for one in times)

    start = before = used()
    while True:
        try:
            return future.result(WALL)
        except TimeoutError:
            if used() - before < WALL / 100 or used() - start > WALL:
                raise
            before = used()


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), limit)


def _end(pool: ProcessPoolExecutor) -> None:
    for process in active_children():
        process.kill()
    pool.shutdown(cancel_futures=True)


def report(answers: list[dict[str, Any]], seed: int) -> str:
    """Markdown: how cases of each entry ended, and what was found."""
    lines = [f"# Hostile input: {len(answers)} cases, seeds from {seed}", ""]
    for name in dict.fromkeys(answer["entry"] for answer in answers):
        ends = Counter(answer["outcome"] for answer in answers if answer["entry"] == name)
        lines.append(f"- {name}: {', '.join(f'{n} {end}' for end, n in ends.items())}")
    found = [a for a in answers if a["finding"]]
    lines += ["", f"Findings: {len(found)}", ""]
    lines += [f"- {a['case']!r}: {a['entry']}, {a['kind']}: {a['finding']}" for a in found]
    return "\n".join(lines) + "\n"
