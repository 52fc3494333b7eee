"""nbgrader at work in a course folder: student versions, and a trial of how they are graded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rstan_lite.classroom.assignments import CONFIG
from rstan_lite.classroom.copies import BEGIN, END
from rstan_lite.classroom.parameters import cell_source, load_notebook
from rstan_lite.system.errors import NotebookError
from rstan_lite.system.libraries import require_libraries

GRADEBOOK = "gradebook.db"
FULL, EMPTY = "full-mark", "empty"  # the trial's two students
_LINES = 12  # of what nbgrader says last, in a complaint


class Tried(NamedTuple):
    """How a trial's submission was graded: points of each cell, and what it took."""

    assignment: str
    student: str
    points: dict[str, tuple[float, float]]  # cell -> what it got, what it can give
    seconds: float  # by the wall clock
    cpu: float  # seconds of processors, which a busy machine stretches less

    @property
    def got(self) -> float:
        return sum(got for got, _ in self.points.values())

    @property
    def most(self) -> float:
        return sum(most for _, most in self.points.values())

    @property
    def wrong(self) -> list[str]:
        """Cells without full points in the full-mark submission, or with any in the empty one."""
        full = self.student == FULL
        return [cell for cell, (got, most) in self.points.items() if got != (most if full else 0)]


def check_nbgrader() -> None:
    """Raise ConfigError, saying how to install it, where nbgrader is not there."""
    require_libraries("rstan-lite assignments", {"nbgrader": "nbgrader"}, "class")


def release(folder: Path, names: Iterable[str], overwrite: bool = False) -> list[Path]:
    """Make the student versions of a course folder's sources by nbgrader; return their paths.

    A version that is newer than its source stays as it is. One that is older is made again where
    overwrite is True. Raises NotebookError where it is False, before anything is made, and with
    nbgrader's words where that fails.
    """
    todo = []
    paths = {name: folder / "release" / name / f"{name}.ipynb" for name in names}
    for name, path in paths.items():
        source = folder / "source" / name / path.name
        known = path.exists() and (folder / GRADEBOOK).exists()
        if known and path.stat().st_mtime >= source.stat().st_mtime:
            continue
        if path.exists() and not overwrite:
            raise NotebookError(
                path,
                "a student version of another source",
                "none, or one that is newer than its source",
                "Move it, or give --overwrite.",
            )
        todo.append(name)
    for name in todo:
        run_nbgrader(folder, "generate_assignment", name, "--force")
    return list(paths.values())


def trial(folder: Path, names: Iterable[str]) -> Iterator[Tried]:
    """Autograde two submissions of each released assignment, one after another, elsewhere.

    The full-mark one has the source's solutions, the empty one is the student version as it is.
    Nothing in the course folder changes but its cache of clips and features.
    """
    cache = str(Path(os.environ.get("RSTAN_CACHE") or folder / "cache").resolve())
    with tempfile.TemporaryDirectory(prefix="rstan-trial-") as place:
        course = Path(place)
        for name in (CONFIG, GRADEBOOK):
            shutil.copy(folder / name, course / name)
        for name in names:
            shutil.copytree(folder / "source" / name, course / "source" / name)
            given = load_notebook(folder / "release" / name / f"{name}.ipynb")
            solved = with_solutions(
                given, load_notebook(folder / "source" / name / f"{name}.ipynb")
            )
            for student, content in ((FULL, solved), (EMPTY, given)):
                yield grade(course, name, student, content, cache)


def with_solutions(given: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    """A student version whose blanks hold the source's solutions, without the marker lines."""
    solved = {}
    for cell in source["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            lines = cell_source(cell).splitlines(keepends=True)
            solved[cell["id"]] = [line for line in lines if line.strip() not in (BEGIN, END)]
    cells = [
        cell | {"source": solved[cell["id"]]} if cell["id"] in solved else cell
        for cell in given["cells"]
    ]
    return given | {"cells": cells}


def grade(course: Path, name: str, student: str, content: dict[str, Any], cache: str) -> Tried:
    """Hand a notebook in and autograde it. cache: the folder of clips and features."""
    from nbgrader.api import Gradebook

    path = course / "submitted" / student / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    start, before = time.monotonic(), os.times()
    run_nbgrader(course, "autograde", name, "--student", student, RSTAN_CACHE=cache)
    seconds, after = time.monotonic() - start, os.times()
    used = (t.children_user + t.children_system for t in (after, before))
    with Gradebook(f"sqlite:///{course / GRADEBOOK}") as book:
        grades = book.find_submission_notebook(name, name, student).grades
        points = {one.name: (float(one.auto_score or 0), float(one.max_score)) for one in grades}
    return Tried(name, student, points, seconds, next(used) - next(used))


def run_nbgrader(folder: Path, command: str, name: str, *options: str, **environment: str) -> None:
    """Run an nbgrader command in a course folder; NotebookError with its last words if it fails."""
    scripts = sysconfig.get_path("scripts")  # nbgrader calls alembic by its name
    paths = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", command, name, *options],
        cwd=folder,
        env={**os.environ, "PATH": paths, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-_LINES:])
        raise NotebookError(
            folder / "source" / name, f"nbgrader {command} failing", "its success", f"\n{said}"
        )
