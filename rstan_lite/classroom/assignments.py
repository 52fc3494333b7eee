"""The course as nbgrader assignments: one for each lesson, made from the lesson notebooks alone.

A course folder is nbgrader's: `nbgrader_config.py`, `source/` with solutions and hidden tests,
`release/` with what students get, `gradebook.db`. Checks count in part before a student's eyes
(cells tagged `check`), in part hidden (`hidden`); nbgrader takes anything on stderr for a failure,
so that both print it on stdout. All other code cells are locked: graded as they were released.
"""

from __future__ import annotations

import ast
import copy
import json
import re
import textwrap
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from rstan_lite.classroom.copies import (
    BLANK,
    CHECK,
    HIDDEN,
    differs,
    exercise_number,
    make_copy,
    unfold,
)
from rstan_lite.classroom.parameters import (
    TAG,
    cell_source,
    check_parameters,
    load_notebook,
    notebook_parameters,
    tagged,
)
from rstan_lite.system.errors import NotebookError
from rstan_lite.system.files import write_atomically

POINTS = {"easy": 2, "medium": 4, "hard": 6}  # of an exercise; half of them for hidden tests
CONFIG = "nbgrader_config.py"
GRADING = "grading"  # metadata of a parameters cell: other values while nbgrader grades
CONFIG_TEXT = """\
# Written by `rstan-lite assignments`; nbgrader's documentation has all options.
import os
from pathlib import Path

c = get_config()
c.CourseDirectory.course_id = "rstan-lite"
c.Execute.timeout = 600  # seconds of a cell: lessons train small models
c.LockCells.lock_readonly_cells = False  # lessons may be played with; graded as they were released

# Clips and features are made once, not for each submission.
os.environ.setdefault("RSTAN_CACHE", str(Path(__file__).resolve().parent / "cache"))
"""

_EXERCISE = re.compile(r"^\*\*Exercise (\d+) \((\w+)\)\.\*\*", re.MULTILINE)
_LINK = re.compile(r"\]\((\w+)\.ipynb")
_QUIET = """\
import sys
from contextlib import redirect_stderr

with redirect_stderr(sys.stdout):  # nbgrader takes anything on stderr for a failure
"""
_HIDDEN_NOTE = (
    "# More inputs are tried here when this is graded, for half of the exercise's points.\n"
)
_GRADED = """\
import os

if os.environ.get("NBGRADER_EXECUTION") == "autograde":  # a short run is enough to grade
"""


class Graded(NamedTuple):
    """A graded cell: its id in the lesson, the exercise's grade and the points it can give."""

    cell: str
    grade: str
    points: int


