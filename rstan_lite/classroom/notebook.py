"""Execute a notebook by papermill, with checked parameters and errors that say where.

The bar names the section that runs. Ctrl-C stops the running cell as Jupyter's stop button does,
so that a training in it saves itself and the kernel ends in order.
"""

import asyncio
import os
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import FrameType
from typing import Any

from rstan_lite.classroom.notebook_parameters import (
    TAG,
    Parameter,
    check_parameters,
    load_notebook,
    notebook_parameters,
    tagged,
)
from rstan_lite.system.errors import NotebookError
from rstan_lite.system.interruption import SafePoints
from rstan_lite.system.reading import disk_errors
from rstan_lite.system.settings import require_libraries
from rstan_lite.system.tables import watched
from rstan_lite.system.threads import environment

LIBRARIES = {"papermill": "papermill", "ipykernel": "ipykernel"}
PAGE_LIBRARIES = {"nbconvert": "nbconvert", "latex2mathml": "latex2mathml"}
INJECTED_TAG = "injected-parameters"
ENGINE = "rstan-lite"  # the name that papermill knows the engine below by
UNATTENDED = "RSTAN_UNATTENDED"  # in a kernel's environment: nobody will move its controls
# No estimate of the time left: one cell trains for a minute, and fifty take no time at all.
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} cells [{elapsed}{postfix}]"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(r"Cell In\s?\[\d+\], line (\d+)")


def run_notebook(
    path: str | PathLike[str], parameters: Mapping[str, Any] | None = None,
    output: str | PathLike[str] | None = None, html: bool = True, progress: bool = True,
) -> Path:  # fmt: skip
    """Execute a notebook in the working directory and return the executed copy's path.

    parameters: values by name; strings are parsed by the type that the notebook declares.
    output: the executed copy (.ipynb); None: in the folder that the parameter `out` says, or in
    runs/<its name>. html: also write a page beside it that needs no internet.
    Raises ConfigError where a library is absent and NotebookError for a name or value that the
    notebook does not take, before anything runs; NotebookError for a cell that fails, saying where.
    """
    require_libraries("rstan-lite run", LIBRARIES | (PAGE_LIBRARIES if html else {}), "notebooks")
    path = Path(path)
    declared = notebook_parameters(path)
    values = check_parameters(path, declared, parameters or {})
    if output is None:
        folder = ({one.name: one.default for one in declared} | values).get("out")
        output = Path(folder or f"runs/{path.stem}") / f"{path.stem}.ipynb"
    output = Path(output)
    if output.suffix != ".ipynb":
        raise NotebookError("output", str(output), "a name that ends in .ipynb")
    if output.resolve() == path.resolve():
        raise NotebookError("output", "the notebook itself", "another file")
    with disk_errors(NotebookError, output.parent, "a folder to write to"):
        output.parent.mkdir(parents=True, exist_ok=True)
    _execute(path, [p for p in declared if p.name in values], values, output, progress)
    if html:
        from rstan_lite.classroom.page import write_page

        write_page(output, output.with_suffix(".html"))
    return output


def _execute(
    path: Path, chosen: list[Parameter], values: Mapping[str, Any], output: Path, progress: bool
) -> None:
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    content = load_notebook(path)
    origin = _inject(content, chosen, values)
    bar = {"desc": path.stem, "bar_format": BAR}
    growing = output.with_name(f".{output.name}.part.ipynb")  # written again after each cell
    try:
        # A node, not a path: papermill would take braces in a path for its own placeholders.
        papermill.execute_notebook(
            nbformat.from_dict(content),
            str(growing.resolve()).replace("{", "{{").replace("}", "}}"),
            kernel_name="python3",  # of the interpreter that runs this, whatever the notebook says
            cwd=os.getcwd(),
            engine_name=_register_engine(),
            progress_bar=bar if progress and watched() else False,
            # nbclient hands these to the kernel, whose warnings are about itself
            extra_arguments=["--log-level=ERROR"],
        )
    except PapermillExecutionError as error:
        cell = content["cells"][error.cell_index]
        number = f"cell {origin[error.cell_index]} (counted from 0; id {cell.get('id', 'none')})"
        raise _cell_error(path, output, number, error) from None
    except Exception as error:  # the kernel's and papermill's own failures have no common base
        found = f"{type(error).__name__}: {error}"
        hint = f"A kernel that dies is often out of memory. What ran is kept in {output}."
        raise NotebookError(path, found, "a kernel that runs to the end", hint) from error
    finally:
        if growing.exists():
            os.replace(growing, output)


