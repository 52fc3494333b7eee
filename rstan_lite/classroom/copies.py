"""Student and teacher copies of notebooks: one source, with and without the solutions.

An exercise is its text, a code cell tagged `blank` that holds the solution between two marker lines
(nbgrader's) inside a function, a code cell tagged `check` that tests it, and perhaps one tagged
`hidden` that tries other inputs. Nothing here needs nbgrader.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from rstan_lite.classroom.notebook_parameters import load_notebook, notebook_text, tagged
from rstan_lite.system.errors import NotebookError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import disk_errors
from rstan_lite.system.settings import check_choice

BLANK, CHECK, HIDDEN = "blank", "check", "hidden"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KINDS = ("student", "teacher")
PACKAGE = Path(__file__).parents[1]
OWN = (PACKAGE.parent, PACKAGE)  # of a checkout, of an installed wheel
MADE_OF = "rstan_lite_lesson"  # in a copy's metadata: `fingerprint` of its cells as they were made
_NUMBER = re.compile(r"\d+")
_OUTWARD = re.compile(r"\[([^]\n]+)\]\(\.\./[^)\s]*\)")  # a link to a folder above
_REGION = re.compile(rf"^([ \t]*){BEGIN}[ \t]*\n(.*?)^[ \t]*{END}[ \t]*$", re.MULTILINE | re.DOTALL)


def lessons(pattern: str = "*.ipynb", first: tuple[Path, ...] = ()) -> list[Path]:
    """The notebooks of the package's checkout or wheel, or of a checkout that is looked at first.

    Raises NotebookError where there are none.
    """
    for place in (*first, *OWN):
        ours = (place / "notebooks" / "00_tour.ipynb").is_file()  # not another project's
        if ours and (found := sorted((place / "notebooks").glob(pattern))):
            return found
    expected = "a checkout of the project, or an installed wheel, which has the notebooks"
    raise NotebookError(Path("notebooks").absolute(), f"no {pattern}", expected)


def make_copy(path: str | PathLike[str], kind: str) -> dict[str, Any]:
    """Return the "student" or "teacher" copy of a notebook file, as JSON. Nothing is executed.

    student: a line that raises NotImplementedError for every solution; no hidden tests, no outputs.
    teacher: solutions and hidden tests stand open; outputs as stored. Raises NotebookError, with
    notebook and cell, where markers are missing, unbalanced, outside of a function or in a cell
    that is not tagged.
    """
    check_choice("copies", kind, KINDS)
    content = load_notebook(path)
    for index, cell in enumerate(content["cells"]):
        where = f"{path}, cell {cell.get('id') or index}"
        if tagged(cell, BLANK):
            cell["source"] = _filled(where, cell["source"], kind, exercise_number(where, cell))
            unfold(cell)
        elif BEGIN in cell["source"] or END in cell["source"]:
            raise NotebookError(where, "a solution marker", f"the tag {BLANK!r} on its cell")
        elif tagged(cell, HIDDEN):
            unfold(cell)
        if cell["cell_type"] == "markdown":
            cell["source"] = _OUTWARD.sub(r"\1", cell["source"])  # above a copy lies no README
        if kind == "student" and cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    if kind == "student":
        content["cells"] = [cell for cell in content["cells"] if not tagged(cell, HIDDEN)]
    content["metadata"][MADE_OF] = fingerprint(content)
    return content


def fingerprint(content: Mapping[str, Any]) -> str:
    """A short hash of a notebook's sources, without its outputs."""
    sources = "\0".join(cell["source"] for cell in content["cells"])
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def unfold(cell: dict[str, Any]) -> None:
    """Show a cell's source in Jupyter, where the lesson folds it away."""
    jupyter = cell["metadata"].get("jupyter")
    if isinstance(jupyter, dict):
        jupyter.pop("source_hidden", None)


def exercise_number(where: str, cell: dict[str, Any]) -> str:
    """The exercise's number, from the id of a cell of it (`blank-2`); NotebookError without one."""
    number = _NUMBER.search(str(cell.get("id", "")))
    if cell["cell_type"] != "code" or number is None:
        raise NotebookError(where, "a blank without a number", "a code cell with an id `blank-1`")
    return number.group()


def _filled(where: str, source: str, kind: str, exercise: str) -> str:
    """A blank's source with its solutions shown, or with an error in their place."""
    if BEGIN not in source and END not in source:
        raise NotebookError(where, "no solution markers", f"lines {BEGIN!r} and {END!r}")

    def fill(region: re.Match[str]) -> str:
        indent, solution = region.groups()
        if not indent:
            raise NotebookError(where, f"{BEGIN!r} at the margin", "it inside a function")
        gap = f'{indent}raise NotImplementedError("Exercise {exercise}: your code here")'
        return gap if kind == "student" else solution.removesuffix("\n")

    text = _REGION.sub(fill, source)
    regions = _REGION.findall(source)
    if any(BEGIN in solution for _, solution in regions) or BEGIN in text or END in text:
        raise NotebookError(where, "solution markers out of turn", "BEGIN and END in pairs")
    return text


def write_copies(
    kind: str, notebooks: Iterable[str | PathLike[str]], folder: str | PathLike[str],
    overwrite: bool = False,
) -> list[Path]:  # fmt: skip
    """Write the copies of notebooks into a folder, which is made, under the same names.

    Raises NotebookError for what `make_copy` and `write_texts` refuse, and for a copy that would
    take its source's place, before the first is written.
    """
    texts = {}
    for source in notebooks:
        path = Path(folder) / Path(source).name
        if path.resolve() == Path(source).resolve():
            raise NotebookError(path, "the notebook itself", "another folder for its copy")
        texts[path] = notebook_text(make_copy(source, kind))
    write_texts(texts, overwrite)
    return list(texts)


def refresh_copies(
    kind: str, notebooks: Iterable[str | PathLike[str]], folder: str | PathLike[str]
) -> list[Path]:
    """Write the copies that are not there, and those whose lesson has changed since.

    A copy whose sources somebody has changed, or that is no notebook any more, stays as it is.
    Returns changed copies whose lesson has changed, too. Raises NotebookError as `make_copy` does.
    """
    outdated = []
    for source in notebooks:
        path, new = Path(folder) / Path(source).name, make_copy(source, kind)
        if path.exists():
            try:
                old = load_notebook(path)
            except NotebookError:  # somebody's own: JupyterLab says what is wrong with it
                continue
            made_of = old["metadata"].get(MADE_OF)
            if made_of == new["metadata"][MADE_OF]:
                continue
            if made_of != fingerprint(old):
                outdated.append(path)
                continue
        write_texts({path: notebook_text(new)}, overwrite=True)
    return outdated


def write_texts(texts: Mapping[Path, str], overwrite: bool) -> None:
    """Write files; one that has its text already stays as it is.

    Raises NotebookError, before the first is written, for a file that is there with other content,
    which may be somebody's work, unless overwrite is True.
    """
    todo = [path for path, text in texts.items() if not holds(path, text)]
    if there := [path for path in todo if path.exists() and not overwrite]:
        found, expected = "a file with other content", "no file, or the same content"
        hint = "It may be somebody's work. Move it, or give --overwrite."
        raise NotebookError(there[0], found, expected, hint)
    for path in todo:
        write_atomically(path, texts[path].encode())


def holds(path: Path, text: str) -> bool:
    """Whether a file has this very content."""
    with disk_errors(NotebookError, path, "a folder to write to"):
        return path.is_file() and path.read_bytes() == text.encode()