def graded_cells(path: str | PathLike[str]) -> list[Graded]:
    """The cells of a lesson that give points, in its order, with the points of each.

    An exercise's points go by its grade (`POINTS`), half of them to its check and half to its
    hidden tests. NotebookError where an exercise lacks either, or its text and grade.
    """
    cells = load_notebook(path)["cells"]
    texts = "\n\n".join(cell_source(c) for c in cells if c["cell_type"] == "markdown")
    grades = dict(_EXERCISE.findall(texts))
    found: dict[str, list[str]] = {}
    for i, cell in enumerate(cells):
        if tagged([cell], CHECK) or tagged([cell], HIDDEN):
            where = f"{path}, cell {cell.get('id') or i}"
            found.setdefault(exercise_number(where, cell), []).append(str(cell["id"]))
    graded = []
    for number, ids in found.items():
        if grades.get(number) not in POINTS or len(ids) != 2:
            raise NotebookError(
                f"{path}, exercise {number}",
                f"grade {grades.get(number)}, graded cells {', '.join(ids)}",
                f"a grade of {', '.join(POINTS)}, one check and one cell of hidden tests",
            )
        graded += [Graded(one, grades[number], POINTS[grades[number]] // 2) for one in ids]
    return graded


def make_source(path: str | PathLike[str]) -> dict[str, Any]:
    """nbgrader's source version of a lesson, as JSON: solutions, hidden tests and points.

    Raises NotebookError for what `make_copy` and `graded_cells` refuse, and for a check that can't
    be indented.
    """
    make_copy(path, "student")  # its markers are in order
    points = {cell: points for cell, _, points in graded_cells(path)}
    content = copy.deepcopy(load_notebook(path))
    cells = []
    for index, cell in enumerate(content["cells"]):
        where = f"{path}, cell {cell.get('id') or index}"
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            text = cell_source(cell)
            if tagged([cell], CHECK):
                text = _quiet(where, text)
            elif tagged([cell], HIDDEN):
                hidden = f"### BEGIN HIDDEN TESTS\n{_quiet(where, text)}\n### END HIDDEN TESTS"
                text = _HIDDEN_NOTE + hidden
            _mark(cell, text, points.get(cell["id"]), bool(tagged([cell], BLANK)))
        elif cell["cell_type"] == "markdown":  # lessons lie in a folder each
            cell["source"] = _LINK.sub(r"](../\1/\1.ipynb", cell_source(cell))
        cells.append(cell)
        if tagged([cell], TAG) and GRADING in cell["metadata"]:
            cells.append(_grading_cell(path, cell["metadata"][GRADING]))
    content["cells"] = cells
    return content


def _mark(cell: dict[str, Any], text: str, points: int | None, blank: bool) -> None:
    """Give a code cell its text and nbgrader's metadata: with points, a blank, or only locked."""
    cell["source"] = text.splitlines(keepends=True)
    metadata: dict[str, Any] = {"grade_id": cell["id"], "schema_version": 3, "task": False}
    metadata |= {"grade": points is not None, "solution": blank, "locked": not blank}
    cell["metadata"]["nbgrader"] = metadata | ({} if points is None else {"points": points})
    if blank or points is not None:
        unfold(cell)


def _grading_cell(path: str | PathLike[str], values: dict[str, Any]) -> dict[str, Any]:
    """A cell that changes parameters while nbgrader grades; NotebookError for unknown ones."""
    known = check_parameters(path, notebook_parameters(path), values)
    cell: dict[str, Any] = {"cell_type": "code", "id": "parameters-of-grading", "metadata": {}}
    text = _GRADED + "\n".join(f"    {name} = {value!r}" for name, value in known.items())
    cell |= {"outputs": [], "execution_count": None}
    _mark(cell, text, None, False)
    return cell


def _quiet(where: str, source: str) -> str:
    """A check's source inside a block that sends stderr to stdout."""
    text = _QUIET + textwrap.indent(source, "    ")
    try:
        block = ast.parse(text).body[-1]
        assert isinstance(block, ast.With)
        plain = ast.parse(source).body
        same = [ast.dump(line) for line in block.body] == [ast.dump(line) for line in plain]
    except SyntaxError as error:
        raise NotebookError(where, f"{error.msg} in line {error.lineno}", "Python") from None
    if not same:
        raise NotebookError(where, "a string of several lines", "a check that can be indented")
    return text


def write_course(
    notebooks: Iterable[str | PathLike[str]], folder: str | PathLike[str], overwrite: bool = False
) -> list[str]:
    """Write nbgrader's configuration and sources into a course folder; return the assignments.

    All is made before the first file is written. Raises NotebookError for what `make_source`
    refuses, and, before anything is written, for a file with other content, which may be somebody's
    work, unless overwrite is True; a source that was handed in already is never replaced.
    """
    folder = Path(folder)
    sources = {Path(path).stem: make_source(path) for path in notebooks}
    texts = {folder / CONFIG: CONFIG_TEXT}
    for name, content in sources.items():
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        texts[folder / "source" / name / f"{name}.ipynb"] = text
    for path, text in texts.items():
        if not differs(path, text):
            continue
        handed_in = list(folder.glob(f"submitted/*/{path.stem}"))
        if handed_in and path.parent.name == path.stem:
            raise NotebookError(
                path,
                f"another version, and {len(handed_in)} submissions of it",
                "no submission, or the same version",
                "Points may hang on it: use another folder for the new version.",
            )
        if not overwrite:
            raise NotebookError(
                path,
                "a file with other content",
                "no file, or the same content",
                "It may be somebody's work. Move it, or give --overwrite.",
            )
    for path, text in texts.items():
        if differs(path, text) or not path.exists():
            write_atomically(path, text.encode())
    return list(sources)
