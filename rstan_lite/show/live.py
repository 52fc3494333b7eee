"""Training curves that redraw themselves in a notebook while a model trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rstan_lite.show.style import DPI, Picture, keep
from rstan_lite.show.temporal import curves


class LiveCurves:
    """Collects values epoch by epoch and redraws one picture in place.

    columns: the quantities to draw, a panel each. every: seconds between two drawings at least,
    so that drawing never costs more than training; `close` draws the last state in any case.
    An epoch is a mapping or an object with the columns as attributes, such as the training's
    EpochLog; a column that is missing or None counts as not measured (NaN).
    Outside a notebook nothing is shown and the history is kept all the same.
    """

    def __init__(self, *columns: str, title: str = "training", every: float = 2.0) -> None:
        self.columns, self.title, self.every = columns, title, every
        self.history: dict[str, dict[str, list[float]]] = {}
        self._handle, self._started, self._drawn = _display_handle(), False, -np.inf

    def add(self, model: str, epoch: object) -> None:
        """Take one epoch of one model."""
        lines = self.history.setdefault(model, {column: [] for column in self.columns})
        for column in self.columns:
            lines[column].append(_value(epoch, column))
        if time.monotonic() - self._drawn > self.every:
            self._show()

    def of(self, model: str) -> Callable[[object], None]:
        """Return a function that takes this model's epochs, one after the other."""
        return lambda epoch: self.add(model, epoch)

    def set(self, model: str, epochs: Sequence[object]) -> None:
        """Replace all that is known of one model, for example by the log of a finished run."""
        self.history[model] = {
            column: [_value(epoch, column) for epoch in epochs] for column in self.columns
        }

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


def _value(epoch: object, column: str) -> float:
    found = epoch.get(column) if isinstance(epoch, Mapping) else getattr(epoch, column, None)
    return np.nan if found is None else float(found)


def _display_handle() -> Any:
    """Return IPython's handle of a display to be updated, or None outside a notebook."""
    try:
        from IPython import get_ipython
        from IPython.display import DisplayHandle
    except ImportError:
        return None
    return None if get_ipython() is None else DisplayHandle()
