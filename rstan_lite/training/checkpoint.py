"""Saving a run so that it can be continued, and its chosen model so that it can be used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from rstan_lite.features.generations import (
    Generations,
    random_states,
    restore_random,
    warn_of_threads,
)
from rstan_lite.features.pretrained import load_weights, read_state
from rstan_lite.model.rstan import RSTAN, RSTANConfig
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import read_json
from rstan_lite.training.logs import EpochLog
from rstan_lite.training.runs import DESCRIPTION, WEIGHTS
from rstan_lite.training.sums import EpochSums


@dataclass
class Progress:
    """How far a run is: what the next mini-batch starts from, besides weights and optimiser.

    epoch: how many were finished, with their validation. sums: of the mini-batches since then.
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
        """Add a finished epoch to the log, and take its weights where it is the best."""
        self.log.append(row)
        self.consider(row, weights)
        self.epoch, self.sums = row.epoch, EpochSums()

    def consider(self, row: EpochLog, weights: dict[str, Tensor]) -> None:
        """Take the epoch as the best if it is; without a validation part the latest one is."""
        accuracy, loss = row.validation_accuracy, row.validation_loss
        if accuracy is not None and loss is not None:
            if (accuracy, -loss) <= (self.best_accuracy, -self.best_loss):
                return
            self.best_accuracy, self.best_loss = accuracy, loss
        self.best_epoch = row.epoch
        self.best_weights = {k: v.detach().cpu().clone() for k, v in weights.items()}


def save_progress(
    states: Generations, progress: Progress, run: str, model: RSTAN, optimizer: Optimizer
) -> None:
    """Write all that a run needs to go on, whole or not at all, and keep the version before.

    run: text that identifies the run (settings and clips); only the same run can go on from it.
    """
    states.save(
        {
            "run": run,
            "progress": {
                **vars(progress),
                "sums": asdict(progress.sums),
                "log": [asdict(row) for row in progress.log],
            },
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "random": random_states(),
            "threads": torch.get_num_threads(),
        }
    )


def load_progress(
    states: Generations, run: str, model: RSTAN, optimizer: Optimizer
) -> Progress | None:
    """Continue from what save_progress wrote: fills model and optimiser; None where there is none.

    A damaged version is named on stderr, and the one before it taken. Warns of another number of
    threads. Raises CheckpointError where all versions are damaged, or one is of another run.
    """

    def take(state: dict[str, Any]) -> Progress:
        values = dict(state["progress"])
        values["log"] = [EpochLog(**row) for row in values["log"]]
        values["sums"] = EpochSums(**values["sums"])
        progress = Progress(**values)
        if state["run"] != run:
            raise CheckpointError(
                states.path,
                "the state of a run on other clips or settings",
                "this run's own",
                "Use another folder.",
            )
        if progress.best_weights:  # so that they are known to fit
            model.load_state_dict(progress.best_weights)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        restore_random(state["random"])
        warn_of_threads(states.path, state["threads"])
        return progress

    return states.load(take)


@dataclass(frozen=True)
class Description:
    """What stands beside a model's weights: what it is, what it was fed, what it names.

    model: the RSTANConfig. head: the data set whose classifier predicts. classes: its names.
    scales: see ClipFeatures. networks: each stream's weights file and its hash, so that a
    prediction is not made with another one. best_epoch: the epoch that was chosen. versions: of
    the packages. second_head, second_classes: those of a second data set, empty without one.
    """

    model: dict[str, Any]
    head: str
    classes: tuple[str, ...]
    scales: dict[str, tuple[float, float]]
    networks: dict[str, tuple[str, str]]
    best_epoch: int
    versions: dict[str, str]
    second_head: str = ""
    second_classes: tuple[str, ...] = ()


def save_model(folder: Path, model: RSTAN, description: Description) -> None:
    """Write `checkpoint.safetensors` and `checkpoint.json` into a run folder."""
    weights = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    write_atomically(folder / WEIGHTS, save(weights))
    text = json.dumps(asdict(description), indent=2) + "\n"
    write_atomically(folder / DESCRIPTION, text.encode())


def load_model(folder: Path) -> tuple[RSTAN, Description]:
    """The chosen model of a finished run, in evaluation mode; CheckpointError if damaged."""
    for name in (DESCRIPTION, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(
                folder,
                f"no {name}",
                "the folder of a finished run",
                "Finish it with the `rstan-lite train` command that began it.",
            )
    values = read_json(folder / DESCRIPTION, CheckpointError, "a model's description")
    try:
        values["classes"] = tuple(values["classes"])
        values["second_classes"] = tuple(values.get("second_classes", ()))
        values["scales"] = {k: (float(a), float(b)) for k, (a, b) in values["scales"].items()}
        values["networks"] = {k: (str(a), str(b)) for k, (a, b) in values["networks"].items()}
        description = Description(**values)
        _check(description)
        streams: Sequence[str] = description.model["streams"]
        config = RSTANConfig(**{**description.model, "streams": tuple(streams)})
        with torch.device("meta"):  # sizes alone: whatever they are, they take no memory
            model = RSTAN(config)
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, ConfigError) as error:
        found = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise CheckpointError(folder / DESCRIPTION, found, "a model's description") from error
    load_weights(model, read_state(folder / WEIGHTS), str(folder / WEIGHTS), "this run's model")
    return model.eval(), description


def _check(description: Description) -> None:
    """Raise ValueError where the parts of a description do not fit each other."""
    heads = description.model["heads"]
    for head, classes in (
        (description.head, description.classes),
        (description.second_head, description.second_classes),
    ):
        named = all(isinstance(name, str) for name in classes)
        if not named or len(set(classes)) < len(classes):
            raise ValueError("classes that are no different names")
        if (head or classes) and heads.get(head) != len(classes):
            raise ValueError(f"{len(classes)} classes of {head!r}, and heads {heads}")
    if not all(0 < x < float("inf") for pair in description.scales.values() for x in pair):
        raise ValueError(f"scales {description.scales}")
