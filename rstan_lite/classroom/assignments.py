"""The course as nbgrader assignments: one for each lesson, made from the lesson notebooks alone.

A course folder is nbgrader's. Checks count in part before a student's eyes (cells tagged `check`),
in part hidden (`hidden`); both print on stdout, because nbgrader takes anything on stderr for a
failure. All other code cells are locked: graded as they were released.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from rstan_lite.classroom import copies
from rstan_lite.classroom.copies import BLANK, CHECK, HIDDEN
from rstan_lite.classroom.notebook_parameters import (
    TAG,
    check_parameters,
    load_notebook,
    notebook_parameters,
    notebook_text,
    tagged,
)
from rstan_lite.system.errors import NotebookError

POINTS = {"easy": 2, "medium": 4, "hard": 6}  # of an exercise; half of them for hidden tests
CONFIG, GRADEBOOK = "nbgrader_config.py", "gradebook.db"
FULL, EMPTY = "full-mark", "empty"  # the trial's two students
GRADING = "grading"  # metadata of a parameters cell: other values while nbgrader grades
CONFIG_TEXT = """\
# Written by `rstan-lite assignments`; nbgrader's documentation has all options.
c = get_config()
c.CourseDirectory.course_id = "rstan-lite"
c.Execute.timeout = 600  # seconds of a cell: lessons train small models
c.LockCells.lock_readonly_cells = False  # lessons may be played with; graded as they were released
"""

_EXERCISE = re.compile(r"^\*\*Exercise (\d+) \((\w+)\)\.\*\*", re.MULTILINE)
_LINK = re.compile(r"\]\((\w+)\.ipynb")
_QUIET = (
    "import sys\n\nsys.stderr = sys.stdout  # nbgrader takes anything on stderr for a failure\n"
)
_HIDDEN = """\
# More inputs are tried here when this is graded, for half of the exercise's points.
### BEGIN HIDDEN TESTS
{}
### END HIDDEN TESTS"""
_GRADED = """\
import os

if os.environ.get("NBGRADER_EXECUTION") == "autograde":  # a short run is enough to grade
"""


class Graded(NamedTuple):
    """A graded cell: its id in the lesson, the exercise's grade and the points it can give."""

    cell: str
    grade: str
    points: int


class Tried(NamedTuple):
    """How a trial's submission was graded: (got, most) of each cell."""

    assignment: str
    student: str
    points: dict[str, tuple[float, float]]

    @property
    def total(self) -> tuple[float, float]:
        """What the submission got, and what it can give."""
        return sum(p[0] for p in self.points.values()), sum(p[1] for p in self.points.values())

    @property
    def wrong(self) -> list[str]:
        """Cells without full points in the full-mark submission, or with any in the empty one."""
        full = self.student == FULL
        return [cell for cell, (got, most) in self.points.items() if got != (most if full else 0)]


