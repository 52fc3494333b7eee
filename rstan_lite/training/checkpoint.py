"""How a run survives: all that it goes on from, in the two newest versions on disk.

A kill at any moment leaves a whole version. If the newest one is damaged, training says so and
continues from the one before.
"""

import hashlib
import io
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from rstan_lite.system.errors import CheckpointError, RstanError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.interruption import Keeper
from rstan_lite.system.reading import check_regular
from rstan_lite.system.tensor_files import load_torch

RESUME = "resume.pt"
_HEAD, _DIGITS = b"rstan-lite state, sha256 ", 64
T = TypeVar("T")


class Versions:
    """A state on disk, in the two newest versions: `path`, and `<path>.previous`.

    A version begins with a line that holds the SHA-256 of the rest: torch reads a changed number
    without a complaint. A damaged version is never kept as the one before.
    """

    def __init__(self, path: Path):
        self.path, self.previous = path, path.with_name(f"{path.name}.previous")
        self._newest_is_good = True

    def exists(self) -> bool:
        """Whether there is anything to go on from."""
        return self.path.exists() or self.previous.exists()

    def save(self, state: dict[str, Any]) -> None:
        """Write a version, whole or not at all. Raises StoreError."""
        buffer = io.BytesIO()
        buffer.write(_HEAD + bytes(_DIGITS) + b"\n")
        body = buffer.tell()
        torch.save(state, buffer)
        content = buffer.getbuffer()
        content[len(_HEAD) : body - 1] = hashlib.sha256(content[body:]).hexdigest().encode()
        write_atomically(self.path, content, keep=self.previous if self._newest_is_good else None)
        self._newest_is_good = True

    def load(self, take: Callable[[dict[str, Any]], T], device: str = "cpu") -> T | None:
        """Hand the newest whole version's state to `take`; returns its result, None without one.

        A damaged version is named on stderr, and the one before it taken, so that `take` may be
        called twice. Raises CheckpointError where no version can be read, and what `take` raises.
        """
        damages: dict[str, str] = {}
        for path in filter(Path.exists, (self.path, self.previous)):
            try:
                taken = take(_read(path, device))
            except RstanError:
                raise
            except Exception as error:  # torch and pickle raise many types
                damages[path.name] = (str(error) or type(error).__name__).splitlines()[0]
                continue
            self._newest_is_good = not damages
            for name, why in damages.items():
                text = f"a damaged file ({why}); going on from {path.name}, saved before"
                print(f"warning: {path.with_name(name)}: found {text}.", file=sys.stderr)
            return taken
        if not damages:
            return None
        found = " and ".join(f"{name}: {why}" for name, why in damages.items())
        hint = f"Remove {' and '.join(damages)}: the run then starts anew."
        expected = "the saved state of a run"
        raise CheckpointError(self.path, f"a damaged file ({found})", expected, hint)

    def remove(self) -> None:
        """Remove all versions, when the run is done."""
        self.path.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)


def _read(path: Path, device: str) -> dict[str, Any]:
    check_regular(path, CheckpointError, "the saved state of a run", "Remove it.")
    content = memoryview(path.read_bytes())
    body = len(_HEAD) + _DIGITS + 1
    if content[:body] != _HEAD + hashlib.sha256(content[body:]).hexdigest().encode() + b"\n":
        raise ValueError("its checksum differs")
    return load_torch(io.BytesIO(content[body:]), device)


def random_states() -> dict[str, Any]:
    """The states of torch's random sources: the only ones that a training draws from."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random(states: dict[str, Any]) -> None:
    """Take up what `random_states` returned. A GPU's are left out where their number differs."""
    torch.set_rng_state(states["cpu"].cpu())
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])


@dataclass(frozen=True)
class EpochLog:
    """Means over one epoch's mini-batches, and the validation after it: a row of log.csv.

    iteration: mini-batches so far. main_loss, aa_loss: Eq. 17 (summed over the T steps) and
    Eq. 18, a video. gradient_norm: before clipping; clipped: share of mini-batches that were.
    Accuracies and attention_share (`evaluation.silhouette_sums`) lie in [0, 1], or are None.
    second_*: of a second data set's training clips; its loss before it is weighted.
    """

    epoch: int
    iteration: int
    lr: float
    main_loss: float
    aa_loss: float
    gradient_norm: float
    clipped: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    attention_share: float | None
    second_loss: float | None = None
    second_accuracy: float | None = None


