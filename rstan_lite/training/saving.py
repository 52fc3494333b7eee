"""When a run is saved: by the clock, when its epochs say so, and when a signal asks it to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from rstan_lite.features.generations import Generations
from rstan_lite.model.rstan import RSTAN
from rstan_lite.system.interruption import Keeper
from rstan_lite.training.checkpoint import Progress, load_progress, save_progress
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.logs import EpochLog


class Saver(Keeper):
    """Saves a run while it is entered, so that it goes on from there to the same numbers.

    path: see `Generations`; None saves nothing, but a signal still waits for a safe point.
    run: see `save_progress`. on_save: called with the log after each save, and after a load.
    writes: false in a process that shares the training with the one that saves it.
    progress: what was saved of this run; a fresh one where nothing was.
    Raises CheckpointError.
    """

    def __init__(
        self,
        path: Path | None,
        run: str,
        model: RSTAN,
        optimizer: torch.optim.Optimizer,
        config: TrainConfig,
        on_save: Callable[[list[EpochLog]], None] | None = None,
        writes: bool = True,
    ):
        super().__init__(self._write, config.save_seconds)
        self._states = Generations(path) if path else None
        self._run, self._model, self._optimizer = run, model, optimizer
        self._every, self._on_save, self._writes = config.save_every, on_save, writes
        found = load_progress(self._states, run, model, optimizer) if self._states else None
        self.progress = found or Progress()
        self._started = time.perf_counter() - self.progress.seconds
        if found and on_save and writes:
            on_save(found.log)  # after a kill between the two files

    def end_epoch(self, leaving: bool) -> None:
        """A safe point at which `save_every` counts. leaving: it is the last one, and saved."""
        if leaving or (self._every and self.progress.epoch % self._every == 0):
            self.save()
            self.leave()
        else:
            self.point()

    def _write(self) -> None:
        self.progress.seconds = time.perf_counter() - self._started
        if self._states and self._writes:
            save_progress(self._states, self.progress, self._run, self._model, self._optimizer)
            if self._on_save:
                self._on_save(self.progress.log)
