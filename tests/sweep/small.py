"""A small notebook whose jobs end in every way, and the processes of a sweep."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.classroom.made import write

CHILD = "rstan_lite.lab.sweep.job_process"
CELL = """number: int = 1  # of the job; every eighth fails
how: str = "well"  # how it ends
out: str = "runs/n"  # its folder"""
BODY = """import json, os, time
from pathlib import Path
assert number % 8 != 7, "planned"
while how == "stuck": time.sleep(0.1)
waste = b"x" * (1200 << 20 if how == "fat" else 0)
if how == "crash": os.kill(os.getppid(), 11)
text = json.dumps({"test_accuracy": number / 100, "per_class": {"run": 0.5}, "versions": {"a": 1}})
Path(out).mkdir(parents=True, exist_ok=True)
(Path(out) / "metrics.json").write_text(text)"""


def notebook(folder: Path) -> str:
    return str(write(folder / "small.ipynb", BODY, parameters=CELL))


def until(condition: Callable[[], object], seconds: float = 120) -> object:
    """What a condition gives once it holds; AssertionError where it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def job_processes(root: psutil.Process) -> list[psutil.Process]:
    """The processes of jobs under a process."""
    found = []
    with suppress(psutil.Error):
        for process in root.children(recursive=True):
            with suppress(psutil.Error):  # ended meanwhile
                if CHILD in process.cmdline():
                    found.append(process)
    return found
