"""Run notebooks and Python in processes of their own, without network, and measure them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import psutil
import pytest

from rstan_lite.classroom import notebook_parameters
from rstan_lite.classroom.copies import make_copy

ROOT = Path(__file__).parents[1]
OFFLINE = Path(__file__).parent / "offline"
ATTEMPT = "student-attempt"  # the id of the cell that tries the student copy's exercises
MOST = 600  # seconds after which a run is given up
sends_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="a process of Windows hears nothing of others"
)


class Measured(NamedTuple):
    """What a command took: seconds in all, of processors and of waiting, and the most MiB."""

    wall: float
    cpu: float
    idle: float
    mebibytes: float

    @property
    def seconds(self) -> float:
        """What it takes on a free machine.

        A busy machine stretches the wall clock, but neither work nor waiting; two cores do a second
        of both in less. A command that hangs waits.
        """
        return min(self.wall, self.cpu + self.idle)


def python(*words: object, **how: Any) -> subprocess.CompletedProcess[str]:
    """How a Python of its own ended, and what it printed; how: more for `subprocess.run`."""
    how = {"capture_output": True, "encoding": "utf-8", "timeout": MOST, **how}
    return subprocess.run([sys.executable, *map(str, words)], **how)


def until(condition: Callable[[], object], seconds: float = 120) -> object:
    """What a condition gives once it holds; AssertionError where it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def offline(**more: str) -> dict[str, str]:
    """An environment whose Python processes reach nothing outside of this machine."""
    paths = [str(OFFLINE), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more}


def run_measured(
    notebook: Path, parameters: Mapping[str, object], home: Path, *, html: bool = False
) -> tuple[Measured, Path]:
    """Run a notebook by `rstan-lite run` in the folder home; what it took, and its executed copy.

    The copy lies where the command puts it: in the notebook's folder `out`. AssertionError with
    what the command said where it fails.
    """
    out = {p.name: p.default for p in notebook_parameters(notebook)} | dict(parameters)
    command = [sys.executable, "-m", "rstan_lite.cli", "run", str(notebook)]
    command += [] if html else ["--no-html"]
    for name, value in parameters.items():
        command += ["-p", f"{name}={value}"]
    took = measured(command, home, offline())
    return took, home / str(out["out"]) / notebook.name


def measured(command: list[str], home: Path, environment: dict[str, str]) -> Measured:
    """Run a command in a folder, and watch it and all that it starts.

    Memory is that of all its processes together, pages that they share counted once, as far as the
    system tells. It waits while none of them runs, wants to run or reads the disk.
    """
    before, start, most, idle = os.times(), time.monotonic(), 0.0, 0.0
    with (home / "log.txt").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)
        looked, used = start, 0.0
        try:
            while process.poll() is None and time.monotonic() - start < MOST:
                time.sleep(0.25)
                mebibytes, used_now, wants = _look(process.pid)
                now, most = time.monotonic(), max(most, mebibytes)
                if not wants and used_now - used < 0.05 * (now - looked):
                    idle += now - looked
                looked, used = now, used_now
        finally:
            _end(process)
        wall, after = time.monotonic() - start, os.times()
        log.seek(0)
        assert process.returncode == 0, f"exit code {process.returncode}:\n{log.read()}"
    cpu = sum(after[2:4]) - sum(before[2:4])  # of children that have ended
    return Measured(wall, cpu, idle, most)


def _look(pid: int) -> tuple[float, float, bool]:
    """A process and all that it started: MiB, processor seconds, and whether one wants to run."""
    total = used = 0.0
    wants = False
    with suppress(psutil.Error):  # ended meanwhile
        main = psutil.Process(pid)
        for process in [main, *main.children(recursive=True)]:
            with suppress(psutil.Error):
                info = process.memory_full_info()
                total += getattr(info, "pss", 0) or info.rss
                used += sum(process.cpu_times()[:2])
                wants |= process.status() in (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
    return total / 2**20, used, wants


def _end(process: subprocess.Popen[str]) -> None:
    """Stop a process and its children where they still run."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
    process.wait()


def with_attempt(path: Path, folder: Path) -> Path:
    """Write the teacher copy of a notebook, with a cell that tries the student copy's exercises.

    Student and teacher copies are the same up to the exercises, so one kernel serves both: before
    the first blank, the added cell runs the student copy's blanks and checks and the hidden tests,
    prints how each ended, and puts the names back as they were.
    """
    teacher, student = (make_copy(path, kind) for kind in ("teacher", "student"))
    given = {cell["id"]: cell for cell in student["cells"]}
    exercises = []
    for cell in teacher["cells"]:
        tags, one = set(cell["metadata"].get("tags", [])), given.get(cell["id"])
        if one is None:
            assert "hidden" in tags, cell["id"]
        else:
            assert (one["source"] == cell["source"]) == ("blank" not in tags), cell["id"]
        if {"blank", "check", "hidden"} & tags:
            exercises.append(one or cell)
    first = [cell["id"] for cell in teacher["cells"]].index(exercises[0]["id"])
    tried = [(cell["id"], cell["source"]) for cell in exercises]
    cell = nbformat.v4.new_code_cell(_TRY.replace("EXERCISES", repr(json.dumps(tried))), id=ATTEMPT)
    teacher["cells"].insert(first, cell)
    made = folder / path.name
    made.write_text(json.dumps(teacher), encoding="utf-8")
    return made


_TRY = """
def _try():
    import json
    import traceback
    before, ends = dict(globals()), {}
    for id_, source in json.loads(EXERCISES):
        try:
            exec(compile(source, id_, "exec"), globals())
            ends[id_] = "ran"
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1].filename
            ends[id_] = f"{type(error).__name__} in {where}"
    for name in set(globals()) - set(before):
        del globals()[name]
    globals().update(before)
    print(json.dumps(ends))

_try()
"""


def check_attempt(output: Path) -> None:
    """Assert how the student copy's exercises ended in an executed `with_attempt` copy.

    Blanks run, and each check fails in a blank.
    """
    cells = nbformat.read(output, as_version=4).cells
    (cell,) = (cell for cell in cells if cell.id == ATTEMPT)
    # a kernel may send a line and its end apart, with a warning in between
    said = "".join(one.text for one in cell.outputs if one.get("name") == "stdout")
    ends: dict[str, str] = json.loads(said.splitlines()[-1])
    assert len(ends) >= 9  # three exercises
    for id_, end in ends.items():
        if id_.startswith("blank"):
            assert end == "ran", f"{id_}: {end}"
        else:
            assert end.startswith("NotImplementedError in blank-"), f"{id_}: {end}"
