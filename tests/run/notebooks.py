"""Small notebooks made on the spot, for the tests of rstan_lite.classroom."""

from __future__ import annotations

from pathlib import Path

import nbformat

CELL = "split: int = 1  # which split\nname: str = 'a'\nrate: float = 0.5\ndeep: bool = False"


def write(path: Path, *cells: str, parameters: str | None = CELL) -> Path:
    """A notebook of code cells (of Markdown where a cell starts with `#md `), parameters first."""
    made = []
    if parameters is not None:
        made.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    for source in cells:
        if source.startswith("#md "):
            made.append(nbformat.v4.new_markdown_cell(source.removeprefix("#md ")))
        else:
            made.append(nbformat.v4.new_code_cell(source))
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def printed(path: Path) -> str:
    """Everything that an executed notebook's cells printed."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")
