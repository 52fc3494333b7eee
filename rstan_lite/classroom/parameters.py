"""The typed parameters of a notebook: read from its `parameters` cell, and checked values for them.

The cell holds lines such as `split: int = 1  # which of the three splits`. It is parsed, never
executed, so reading a notebook's parameters is safe and quick.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from rstan_lite.system.errors import NotebookError
from rstan_lite.system.reading import read_json
from rstan_lite.system.settings import nearest

TAG = "parameters"
INJECTED_TAG = "injected-parameters"
LONGEST = 100_000  # characters of a parameters cell

_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_SCALARS: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}


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
    """Read a notebook file as plain JSON; NotebookError where it is none."""
    path = Path(path)
    content = read_json(path, NotebookError, "a notebook (.ipynb)")
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list) or not all(
        isinstance(cell, dict) and "cell_type" in cell and _is_text(cell.get("source"))
        for cell in cells
    ):
        raise NotebookError(path, "JSON without a list of cells", "a notebook of format 4")
    return content


def _is_text(source: Any) -> bool:
    lines = source if isinstance(source, list) else [source]
    return all(isinstance(line, str) for line in lines)


def cell_source(cell: Mapping[str, Any]) -> str:
    """A cell's source as one string (files hold it as a string or as a list of lines)."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def tagged(cells: list[dict[str, Any]], tag: str) -> list[int]:
    """Indices of the cells that carry a tag."""
    found = []
    for i, cell in enumerate(cells):
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        if isinstance(tags, list) and tag in tags:
            found.append(i)
    return found


def notebook_parameters(path: str | PathLike[str]) -> list[Parameter]:
    """The parameters of a notebook, in the order of its cell; empty where it has no such cell.

    Raises NotebookError where the file is no notebook, several cells carry the tag, or a line of
    the cell is not `name: type = value` with a plain value of a type that `convert` knows.
    """
    cells = load_notebook(path)["cells"]
    found = tagged(cells, TAG)
    if not found:
        return []
    if len(found) > 1:
        raise NotebookError(path, f"{len(found)} cells tagged {TAG!r}", "one at most")
    return _parse(path, found[0], cell_source(cells[found[0]]))


def _parse(path: str | PathLike[str], index: int, source: str) -> list[Parameter]:
    where = f"{path}, cell {index}"
    try:
        if len(source) > LONGEST:
            raise ValueError(f"{len(source)} characters")
        lines = [(line, ast.unparse(line)) for line in ast.parse(source).body]
        comments = {
            token.start[0]: token.string.lstrip("# ").rstrip()
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
    except SyntaxError as error:
        raise NotebookError(where, f"{error.msg} in line {error.lineno}", "Python") from None
    except (ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise NotebookError(where, f"what can't be parsed ({error})", "Python") from None
    parameters = []
    for line, text in lines:
        match line:
            case ast.AnnAssign(
                target=ast.Name(id=name), annotation=kind, value=ast.expr() as value
            ):
                pass
            case _:
                raise NotebookError(
                    where, f"the line {text[:200]!r}", "`name: type = value` on each line"
                )
        try:
            default = ast.literal_eval(value)
        except (ValueError, TypeError, RecursionError, MemoryError):
            raise NotebookError(
                where, f"the line {text[:200]!r}", "a plain value, no expression"
            ) from None
        parameter = Parameter(
            name, ast.unparse(kind), default, comments.get(line.end_lineno or 0, "")
        )
        convert(where, parameter, default, parse_text=False)
        parameters.append(parameter)
    return parameters


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
        said = " ".join(filter(None, (nearest(unknown[0], known), hint)))
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
    kind = ast.parse(parameter.annotation, mode="eval").body
    try:
        return _convert(kind, value, parse_text)
    except _UnknownTypeError as error:
        raise NotebookError(
            where,
            f"{parameter.name}: type {error}",
            "bool, int, float, str, list[X], tuple[X, ...], X | None",
        ) from None
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError):
        raise NotebookError(
            where,
            f"{parameter.name} = {repr(value)[:200]}",
            f"{parameter.name} of type {parameter.annotation}",
            hint,
        ) from None


class _UnknownTypeError(Exception):
    """A declared type that parameters can't have."""


def _convert(kind: ast.expr, value: Any, parse_text: bool) -> Any:
    match kind:
        case ast.BinOp(op=ast.BitOr(), left=inner, right=ast.Constant(value=None)):
            return _optional(inner, value, parse_text)
        case ast.BinOp(op=ast.BitOr(), left=ast.Constant(value=None), right=inner):
            return _optional(inner, value, parse_text)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return _optional(inner, value, parse_text)
        case ast.Name(id=name) if name in _SCALARS:
            return _scalar(_SCALARS[name], value, parse_text)
        case ast.Subscript(value=ast.Name(id="list" | "tuple" as name), slice=inner):
            return _sequence(name, inner, value, parse_text)
    raise _UnknownTypeError(ast.unparse(kind))


def _optional(inner: ast.expr, value: Any, parse_text: bool) -> Any:
    said_none = parse_text and isinstance(value, str) and value.strip().lower() in {"none", "null"}
    return None if value is None or said_none else _convert(inner, value, parse_text)


def _scalar(kind: type, value: Any, parse_text: bool) -> Any:
    if isinstance(value, str) and kind is not str and parse_text:
        if kind is bool:
            if value.strip().lower() not in _TRUE | _FALSE:
                raise ValueError(value)
            return value.strip().lower() in _TRUE
        return kind(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:  # exact: True is no int here
        raise TypeError(value)
    return value


def _sequence(name: str, inner: ast.expr, value: Any, parse_text: bool) -> Any:
    if isinstance(value, str) and parse_text:
        text = value.strip()
        if text.startswith(("[", "(")):
            value = ast.literal_eval(text)
        else:
            value = [part.strip() for part in text.split(",")] if text else []
    elif not isinstance(value, list if name == "list" else (list, tuple)):
        raise TypeError(value)
    kinds = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
    match name, kinds:
        case ("tuple", [kind, ast.Constant(value=second)]) if second is Ellipsis:
            kinds = [kind] * len(value)
        case ("list", [kind]):
            kinds = [kind] * len(value)
        case ("list", _):
            raise _UnknownTypeError(f"list[{ast.unparse(inner)}]")
    if len(kinds) != len(value):
        raise ValueError(value)
    items = [_convert(kind, item, parse_text) for kind, item in zip(kinds, value, strict=True)]
    return items if name == "list" else tuple(items)
