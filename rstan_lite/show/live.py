"""Training curves that redraw themselves in a notebook while a model trains."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rstan_lite.show.style import DPI, Picture, keep
from rstan_lite.show.temporal import curves


class LiveCurves:
    """Collects values epoch by epoch and redraws one picture in place.

    columns: the quantities to draw, a panel each. every: seconds between two drawings at least,
    so that drawing never costs more than training; `close` draws the last state in any case.
    Outside a notebook nothing is shown and the history is kept all the same.
    """

    def __init__(self, *columns: str, title: str = "training", every: float = 2.0) -> None:
        self.columns, self.title, self.every = columns, title, every
        self.history: dict[str, dict[str, list[float]]] = {}
        self._handle, self._started, self._drawn = _display_handle(), False, -np.inf

    def add(self, model: str, values: Mapping[str, float | None]) -> None:
        """Take one epoch's values of one model; a missing column counts as not measured (NaN)."""
        lines = self.history.setdefault(model, {column: [] for column in self.columns})
        for column in self.columns:
            value = values.get(column)
            lines[column].append(np.nan if value is None else float(value))
        if time.monotonic() - self._drawn > self.every:
            self._show()

    def set(self, model: str, epochs: Sequence[Mapping[str, float | None]]) -> None:
        """Replace all that is known of one model, for example by the log of a finished run."""
        self.history[model] = {column: [] for column in self.columns}
        last, self._drawn = self._drawn, np.inf  # one drawing for all of them, by `close`
        for values in epochs:
            self.add(model, values)
        self._drawn = last

    def close(self, path: str | Path | None = None) -> Picture:
        """Draw everything a last time, in place, and write it to a .png if a path is given."""
        return self._show(path, DPI)

    def _show(self, path: str | Path | None = None, dpi: int = 80) -> Picture:
        picture = keep(curves(self.history, title=self.title), path, dpi)
        self._drawn = time.monotonic()
        if self._handle is not None and self._started:
            self._handle.update(picture)
        elif self._handle is not None:
            self._handle.display(picture)
            self._started = True
        return picture


def _display_handle() -> Any:
    """Return IPython's handle of a display to be updated, or None outside a notebook."""
    try:
        from IPython import get_ipython
        from IPython.display import DisplayHandle
    except ImportError:
        return None
    return None if get_ipython() is None else DisplayHandle()
