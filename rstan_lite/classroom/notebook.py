"""Execute a notebook by papermill, with checked parameters and errors that say where."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from rstan_lite.classroom.engine import BAR, register_engine
from rstan_lite.classroom.parameters import (
    INJECTED_TAG,
    TAG,
    Parameter,
    check_parameters,
    load_notebook,
    notebook_parameters,
    tagged,
)
from rstan_lite.system.errors import NotebookError

INSTALL_HINT = "Install the notebook extra: pip install 'rstan-lite[notebooks]'."

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(r"Cell In\s?\[\d+\], line (\d+)")


def default_output(path: str | PathLike[str], values: Mapping[str, Any]) -> Path:
    """Where an executed notebook goes unless told: its parameter `out`, or runs/<its name>."""
    stem = Path(path).stem
    folder = Path(str(values["out"])) if values.get("out") else Path("runs") / stem
    return folder / f"{stem}.ipynb"


def run_notebook(
    path: str | PathLike[str],
    parameters: Mapping[str, Any] | None = None,
    output: str | PathLike[str] | None = None,
    html: bool = True,
    progress: bool = True,
) -> Path:
    """Execute a notebook in the working directory and return the executed copy's path.

    parameters: values by name; strings are parsed by the type that the notebook declares.
    output: the executed copy (.ipynb); its folder is made. None: see `default_output`.
    html: also write a page beside it, of the same name, that needs no internet.
    Raises NotebookError for a name or value that the notebook does not take, before anything runs,
    and for a cell that fails, with its notebook, index, line and error; the copy then holds all
    cells up to that one.
    """
    path = Path(path)
    declared = notebook_parameters(path)
    values = check_parameters(path, declared, parameters or {})
    defaults = {parameter.name: parameter.default for parameter in declared}
    output = Path(output) if output is not None else default_output(path, defaults | values)
    if output.suffix != ".ipynb":
        raise NotebookError("output", str(output), "a name that ends in .ipynb")
    if output.resolve() == path.resolve():
        raise NotebookError(
            "output", "the notebook itself", "another file", "It is not overwritten."
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotebookError(output.parent, str(error), "a folder to write to") from None
    _execute(path, [p for p in declared if p.name in values], values, output, progress)
    if html:
        from rstan_lite.classroom.page import write_page

        write_page(output, output.with_suffix(".html"))
    return output


def _execute(
    path: Path, chosen: list[Parameter], values: Mapping[str, Any], output: Path, progress: bool
) -> None:
    try:
        import nbformat
        import papermill
        from papermill.exceptions import PapermillExecutionError
    except ImportError as error:
        raise NotebookError(path, f"no {error.name} here", "papermill", INSTALL_HINT) from None
    content = load_notebook(path)
    origin = _inject(content, chosen, values)
    growing = output.with_name(f".{output.name}.part.ipynb")  # written again after each cell
    try:
        # A node, not a path: papermill would take braces in a path for its own placeholders.
        node = nbformat.from_dict(content)
        papermill.execute_notebook(
            node,
            str(growing.resolve()).replace("{", "{{").replace("}", "}}"),
            kernel_name="python3",  # of the interpreter that runs this, whatever the notebook says
            cwd=os.getcwd(),
            engine_name=register_engine(),
            progress_bar={"desc": path.stem, "bar_format": BAR} if progress else False,
            # nbclient hands these to the kernel, whose warnings are about itself
            extra_arguments=["--log-level=ERROR"],
        )
    except PapermillExecutionError as error:
        cell = content["cells"][error.cell_index]
        number = f"cell {origin[error.cell_index]} (counted from 0; id {cell.get('id', 'none')})"
        raise _cell_error(path, output, number, error) from None
    except NotebookError:
        raise
    except Exception as error:  # the kernel's and papermill's own failures have no common base
        raise NotebookError(
            path,
            f"{type(error).__name__}: {error}",
            "a kernel that runs to the end",
            f"A kernel that dies is often out of memory. What ran is kept in {output}.",
        ) from error
    finally:
        if growing.exists():
            os.replace(growing, output)


def _inject(
    content: dict[str, Any], chosen: list[Parameter], values: Mapping[str, Any]
) -> list[int]:
    """Put the values in a cell after the parameters cell; return each cell's index in the source.

    Written here rather than by papermill, whose translation turns a tuple into a string.
    """
    origin = list(range(len(content["cells"])))
    for index in reversed(tagged(content["cells"], INJECTED_TAG)):
        del content["cells"][index], origin[index]
    if chosen:
        lines = [f"{p.name}: {p.annotation} = {_literal(values[p.name])}" for p in chosen]
        cell: dict[str, Any] = {
            "cell_type": "code",
            "metadata": {"tags": [INJECTED_TAG]},
            "source": "\n".join(["# Given to this run", *lines]),
            "outputs": [],
            "execution_count": None,
        }
        if (content.get("nbformat"), content.get("nbformat_minor", 0)) >= (4, 5):
            cell["id"] = "given-parameters"
        after = tagged(content["cells"], TAG)[0]
        content["cells"].insert(after + 1, cell)
        origin.insert(after + 1, origin[after])
    return origin


def _literal(value: Any) -> str:
    """Python source of a value of a parameter's type."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, tuple):
        return f"({''.join(_literal(item) + ', ' for item in value).rstrip()})"
    return repr(value)


def _cell_error(path: Path, output: Path, cell: str, error: Any) -> NotebookError:
    """What a user needs of a failed cell: notebook, cell, line, error, and where the rest is."""
    plain = _COLOUR.sub("", "\n".join(error.traceback))
    numbers = _LINE.findall(plain)
    lines = error.source.splitlines()
    if numbers and 1 <= int(numbers[0]) <= len(lines):
        line = f", line {numbers[0]}, `{lines[int(numbers[0]) - 1].strip()}`"
    else:
        line = ""
    message = _COLOUR.sub("", error.evalue).strip().removesuffix(".")
    return NotebookError(
        f"{path}, {cell}{line}",
        f"{error.ename}: {message}" if message else error.ename,
        "a cell that runs",
        f"The notebook as far as it ran is {output}.",
    )