@dataclass
class EpochSums:
    """An epoch's mini-batches so far; main (Eq. 17), clips and right of each data set."""

    batches: int = 0
    main: list[float] = field(default_factory=lambda: [0.0, 0.0])
    clips: list[int] = field(default_factory=lambda: [0, 0])
    right: list[int] = field(default_factory=lambda: [0, 0])
    actor: float = 0.0
    norm: float = 0.0
    clipped: float = 0.0

    def add(
        self, losses: Sequence[Mapping[str, float]], clips: Sequence[int], norm: float, limit: float
    ) -> None:
        """Add a mini-batch of each data set, see `train_step`. limit: of the norm, 0 for none."""
        self.batches += 1
        for task, (loss, count) in enumerate(zip(losses, clips, strict=True)):
            self.main[task] += loss["main"]
            self.clips[task] += count
            self.right[task] += int(loss["right"])
        self.actor += losses[0]["actor"]
        self.norm += norm
        self.clipped += float(0 < limit < norm)


@dataclass
class Progress:
    """How far a run is: what the next mini-batch starts from, besides weights and optimiser.

    epoch: how many were finished. sums: of the mini-batches since then.
    best_*: the epoch chosen so far (validation accuracy, then loss) and its weights.
    """

    epoch: int = 0
    iteration: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = float("inf")
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    log: list[EpochLog] = field(default_factory=list)
    sums: EpochSums = field(default_factory=EpochSums)

    def end_epoch(self, row: EpochLog, weights: dict[str, Tensor]) -> None:
        """Log a finished epoch; take its weights where it is the best, or nothing is validated."""
        self.log.append(row)
        self.epoch, self.sums = row.epoch, EpochSums()
        accuracy, loss = row.validation_accuracy, row.validation_loss
        if accuracy is not None and loss is not None:
            if (accuracy, -loss) <= (self.best_accuracy, -self.best_loss):
                return
            self.best_accuracy, self.best_loss = accuracy, loss
        self.best_epoch = row.epoch
        self.best_weights = {k: v.detach().cpu().clone() for k, v in weights.items()}


class Saver(Keeper):
    """Saves a run while it is entered, so that it goes on from there to the same numbers.

    path: see `Versions`; None saves nothing, but a signal still waits for a safe point.
    run: text that identifies the run's clips and networks; only the same run can go on from it.
    every: epochs after which it is saved besides; pause: seconds between saves; 0 for never.
    on_save: called with the log after each save, and after a load.
    Model, optimiser, random sources and `progress` become what was saved.
    Raises CheckpointError where all versions are damaged, or one is of another run.
    """

    def __init__(
        self, path: Path | None, run: str, model: nn.Module, optimizer: Optimizer, every: int = 0,
        pause: float = 0.0, on_save: Callable[[list[EpochLog]], None] | None = None,
    ):  # fmt: skip
        super().__init__(self._write, pause)
        self._states, self._every, self._on_save = Versions(path) if path else None, every, on_save
        self._run, self._model, self._optimizer = run, model, optimizer
        found = self._states.load(self._take) if self._states else None
        self.progress = found or Progress()
        self._started = time.perf_counter() - self.progress.seconds
        if found and on_save:
            on_save(found.log)  # after a kill between the two files

    def end_epoch(self, leaving: bool) -> None:
        """A safe point at which `every` counts. leaving: it is the last one, and saved."""
        if leaving or (self._every and self.progress.epoch % self._every == 0):
            self.save()
            self.leave()
        else:
            self.point()

    def _write(self) -> None:
        state = self.progress
        state.seconds = time.perf_counter() - self._started
        if not self._states:
            return
        log = [asdict(row) for row in state.log]
        progress = {**vars(state), "sums": asdict(state.sums), "log": log}
        parts = {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}
        now = {"random": random_states(), "threads": torch.get_num_threads()}
        self._states.save({"run": self._run, "progress": progress, **parts, **now})
        if self._on_save:
            self._on_save(state.log)

    def _take(self, state: dict[str, Any]) -> Progress:
        """Take up a saved state."""
        assert self._states is not None
        progress = Progress(**state["progress"])
        progress.log = [EpochLog(**row) for row in state["progress"]["log"]]
        progress.sums = EpochSums(**state["progress"]["sums"])
        if state["run"] != self._run:
            found, hint = "the state of a run on other clips or settings", "Use another folder."
            raise CheckpointError(self._states.path, found, "this run's own", hint)
        if progress.best_weights:  # so that they are known to fit
            self._model.load_state_dict(progress.best_weights)
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        restore_random(state["random"])
        return progress
