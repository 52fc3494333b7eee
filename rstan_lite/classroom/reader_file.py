"""my_rstan.py: the reader's own file, which grows from lesson to lesson.

At the end of a lesson, `keep("LSTM")` writes what the lesson's cells define. The next one begins
with `need("LSTM")`, so that its plain `from my_rstan import LSTM` works, also for whoever has
skipped a lesson: what is missing is taken from `finished_rstan.py`, and that is said.
"""

from __future__ import annotations

import ast
import importlib
import linecache
import re
import sys
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FunctionType

from filelock import FileLock

from rstan_lite.system.errors import NotebookError
from rstan_lite.system.files import write_atomically

MODULE = "my_rstan"
FINISHED = Path(__file__).with_name("finished_rstan.py")
HEAD = '"""My RSTAN, as the lessons build it. Each lesson adds to this file."""'
_MARKER = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*\n", re.MULTILINE)


def keep(*names: str) -> None:
    """Write functions and classes, as this notebook's cells define them, to ./my_rstan.py.

    All other code in the file stays; comments between definitions do not. Raises NotebookError for
    a name that no cell defines, and for a file that is not Python.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    made = {} if shell is None else {name: shell.user_ns.get(name) for name in names}
    found = {name: text for name, one in made.items() if (text := _source(name, one))}
    missing = [name for name in names if name not in found]
    if missing:
        expected = "cells that define " + ", ".join(names)
        raise NotebookError(f"{MODULE}.py", f"no cell with {', '.join(missing)}", expected)
    lines = _merge({name: found[name] for name in names}, replace=True)
    print(f"{MODULE}.py now has your {', '.join(names)} ({lines} lines in all)")


def need(*names: str) -> None:
    """See to it that ./my_rstan.py defines these names, and can be imported afresh.

    Raises NotebookError for a name that no lesson makes, and for a file that is not Python.
    """
    finished = definitions(FINISHED.read_text(encoding="utf-8"))
    unknown = [name for name in names if name not in finished]
    if unknown:
        raise NotebookError(f"{MODULE}.py", ", ".join(unknown), ", ".join(finished))
    mine = _read()
    missing = [name for name in names if name not in mine]
    _merge({name: finished[name] for name in missing}, replace=False)
    sys.modules.pop(MODULE, None)  # an earlier lesson's, in the same kernel
    importlib.invalidate_caches()
    yours = [name for name in names if name in mine]
    if yours:
        print(f"yours, from {MODULE}.py: {', '.join(yours)}")
    if missing:
        print(f"not in your {MODULE}.py, so taken from the finished one: {', '.join(missing)}")


def definitions(text: str) -> dict[str, str]:
    """The functions and classes at the margin of a text, by name; none if it is not Python."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a cell with IPython's own commands
        return {}
    nodes = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    lines = text.splitlines()
    return {
        node.name: "\n".join(lines[_first(node) - 1 : node.end_lineno]).rstrip() + "\n"
        for node in nodes
    }


def ordered(names: Iterable[str]) -> list[str]:
    """Names in the lessons' order, as classes must stand after those that they extend."""
    order = list(definitions(FINISHED.read_text(encoding="utf-8")))
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def _first(node: ast.FunctionDef | ast.ClassDef) -> int:
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _source(name: str, made: object) -> str:
    """A function or class as its cell defines it, without marks of solutions; "" if none does."""
    functions = [made, *vars(made).values()] if isinstance(made, type) else [made]
    code = next((one.__code__ for one in functions if isinstance(one, FunctionType)), None)
    cell = "" if code is None else "".join(linecache.getlines(code.co_filename))
    return _MARKER.sub("", definitions(cell).get(name, ""))


def _path() -> Path:
    return Path.cwd() / f"{MODULE}.py"


def _read() -> dict[str, str]:
    """What the reader's file defines; nothing where there is none yet."""
    if not _path().exists():
        return {}
    text = _path().read_text(encoding="utf-8")
    try:
        ast.parse(text)
    except SyntaxError as error:
        found = f"{error.msg} in line {error.lineno}"
        hint = "Mend that line, or move the file away: the lessons then begin a new one."
        raise NotebookError(_path(), found, "Python", hint) from None
    return definitions(text)


def _merge(new: Mapping[str, str], replace: bool) -> int:
    """Put definitions into the file, one process at a time; returns its number of lines."""
    lock = Path(tempfile.gettempdir()) / f"{MODULE}-{zlib.crc32(str(_path()).encode())}.lock"
    with FileLock(lock):
        mine = _read()
        known = mine | dict(new) if replace else dict(new) | mine
        before, after = _others()
        parts = [_imports() + before, *(known[name] for name in ordered(known)), after]
        text = "\n\n".join(part for part in parts if part)
        if known != mine or not _path().exists():
            write_atomically(_path(), text.encode())
    return len(text.splitlines())


def _others() -> tuple[str, str]:
    """The reader's own imports and constants, and what the file runs beside, at its end."""
    text = _path().read_text(encoding="utf-8") if _path().exists() else ""
    known = {ast.dump(node) for node in ast.parse(_imports()).body}
    others = [
        node
        for node in ast.parse(text).body
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.dump(node) not in known
    ]
    first = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    sides: dict[bool, list[str]] = {True: [], False: []}
    for node in others:
        sides[isinstance(node, first)].append(f"{ast.get_source_segment(text, node)}\n")
    return "".join(sides[True]), "".join(sides[False])


def _imports() -> str:
    """The file's head: what all definitions of the lessons need."""
    tree = ast.parse(FINISHED.read_text(encoding="utf-8"))
    imports = [
        ast.unparse(node) for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    return "\n".join([HEAD, "", *imports, ""])
