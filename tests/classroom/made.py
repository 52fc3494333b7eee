"""Small notebooks made on the spot, some with an exercise."""

from pathlib import Path
from typing import Any

import nbformat

CELL = "split: int = 1  # which split\nname: str = 'a'\nrate: float = 0.5\ndeep: bool = False"
BLANK = """def twice(x):
    # x: a number
    ### BEGIN SOLUTION
    y = x + x
    return y
    ### END SOLUTION"""


def code(source: str, id_: str, *tags: str, hidden: bool = False, **more: Any) -> dict[str, Any]:
    """A code cell; hidden: folded away, as solutions are."""
    metadata = {"tags": [*tags], **({"jupyter": {"source_hidden": True}} if hidden else {})}
    return dict(nbformat.v4.new_code_cell(source, id=id_, metadata=metadata, **more))


def words(source: str, id_: str = "words") -> dict[str, Any]:
    """A Markdown cell."""
    return dict(nbformat.v4.new_markdown_cell(source, id=id_))


def write(path: Path, *cells: str | dict[str, Any], parameters: str | None = CELL) -> Path:
    """A notebook: a parameters cell, then cells (a text is one of code, or after `#md ` of words).

    parameters: the source of that cell; None: there is none, as where any cell is no text.
    """
    made: list[Any] = []
    for i, cell in enumerate(cells):
        if not isinstance(cell, str):
            made.append(cell)
        elif cell.startswith("#md "):
            made.append(words(cell.removeprefix("#md "), f"cell-{i}"))
        else:
            made.append(code(cell, f"cell-{i}"))
    if parameters is not None and all(isinstance(cell, str) for cell in cells):
        made.insert(0, code(parameters, "parameters", "parameters"))
    node = nbformat.from_dict({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    nbformat.write(node, path)
    return path


def printed(path: Path) -> str:
    """Everything that an executed notebook's cells printed."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")
