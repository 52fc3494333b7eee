"""my_rstan.py: the reader's own file, which grows from lesson to lesson.

At the end of a lesson, `keep("LSTM")` writes what the lesson's cells define. The next one begins
with `need("LSTM")`, so that its plain `from my_rstan import LSTM` works, also for whoever has
skipped a lesson: what is missing is taken from the lessons' own cells, solutions included, and
that is said.
"""

import ast
import importlib
import linecache
import re
import sys
import tempfile
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import FunctionType

from filelock import FileLock

from rstan_lite.classroom.copies import lessons
from rstan_lite.classroom.notebook_parameters import load_notebook
from rstan_lite.system.errors import NotebookError
from rstan_lite.system.files import write_atomically

MODULE = "my_rstan"
MINE = Path(f"{MODULE}.py")  # of the working folder
BUILD = "0[3-8]_*.ipynb"  # the lessons that add to the file
HEAD = '''"""My RSTAN, as the lessons build it. Each lesson adds to this file."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
'''
_KEEP = re.compile(r"^keep\((.*?)\)", re.MULTILINE | re.DOTALL)
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
        raise NotebookError(str(MINE), f"no cell with {', '.join(missing)}", expected)
    lines = _merge({name: found[name] for name in names}, replace=True)
    print(f"{MINE} now has your {', '.join(names)} ({lines} lines in all)")


def need(*names: str) -> None:
    """See to it that ./my_rstan.py defines these names and all that they use, and imports afresh.

    Raises NotebookError for a name that no lesson makes, and for a file that is not Python.
    """
    if unknown := [name for name in names if name not in finished()]:
        raise NotebookError(str(MINE), ", ".join(unknown), ", ".join(finished()))
    mine, wanted = _read(), list(names)
    for name in wanted:  # which grows by what each of its names uses
        tree = ast.parse((finished() | mine)[name])
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        wanted += [one for one in finished() if one in used and one not in wanted]
    missing = [name for name in wanted if name not in mine]
    _merge({name: finished()[name] for name in missing}, replace=False)
    sys.modules.pop(MODULE, None)  # an earlier lesson's, in the same kernel
    importlib.invalidate_caches()
    yours = [name for name in names if name in mine]
    if yours:
        print(f"yours, from {MINE}: {', '.join(yours)}")
    if missing:
        print(f"not in your {MINE}, so taken from the finished one: {', '.join(missing)}")


def definitions(text: str) -> dict[str, str]:
    """The functions and classes at the margin of a text, by name; none if it is not Python."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a cell with IPython's own commands
        return {}
    lines, found = text.splitlines(), {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            first = min(one.lineno for one in (node, *node.decorator_list))
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno]).rstrip() + "\n"
    return found


@cache
def finished() -> dict[str, str]:
    """What the lessons keep, by name, as their cells define it with the solutions, in their order.

    A class stands after those that it extends. Raises NotebookError where the lessons are absent.
    """
    made: dict[str, str] = {}
    kept: list[str] = []
    for path in lessons(BUILD):
        for cell in load_notebook(path)["cells"]:
            if cell["cell_type"] == "code":
                made |= definitions(_MARKER.sub("", cell["source"]))
                for call in _KEEP.findall(cell["source"]):
                    kept += ast.literal_eval(f"[{call}]")
    return {name: made[name] for name in kept}


def _source(name: str, made: object) -> str:
    """A function or class as its cell defines it, without marks of solutions; "" if none does."""
    functions = [made, *vars(made).values()] if isinstance(made, type) else [made]
    code = next((one.__code__ for one in functions if isinstance(one, FunctionType)), None)
    cell = "" if code is None else "".join(linecache.getlines(code.co_filename))
    return _MARKER.sub("", definitions(cell).get(name, ""))


def _read() -> dict[str, str]:
    """What the reader's file defines; nothing where there is none yet."""
    if not MINE.exists():
        return {}
    text = MINE.read_text(encoding="utf-8")
    try:
        ast.parse(text)
    except SyntaxError as error:
        found = f"{error.msg} in line {error.lineno}"
        hint = "Mend that line, or move the file away: the lessons then begin a new one."
        raise NotebookError(MINE, found, "Python", hint) from None
    return definitions(text)


def _merge(new: Mapping[str, str], replace: bool) -> int:
    """Put definitions into the file, one process at a time; returns its number of lines."""
    lock = Path(tempfile.gettempdir()) / f"{MODULE}-{zlib.crc32(str(Path.cwd()).encode())}.lock"
    with FileLock(lock):
        mine = _read()
        known = mine | dict(new) if replace else dict(new) | mine
        before, after = _others()
        order = [*finished(), *known]  # the lessons' definitions first
        named = [known[name] for name in dict.fromkeys(order) if name in known]
        parts = [HEAD + before, *named, after]
        text = "\n\n".join(part for part in parts if part)
        if known != mine or not MINE.exists():
            write_atomically(MINE, text.encode())
    return len(text.splitlines())


def _others() -> tuple[str, str]:
    """The reader's own imports and constants, and what the file runs beside, at its end."""
    text = MINE.read_text(encoding="utf-8") if MINE.exists() else ""
    known = {ast.dump(node) for node in ast.parse(HEAD).body}
    first = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    sides: dict[bool, str] = {True: "", False: ""}
    for node in ast.parse(text).body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.dump(node) not in known:
            sides[isinstance(node, first)] += f"{ast.get_source_segment(text, node)}\n"
    return sides[True], sides[False]