def _inject(
    content: dict[str, Any], chosen: list[Parameter], values: Mapping[str, Any]
) -> list[int]:
    """Put the values in a cell after the parameters cell; return each cell's index in the source.

    Papermill's own cell would hold a tuple as a string, and no types.
    """
    cells = [(i, cell) for i, cell in enumerate(content["cells"]) if not tagged(cell, INJECTED_TAG)]
    if chosen:
        lines = [f"{p.name}: {p.annotation} = {values[p.name]!r}" for p in chosen]
        if any(re.search(r"\b(inf|nan)\b", line) for line in lines):
            lines.insert(0, "from math import inf, nan")  # the names by which a float is written
        cell: dict[str, Any] = {"cell_type": "code", "outputs": [], "execution_count": None}
        cell |= {"metadata": {"tags": [INJECTED_TAG]}}
        cell |= {"source": "\n".join(["# Given to this run", *lines])}
        if (content.get("nbformat"), content.get("nbformat_minor", 0)) >= (4, 5):
            cell["id"] = "given-parameters"
        after = next(place for place, (_, one) in enumerate(cells) if tagged(one, TAG))
        cells.insert(after + 1, (cells[after][0], cell))
    content["cells"] = [cell for _, cell in cells]
    return [index for index, _ in cells]


def _cell_error(path: Path, output: Path, cell: str, error: Any) -> NotebookError:
    """What a user needs of a failed cell: notebook, cell, line, error, and where the rest is."""
    numbers = _LINE.findall(_COLOUR.sub("", "\n".join(error.traceback)))
    lines = error.source.splitlines()
    if numbers and 1 <= int(numbers[0]) <= len(lines):
        cell += f", line {numbers[0]}, `{lines[int(numbers[0]) - 1].strip()}`"
    message = _COLOUR.sub("", error.evalue).strip().removesuffix(".")
    found = f"{error.ename}: {message}" if message else error.ename
    hint = f"The notebook as far as it ran is {output}."
    return NotebookError(f"{path}, {cell}", found, "a cell that runs", hint)


def _register_engine() -> str:
    """Make papermill's engine, with a `Watch` over its cells, known to it; returns its name."""
    from jupyter_client.manager import AsyncKernelManager
    from papermill.engines import NBClientEngine, papermill_engines

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
            class Kept(AsyncKernelManager):
                def __init__(self, *args: Any, **more: Any) -> None:
                    super().__init__(*args, **more)
                    watch.kernel = self

                def start_kernel(self, **options: Any) -> Any:
                    env = environment() | {UNATTENDED: "1"}
                    return super().start_kernel(**{"env": env, **options})

            with Watch(nb_man.pbar) as watch:
                options |= {"on_cell_start": watch.start, "on_cell_execute": watch.execute}
                options |= {"kernel_manager_class": Kept}
                super().execute_managed_notebook(nb_man, kernel_name, **options)
                watch.leave()

    papermill_engines.register(ENGINE, Engine)
    return ENGINE


class Watch(SafePoints):
    """Knows what a notebook does, by nbclient's hooks, and takes Ctrl-C and SIGTERM.

    The first of them interrupts the cell that runs; where none does, it raises Interrupted.
    bar: of papermill, which gets the heading above the cell; None for none.
    """

    def __init__(self, bar: Any = None) -> None:
        super().__init__()
        self.kernel: Any = None  # its manager, once there is one
        self._bar, self._runs = bar, False

    def start(self, cell: Any, **_: Any) -> None:
        """A cell of any kind is next."""
        self.leave()  # the cell before may have taken no notice
        self._runs = False
        if self._bar is not None and cell.cell_type == "markdown" and cell.source.startswith("#"):
            self._bar.set_postfix_str(cell.source.splitlines()[0].lstrip("# ").replace("`", ""))

    def execute(self, **_: Any) -> None:
        """The cell runs from now on."""
        self._runs = True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        first = not self.asked
        super()._receive(number, frame)
        if first and not self._reached():
            self.leave()

    def _reached(self) -> bool:
        try:
            loop = asyncio.get_running_loop()  # nbclient's, which waits for the cell
        except RuntimeError:
            return False
        if self._runs:
            asyncio.run_coroutine_threadsafe(self.kernel.interrupt_kernel(), loop)
        return self._runs