def graded_cells(path: str | PathLike[str]) -> list[Graded]:
    """The cells of a lesson that give points, in its order, with the points of each.

    An exercise's points go by its grade (`POINTS`), half of them to its check and half to its
    hidden tests. NotebookError where an exercise lacks either, or its text and grade.
    """
    cells = load_notebook(path)["cells"]
    texts = "\n\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    grades = dict(_EXERCISE.findall(texts))
    found: dict[str, list[str]] = {}
    for i, cell in enumerate(cells):
        if tagged(cell, CHECK) or tagged(cell, HIDDEN):
            number = copies.exercise_number(f"{path}, cell {cell.get('id') or i}", cell)
            found.setdefault(number, []).append(str(cell["id"]))
    graded = []
    for number, ids in found.items():
        if grades.get(number) not in POINTS or len(ids) != 2:
            wrong = f"grade {grades.get(number)}, graded cells {', '.join(ids)}"
            expected = f"a grade of {', '.join(POINTS)}, one check and one cell of hidden tests"
            raise NotebookError(f"{path}, exercise {number}", wrong, expected)
        graded += [Graded(one, grades[number], POINTS[grades[number]] // 2) for one in ids]
    return graded


def make_source(path: str | PathLike[str]) -> dict[str, Any]:
    """nbgrader's source version of a lesson, as JSON: solutions, hidden tests and points.

    Raises NotebookError for what `make_copy` and `graded_cells` refuse.
    """
    copies.make_copy(path, "student")  # its markers are in order
    points = {cell: points for cell, _, points in graded_cells(path)}
    content = load_notebook(path)
    cells = []
    for cell in content["cells"]:
        cells.append(cell)
        if cell["cell_type"] == "markdown":  # lessons lie in a folder each
            cell["source"] = _LINK.sub(r"](../\1/\1.ipynb", cell["source"])
        elif cell["cell_type"] == "code":
            if tagged(cell, CHECK):
                cell["source"] = _QUIET + cell["source"]
            elif tagged(cell, HIDDEN):
                cell["source"] = _HIDDEN.format(_QUIET + cell["source"])
            _mark(cell, points.get(cell["id"]), tagged(cell, BLANK))
            if tagged(cell, TAG) and GRADING in cell["metadata"]:
                cells.append(_grading_cell(path, cell["metadata"][GRADING]))
    return content | {"cells": cells}


def _mark(cell: dict[str, Any], points: int | None = None, blank: bool = False) -> None:
    """Give a code cell nbgrader's metadata: with points, a blank, or only locked; no outputs."""
    metadata: dict[str, Any] = {"grade_id": cell["id"], "schema_version": 3, "task": False}
    metadata |= {"grade": points is not None, "solution": blank, "locked": not blank}
    cell["metadata"]["nbgrader"] = metadata | ({} if points is None else {"points": points})
    cell |= {"outputs": [], "execution_count": None}
    if blank or points is not None:
        copies.unfold(cell)


def _grading_cell(path: str | PathLike[str], values: dict[str, Any]) -> dict[str, Any]:
    """A cell that changes parameters while nbgrader grades; NotebookError for unknown ones."""
    known = check_parameters(path, notebook_parameters(path), values)
    text = _GRADED + "\n".join(f"    {name} = {value!r}" for name, value in known.items())
    cell = {"cell_type": "code", "id": "parameters-of-grading", "metadata": {}, "source": text}
    _mark(cell)
    return cell


def write_course(
    lessons: Iterable[str | PathLike[str]], folder: str | PathLike[str], overwrite: bool = False
) -> list[str]:
    """Write nbgrader's configuration and sources into a course folder; return the assignments.

    Raises NotebookError for what `make_source` and `write_texts` refuse, before the first file is
    written; a source that was handed in already is never replaced.
    """
    folder, texts = Path(folder), {}
    for lesson in lessons:
        name, text = Path(lesson).stem, notebook_text(make_source(lesson))
        path = _notebook(folder, "source", name)
        handed_in = list(folder.glob(f"submitted/*/{name}"))
        if handed_in and path.exists() and not copies.holds(path, text):
            found = f"another version, and {len(handed_in)} submissions of it"
            hint = "Points may hang on it: use another folder for the new version."
            raise NotebookError(path, found, "no submission, or the same version", hint)
        texts[path] = text
    copies.write_texts({folder / CONFIG: CONFIG_TEXT, **texts}, overwrite)
    return [path.stem for path in texts]


def _notebook(folder: Path, step: str, name: str) -> Path:
    """Where nbgrader has an assignment's notebook: step is `source`, `release`, ..."""
    return folder / step / name / f"{name}.ipynb"


def release(folder: Path, names: Iterable[str]) -> list[Path]:
    """Make the student versions of a course folder's sources by nbgrader; return their paths.

    One that is newer than its source stays. NotebookError with nbgrader's words where it fails.
    """
    paths = {name: _notebook(folder, "release", name) for name in names}
    for name, path in paths.items():
        made = _notebook(folder, "source", name).stat().st_mtime
        ready = path.exists() and (folder / GRADEBOOK).exists() and path.stat().st_mtime >= made
        if not ready:
            run_nbgrader(folder, "generate_assignment", name, "--force")
    return list(paths.values())


def trial(folder: Path, names: Iterable[str]) -> Iterator[Tried]:
    """Autograde two submissions of each released assignment, one after another, elsewhere.

    The full-mark one is the source with its solutions, the empty one the student version as it is.
    Nothing in the course folder changes.
    """
    with tempfile.TemporaryDirectory(prefix="rstan-trial-") as place:
        course = Path(place)
        for name in (CONFIG, GRADEBOOK):
            shutil.copy(folder / name, course / name)
        for name in names:
            shutil.copytree(folder / "source" / name, course / "source" / name)
            for student, step in ((FULL, "source"), (EMPTY, "release")):
                yield grade(course, name, student, _notebook(folder, step, name))


def grade(course: Path, name: str, student: str, notebook: Path) -> Tried:
    """Hand a notebook in and autograde it."""
    from nbgrader.api import Gradebook

    path = _notebook(course / "submitted", student, name)
    path.parent.mkdir(parents=True)
    shutil.copy(notebook, path)
    run_nbgrader(course, "autograde", name, "--student", student)
    with Gradebook(f"sqlite:///{course / GRADEBOOK}") as book:
        grades = book.find_submission_notebook(name, name, student).grades
        points = {one.name: (float(one.auto_score or 0), float(one.max_score)) for one in grades}
    return Tried(name, student, points)


def run_nbgrader(folder: Path, command: str, name: str, *options: str) -> None:
    """Run an nbgrader command in a course folder; NotebookError with its last words if it fails."""
    scripts = sysconfig.get_path("scripts")  # nbgrader calls alembic by its name
    paths = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
    words = [sys.executable, "-m", "nbgrader", command, name, *options]
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, "PATH": paths}, encoding="utf-8",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        found = f"nbgrader {command} failing"
        said = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise NotebookError(folder / "source" / name, found, "its success", f"\n{said}")
