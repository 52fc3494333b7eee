"""Papermill's engine as a reader at a terminal wants it: a bar that lives, and Ctrl-C that works.

The bar says what is being done and for how long. Ctrl-C stops the running cell as Jupyter's stop
button does, so that a training in it saves itself and the kernel ends in order.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from rstan_lite.system.interruption import SafePoints

ENGINE = "rstan-lite"  # the name that papermill knows the engine below by
# No estimate of the time left: one cell trains for a minute, and fifty take no time at all.
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} cells [{elapsed}{postfix}]"
_EVERY = 1.0  # seconds


def doing(cells: Sequence[Any], now: datetime) -> str:
    """The heading above the cell that runs, and how long it has run; "" where none does.

    cells: of a notebook that papermill executes, with its marks in their metadata.
    """
    heading = ""
    for cell in cells:
        if cell.cell_type == "markdown":
            lines = (line for line in cell.source.splitlines() if line.startswith("#"))
            heading = next(lines, heading)
        if _runs(cell):
            start = datetime.fromisoformat(cell.metadata["papermill"]["start_time"])
            seconds = (now - start).total_seconds()
            words = heading.lstrip("#").strip().replace("`", "")
            return f"{words}: {seconds:.0f} s" if words else f"{seconds:.0f} s"
    return ""


def _runs(cell: Any) -> bool:
    return (cell.metadata.get("papermill") or {}).get("status") == "running"


class _ToTheCell(SafePoints):
    """The first Ctrl-C or SIGTERM interrupts the cell that runs; where none does, it raises.

    manager: papermill's, with the notebook. kernels: the kernel's manager, once there is one.
    """

    def __init__(self, manager: Any, kernels: Sequence[Any]) -> None:
        super().__init__()
        self._manager, self._kernels = manager, kernels

    def _receive(self, number: int, frame: FrameType | None) -> None:
        first = not self.asked
        super()._receive(number, frame)
        if first and not self._reached():
            self.leave()

    def _reached(self) -> bool:
        at_work = any(c.cell_type == "code" and _runs(c) for c in self._manager.nb.cells)
        process = getattr(self._kernels[-1].provisioner, "process", None) if self._kernels else None
        if not at_work or process is None:
            return False
        process.send_signal(signal.SIGINT)
        return True


def register_engine() -> str:
    """Make the engine known to papermill; returns its name there."""
    from jupyter_client.manager import AsyncKernelManager
    from papermill.engines import NBClientEngine, papermill_engines

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
            kernels: list[AsyncKernelManager] = []

            class Kept(AsyncKernelManager):
                def __init__(self, *args: Any, **more: Any) -> None:
                    super().__init__(*args, **more)
                    kernels.append(self)

            with _kept_alive(nb_man), _ToTheCell(nb_man, kernels) as points:
                super().execute_managed_notebook(
                    nb_man,
                    kernel_name,
                    kernel_manager_class=Kept,
                    on_cell_start=lambda **_: points.leave(),  # the cell before took no notice
                    **options,
                )
                points.leave()

    papermill_engines.register(ENGINE, Engine)
    return ENGINE


@contextmanager
def _kept_alive(manager: Any) -> Iterator[None]:
    """Inside, the bar of papermill's manager, if it has one, says each second what is done."""
    if manager.pbar is None or not sys.stderr.isatty():  # a log gets a line for each cell alone
        yield
        return
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(_EVERY):
            manager.pbar.set_postfix_str(doing(manager.nb.cells, datetime.now(UTC)))

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
