"""Student and teacher copies of notebooks: one source, with and without the solutions.

An exercise is its text, a code cell tagged `blank` that holds the solution between two marker lines
(nbgrader's) inside a function, a code cell tagged `check` that tests it, and perhaps one tagged
`hidden` that tries other inputs. A student copy has `raise NotImplementedError` in the solution's
place and no hidden cell; a teacher copy shows both.
"""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

from rstan_lite.classroom.parameters import cell_source, load_notebook, tagged
from rstan_lite.system.errors import ConfigError, NotebookError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import disk_errors

BLANK, CHECK, HIDDEN = "blank", "check", "hidden"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KINDS = ("student", "teacher")
_NUMBER = re.compile(r"\d+")
_OUTWARD = re.compile(r"\[([^]\n]+)\]\(\.\./[^)\s]*\)")  # a link to a folder above


def make_copy(path: str | PathLike[str], kind: str) -> dict[str, Any]:
    """Return the "student" or "teacher" copy of a notebook file, as JSON. Nothing is executed.

    student: every solution is replaced by a line that raises NotImplementedError and names the
        exercise; no hidden tests, no outputs. teacher: solutions and hidden tests stand open,
        without the marker lines; outputs as stored. Both: nothing of an exercise is folded away,
        links to folders above are plain words.
    Raises NotebookError, with notebook and cell, where markers are missing, unbalanced, outside
    of a function or in a cell that is not tagged, where a blank has no check after it, or hidden
    tests have none before them.
    """
    if kind not in KINDS:
        raise ConfigError("copies", repr(kind), f"one of {', '.join(KINDS)}")
    content = copy.deepcopy(load_notebook(path))
    open_blank, checked = "", False
    for index, cell in enumerate(content["cells"]):
        where = f"{path}, cell {cell.get('id') or index}"
        if tagged([cell], BLANK):
            text = _filled(where, cell_source(cell), kind, exercise_number(where, cell))
            cell["source"] = text.splitlines(keepends=True)
            unfold(cell)
            open_blank, checked = where, False
        elif BEGIN in cell_source(cell) or END in cell_source(cell):
            raise NotebookError(where, "a solution marker", f"the tag {BLANK!r} on its cell")
        elif tagged([cell], CHECK):
            open_blank, checked = "", True
        elif tagged([cell], HIDDEN):
            if not checked:
                raise NotebookError(where, "hidden tests alone", f"a cell tagged {CHECK!r} before")
            unfold(cell)
        if cell["cell_type"] == "markdown" and _OUTWARD.search(cell_source(cell)):
            words = _OUTWARD.sub(r"\1", cell_source(cell))  # above a copy lies no README
            cell["source"] = words.splitlines(keepends=True)
        if kind == "student" and cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    if open_blank:
        raise NotebookError(open_blank, "no check after it", f"a later cell tagged {CHECK!r}")
    if kind == "student":
        content["cells"] = [cell for cell in content["cells"] if not tagged([cell], HIDDEN)]
    return content


def unfold(cell: dict[str, Any]) -> None:
    """Show a cell's source in Jupyter, where the lesson folds it away."""
    jupyter = cell["metadata"].get("jupyter")
    if isinstance(jupyter, dict):
        jupyter.pop("source_hidden", None)


def write_copies(
    kind: str,
    notebooks: Iterable[str | PathLike[str]],
    folder: str | PathLike[str],
    overwrite: bool = False,
) -> list[Path]:
    """Write the copies of notebooks into a folder, which is made, under the same names.

    All copies are made before the first is written. Raises NotebookError for what `make_copy`
    refuses, for a copy that would take its source's place, and for a file that is there already
    with other content, which may be somebody's work, unless overwrite is True.
    """
    copies = {Path(folder) / Path(path).name: make_copy(path, kind) for path in notebooks}
    sources = {Path(path).resolve() for path in notebooks}
    texts = {
        path: json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        for path, content in copies.items()
    }
    for path, text in texts.items():
        if path.resolve() in sources:
            raise NotebookError(path, "the notebook itself", "another folder for its copy")
        if differs(path, text) and not overwrite:
            raise NotebookError(
                path,
                "a file with other content",
                "no file, or the same copy",
                "It may be somebody's work. Move it, or give --overwrite.",
            )
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            write_atomically(path, text.encode())
    except OSError as error:
        raise NotebookError(folder, str(error), "a folder to write to") from None
    return list(texts)


def differs(path: Path, text: str) -> bool:
    """Whether something else than a text lies there already."""
    with disk_errors(NotebookError, path, "a folder to write to"):
        return path.exists() and not (path.is_file() and path.read_bytes() == text.encode())


def exercise_number(where: str, cell: dict[str, Any]) -> str:
    """The exercise's number, from the id of a cell of it (`blank-2`); NotebookError without one."""
    number = _NUMBER.search(str(cell.get("id", "")))
    if cell["cell_type"] != "code" or number is None:
        raise NotebookError(where, "a blank without a number", "a code cell with an id `blank-1`")
    return number.group()


def _filled(where: str, source: str, kind: str, exercise: str) -> str:
    """A blank's source with its solutions shown, or with an error in their place."""
    lines: list[str] = []
    solution: list[str] | None = None
    regions = 0
    for line in source.splitlines():
        mark = line.strip()
        if mark not in (BEGIN, END):
            (lines if solution is None else solution).append(line)
        elif (mark == BEGIN) != (solution is None):
            raise NotebookError(where, f"{mark!r} out of turn", "BEGIN and END in pairs")
        elif mark == BEGIN:
            solution, indent = [], line[: len(line) - len(line.lstrip())]
            if not indent:
                raise NotebookError(where, f"{BEGIN!r} at the margin", "it inside a function")
        else:
            assert solution is not None
            if not any(text.strip() for text in solution):
                raise NotebookError(where, "an empty solution", "code between the markers")
            gap = f'{indent}raise NotImplementedError("Exercise {exercise}: your code here")'
            lines += [gap] if kind == "student" else solution
            solution, regions = None, regions + 1
    if solution is not None:
        raise NotebookError(where, f"{BEGIN!r} without an end", f"the line {END!r} after it")
    if regions == 0:
        raise NotebookError(where, "no solution markers", f"lines {BEGIN!r} and {END!r}")
    text = "\n".join(lines)
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise NotebookError(
            where, f"{error.msg} in line {error.lineno} of its {kind} copy", "Python"
        ) from None
    return text
