"""The training loop, in plain sight (Section IV-B); `step.py` is what a mini-batch does."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rstan_lite.model.rstan import RSTAN
from rstan_lite.system.devices import make_fabric
from rstan_lite.system.errors import DataError
from rstan_lite.system.ranks import ALONE, Ranks
from rstan_lite.training.batches import (
    Batch,
    ClipFeatures,
    endless_rows,
    epoch_rows,
    training_batch,
)
from rstan_lite.training.checkpoint import Progress
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.evaluate import evaluate
from rstan_lite.training.logs import EpochLog
from rstan_lite.training.saving import Saver
from rstan_lite.training.step import Objective, Task, train_step

SECOND_SEED = 500_009  # apart from the first data set's, so that both draw frames of their own


def learning_rate(config: TrainConfig, iteration: int) -> float:
    """The paper's two steps: lr, and a tenth of it from the milestone on."""
    return config.lr if iteration < config.milestone else config.lr / 10


@dataclass
class Fit:
    """A training's outcome; the model holds the best epoch's weights once `finished`."""

    log: list[EpochLog]
    best_epoch: int
    seconds: float
    finished: bool


def fit(
    model: RSTAN,
    train: ClipFeatures,
    validation: ClipFeatures,
    config: TrainConfig,
    *,
    second: Task | None = None,
    resume: Path | None = None,
    run: str = "",
    on_epoch: Callable[[EpochLog], None] | None = None,
    on_save: Callable[[list[EpochLog]], None] | None = None,
    progress: bool = True,
    stop_after: int | None = None,
    ranks: Ranks = ALONE,
) -> Fit:
    """Train a model and leave the weights of its best epoch on validation in it.

    second: another data set, trained along; an epoch is one of the first. It is not validated.
    resume: file to save the run in (see `saving.Saver`), and to go on from where it exists; run:
    text that identifies the run there. on_save: called with all epochs' logs after a save.
    on_epoch: called with each epoch's log, live.
    stop_after: stop, saved, at the end of that epoch.
    ranks: the processes that share the training; the first one saves, and calls on_epoch, on_save.
    Ctrl-C, SIGTERM and what `on_epoch` raises leave the run saved as far as it is.
    Raises DataError for no clips or features that are not finite, DeviceError, CheckpointError,
    Interrupted.
    """
    if len(train) == 0:
        raise DataError("training part", "no clips", "at least one")
    fabric = make_fabric(config.device, config.precision, ranks)
    optimizer = torch.optim.SGD(
        model.parameters(), config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    objective, stepper = fabric.setup(Objective(model, config.aa_kind), optimizer)
    torch.manual_seed(config.seed)  # dropout; a resumed run's state replaces it
    with ranks.leader_first("saved state"):
        saver = Saver(resume, run, model, optimizer, config, on_save, writes=ranks.leads)
    state = saver.progress
    ranks.check_same("clips and saved state", f"run {run[:12]}, mini-batch {state.iteration}")
    tasks = [Task(train, config.dataset, config.batch_size, lambda_aa=config.lambda_aa)]
    if second is not None:
        if len(second.features) == 0:
            raise DataError("training part of the second data set", "no clips", "at least one")
        tasks.append(second)
    shown = {"total": config.iterations, "initial": state.iteration, "disable": not progress}
    with saver, tqdm(unit="it", desc="train", **shown) as bar:
        while (state.iteration < config.iterations or state.sums.batches) and (
            state.epoch != stop_after
        ):
            model.train()
            mini_batches = epoch_rows(len(train), config.batch_size, config.seed, state.epoch)
            for rows in mini_batches[state.sums.batches :]:
                if state.iteration == config.iterations:
                    break
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(config, state.iteration)
                mixture = _draw(tasks, rows, config, state.iteration, fabric.device, ranks)
                ranks.seed(config.seed, state.iteration)
                losses, norm = train_step(
                    fabric, objective, stepper, mixture, config.clip_norm, ranks
                )
                if not math.isfinite(norm):
                    raise _not_finite(mixture, losses)
                state.iteration += 1
                clips = [len(batch.whole) for _, batch in mixture]
                state.sums.add(losses, clips, norm, config.clip_norm)
                bar.update()
                saver.point()

            with saver.saved_if_left():  # a validation that is cut off is done again
                row = _row(state, model, validation, config, ranks)
            state.end_epoch(row, model.state_dict())
            bar.set_postfix_str(_brief(row))
            with saver.saved_if_left(by=BaseException):
                if on_epoch and ranks.leads:
                    on_epoch(row)
            saver.end_epoch(state.iteration >= config.iterations or state.epoch == stop_after)

    finished = state.iteration >= config.iterations
    if finished:
        model.load_state_dict(state.best_weights)
    return Fit(state.log, state.best_epoch, state.seconds, finished)


def _draw(
    tasks: Sequence[Task],
    rows: Tensor,
    config: TrainConfig,
    iteration: int,
    device: torch.device,
    ranks: Ranks,
) -> list[tuple[Task, Batch]]:
    """A mini-batch of each task: the given clips of the first, the next ones of the second."""
    mixture: list[tuple[Task, Batch]] = []
    for task in tasks:
        seed = config.seed + SECOND_SEED * len(mixture)
        if mixture:
            rows = endless_rows(len(task.features), task.batch_size, seed, iteration)
        batch = training_batch(task.features, rows, config.frames, seed, iteration, device, ranks)
        mixture.append((task, batch))
    return mixture


def _row(
    state: Progress, model: RSTAN, validation: ClipFeatures, config: TrainConfig, ranks: Ranks
) -> EpochLog:
    """Validate, and put the epoch into one row."""
    sums, head, precision = state.sums, config.dataset, config.precision
    held_out = evaluate(
        model, validation, head, config.test_frames, precision=precision, ranks=ranks
    )
    return EpochLog(
        epoch=state.epoch + 1,
        iteration=state.iteration,
        lr=learning_rate(config, state.iteration - 1),
        main_loss=sums.main[0] / sums.batches,
        aa_loss=sums.actor / sums.batches,
        gradient_norm=sums.norm / sums.batches,
        clipped=sums.clipped / sums.batches,
        train_accuracy=sums.right[0] / sums.clips[0],
        validation_loss=held_out.loss,
        validation_accuracy=held_out.accuracy,
        attention_share=held_out.attention_share,
        second_loss=sums.main[1] / sums.batches if sums.clips[1] else None,
        second_accuracy=sums.right[1] / sums.clips[1] if sums.clips[1] else None,
    )


def _brief(row: EpochLog) -> str:
    text = f"epoch {row.epoch} loss {row.main_loss:.2f} train {row.train_accuracy:.0%}"
    if row.validation_accuracy is not None:
        text += f" validation {row.validation_accuracy:.0%}"
    return text


def _not_finite(
    mixture: Sequence[tuple[Task, Batch]], losses: Sequence[dict[str, Tensor]]
) -> DataError:
    """The complaint about a gradient that is not finite: the features' fault, or the rate's."""
    bad = [
        f"{task.features.names[row]} ({stream})"
        for task, batch in mixture
        for row in batch.whole.tolist()
        for stream in task.features.streams
        for array in (task.features.cubes[stream], task.features.vectors[stream])
        if not all(bool(torch.isfinite(torch.as_tensor(view)).all()) for view in array[row])
    ]
    shown = ", ".join(f"{float(loss['total'])}" for loss in losses)
    return DataError(
        "training",
        f"values that are not finite in the features of {bad[0]}" if bad else f"a loss of {shown}",
        "finite features and gradients",
        "Extract this clip's features again." if bad else "Lower --lr or --clip-norm.",
    )
