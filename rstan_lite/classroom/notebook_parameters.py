"""The typed parameters of a notebook: read from its `parameters` cell, and checked values for them.

The cell holds lines such as `split: int = 1  # which of the three splits`. It is parsed, never
executed. Papermill's own `inspect_notebook` checks no types, and leaves out without a word what it
can't read: `bound: float | None = None`, or a comment with `=`.
"""

import ast
import io
import json
import tokenize
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from rstan_lite.system.errors import NotebookError
from rstan_lite.system.reading import read_json
from rstan_lite.system.settings import nearest, parsed

TAG = "parameters"


class Parameter(NamedTuple):
    """One line of the cell: its name, type as written, default value and trailing comment."""

    name: str
    annotation: str
    default: Any
    comment: str

    def __str__(self) -> str:
        line = f"{self.name}: {self.annotation} = {self.default!r}"
        return f"{line}  # {self.comment}" if self.comment else line


def load_notebook(path: str | PathLike[str]) -> dict[str, Any]:
    """Read a notebook file as plain JSON, each cell's source as one string.

    NotebookError where it is none.
    """
    path = Path(path)
    content = read_json(path, NotebookError, "a notebook (.ipynb)")
    try:
        for cell in content["cells"]:
            lines = cell["source"]
            cell["source"] = lines if isinstance(lines, str) else "".join(lines)
            cell["cell_type"]
        content["metadata"].keys()
    except (TypeError, KeyError, AttributeError):
        found = "JSON without a list of cells and metadata"
        raise NotebookError(path, found, "a notebook of format 4") from None
    return dict(content)


def notebook_text(content: Mapping[str, Any]) -> str:
    """A notebook as its file holds it: sources as lists of lines."""
    cells = [cell | {"source": cell["source"].splitlines(True)} for cell in content["cells"]]
    return json.dumps({**content, "cells": cells}, indent=1, ensure_ascii=False) + "\n"


def tagged(cell: Mapping[str, Any], tag: str) -> bool:
    """Whether a cell carries a tag."""
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return isinstance(tags, list) and tag in tags


def notebook_parameters(path: str | PathLike[str]) -> list[Parameter]:
    """The parameters of a notebook, in the order of its cell; empty where it has no such cell.

    Raises NotebookError where the file is no notebook, several cells carry the tag, or a line of
    the cell is not `name: type = value` with a plain value of one of `settings.TYPES`.
    """
    cells = load_notebook(path)["cells"]
    found = [index for index, cell in enumerate(cells) if tagged(cell, TAG)]
    if len(found) > 1:
        raise NotebookError(path, f"{len(found)} cells tagged {TAG!r}", "one at most")
    if not found:
        return []
    where, source = f"{path}, cell {found[0]}", cells[found[0]]["source"]
    try:
        if len(source) > 100_000:  # whose tree would take gigabytes
            raise ValueError(f"{len(source)} characters")
        lines = ast.parse(source).body
        comments: dict[int | None, str] = {
            token.start[0]: token.string.lstrip("# ").rstrip()
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
    except SyntaxError as error:
        raise NotebookError(where, f"{error.msg} in line {error.lineno}", "Python") from None
    except (ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise NotebookError(where, f"what can't be parsed ({error})", "Python") from None
    return [_parameter(where, source, line, comments.get(line.end_lineno, "")) for line in lines]


def _parameter(where: str, source: str, line: ast.stmt, comment: str) -> Parameter:
    found = f"the line {(ast.get_source_segment(source, line) or '')[:200]!r}"
    match line:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=ast.expr() as value):
            annotation = ast.get_source_segment(source, kind) or ""
        case _:
            raise NotebookError(where, found, "`name: type = value` on each line")
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise NotebookError(where, found, "a plain value, no expression") from None
    parsed(f"{where}, {name}", annotation, default, False, NotebookError)
    return Parameter(name, annotation, default, comment)


def check_parameters(
    path: str | PathLike[str], parameters: list[Parameter], values: Mapping[str, Any],
    hint: str = "Their types and defaults: --list.",
) -> dict[str, Any]:  # fmt: skip
    """The given values, converted to their declared types; NotebookError names what is wrong.

    values: strings (as a command line has them) are parsed by the declared type, see
    `settings.parsed`; other Python values must be of that type already.
    """
    known = {parameter.name: parameter for parameter in parameters}
    listing = ", ".join(known) or "none, for it has no parameters cell"
    hint = f"The parameters: {listing}. {hint}"
    for name in values:
        if name not in known:
            said = f"{nearest(name, known)} {hint}".strip()
            raise NotebookError(path, f"unknown parameter {name}", "a known name", said)
    return {
        name: parsed(f"{path}, {name}", known[name].annotation, value, True, NotebookError, hint)
        for name, value in values.items()
    }
