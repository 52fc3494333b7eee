"""The typed parameters of a notebook: read from its `parameters` cell, and checked values for them.

The cell holds lines such as `split: int = 1  # which of the three splits`. It is parsed, never
executed. Papermill's own `inspect_notebook` checks no types, and leaves out without a word what it
can't read: `bound: float | None = None`, or a comment with `=`.
"""

from __future__ import annotations

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
from rstan_lite.system.settings import nearest

TAG = "parameters"
LONGEST = 100_000  # characters of a parameters cell
_SCALARS: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_BOOLS = dict.fromkeys(("true", "yes", "on", "1"), True)
_BOOLS |= dict.fromkeys(("false", "no", "off", "0"), False)
_TYPES = "bool, int, float, str, list[X], tuple[X, ...], X | None"


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
    except (TypeError, KeyError):
        found = "JSON without a list of cells"
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
    the cell is not `name: type = value` with a plain value of a type that `convert` knows.
    """
    cells = load_notebook(path)["cells"]
    found = [index for index, cell in enumerate(cells) if tagged(cell, TAG)]
    if len(found) > 1:
        raise NotebookError(path, f"{len(found)} cells tagged {TAG!r}", "one at most")
    if not found:
        return []
    where, source = f"{path}, cell {found[0]}", cells[found[0]]["source"]
    try:
        if len(source) > LONGEST:
            raise ValueError(f"{len(source)} characters")
        lines = ast.parse(source).body
        comments = {
            token.start[0]: token.string.lstrip("# ").rstrip()
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
    except SyntaxError as error:
        raise NotebookError(where, f"{error.msg} in line {error.lineno}", "Python") from None
    except (ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise NotebookError(where, f"what can't be parsed ({error})", "Python") from None
    return [
        _parameter(where, source, line, comments.get(line.end_lineno or 0, "")) for line in lines
    ]


def _parameter(where: str, source: str, line: ast.stmt, comment: str) -> Parameter:
    text = (ast.get_source_segment(source, line) or "")[:200]
    match line:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=ast.expr() as value):
            annotation = ast.get_source_segment(source, kind) or ""
        case _:
            expected = "`name: type = value` on each line"
            raise NotebookError(where, f"the line {text!r}", expected)
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        expected = "a plain value, no expression"
        raise NotebookError(where, f"the line {text!r}", expected) from None
    parameter = Parameter(name, annotation, default, comment)
    convert(where, parameter, default, parse_text=False)
    return parameter


def check_parameters(
    path: str | PathLike[str], parameters: list[Parameter], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The given values, converted to their declared types; NotebookError names what is wrong.

    values: strings (as a command line has them) are parsed by the declared type; other Python
    values must be of that type already.
    """
    known = {parameter.name: parameter for parameter in parameters}
    listing = ", ".join(known) or "none, for it has no parameters cell"
    hint = f"The notebook's parameters: {listing}. Their types and defaults: --list."
    unknown = sorted(set(values) - set(known))
    if unknown:
        said = f"{nearest(unknown[0], known)} {hint}".strip()
        raise NotebookError(path, f"unknown parameter {', '.join(unknown)}", "a known name", said)
    return {name: convert(path, known[name], value, hint=hint) for name, value in values.items()}


def convert(
    where: str | PathLike[str],
    parameter: Parameter,
    value: Any,
    parse_text: bool = True,
    hint: str = "",
) -> Any:
    """A value as the parameter's declared type.

    Types: bool, int, float, str, list[X], tuple[X, ...], tuple[X, Y], `X | None`, Optional[X].
    parse_text: read a string for a parameter that is not a str (`"0.5"` for a float, `"1,2"` or
    `"[1, 2]"` for a list, `"none"` for an optional one).
    """
    name, annotation = parameter.name, parameter.annotation
    try:
        return _convert(ast.parse(annotation, mode="eval").body, value, parse_text)
    except _UnknownTypeError as error:
        raise NotebookError(where, f"{name}: type {error}", _TYPES) from None
    except (LookupError, ValueError, TypeError, SyntaxError, ArithmeticError, RecursionError,
            MemoryError):  # fmt: skip
        found, expected = f"{name} = {repr(value)[:200]}", f"{name} of type {annotation}"
        raise NotebookError(where, found, expected, hint) from None


class _UnknownTypeError(Exception):
    """A declared type that parameters can't have."""


def _convert(kind: ast.expr, value: Any, parse_text: bool) -> Any:
    text = value.strip() if parse_text and isinstance(value, str) else None
    match kind:
        case (
            ast.BinOp(op=ast.BitOr(), left=inner, right=ast.Constant(value=None))
            | ast.BinOp(op=ast.BitOr(), left=ast.Constant(value=None), right=inner)
            | ast.Subscript(value=ast.Name(id="Optional"), slice=inner)
        ):
            none = value is None or (text or "").lower() in ("none", "null")
            return None if none else _convert(inner, value, parse_text)
        case ast.Name(id=name) if name in _SCALARS:
            return _scalar(_SCALARS[name], value, text)
        case ast.Subscript(value=ast.Name(id="list" | "tuple" as name), slice=inner):
            kinds = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if name == "tuple" or len(kinds) == 1:
                return _sequence({"list": list, "tuple": tuple}[name], kinds, value, parse_text)
    raise _UnknownTypeError(ast.unparse(kind))


def _scalar(kind: type, value: Any, text: str | None) -> Any:
    if text is not None and kind is not str:
        return _BOOLS[text.lower()] if kind is bool else kind(text)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # exact: True is no int here
        raise TypeError(value)
    return value


def _sequence(make: type, kinds: list[ast.expr], value: Any, parse_text: bool) -> Any:
    if isinstance(value, str) and parse_text:
        text = value.strip()
        parts = map(str.strip, text.split(",") if text else [])
        value = make(ast.literal_eval(text) if text.startswith(("[", "(")) else parts)
    if not isinstance(value, (list, tuple) if make is tuple else list):
        raise TypeError(value)
    match kinds:
        case [each, ast.Constant(value=rest)] if rest is ...:
            kinds = [each] * len(value)
        case [each] if make is list:
            kinds = [each] * len(value)
    pairs = zip(kinds, value, strict=True)
    return make(_convert(kind, item, parse_text) for kind, item in pairs)
