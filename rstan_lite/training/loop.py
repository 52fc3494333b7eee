"""The training loop, in plain sight (Section IV-B), and what a mini-batch does (Eq. 17-19)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.model import RSTAN, last_step
from rstan_lite.model.losses import actor_attention_loss, main_loss, multi_task_loss, total_loss
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import DataError
from rstan_lite.system.tables import progress_bar
from rstan_lite.training.batches import Batch, endless_rows, epoch_rows, training_batch
from rstan_lite.training.checkpoint import EpochLog, Progress, Saver
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.evaluation import evaluate

SECOND_SEED = 500_009  # apart from the first data set's, so that both draw frames of their own


def learning_rate(config: TrainConfig, iteration: int) -> float:
    """The paper's two steps: lr, and a tenth of it from the milestone on."""
    return config.lr if iteration < config.milestone else config.lr / 10


@dataclass(frozen=True)
class Task:
    """A data set that is trained on; several of them make multi-task training.

    head: its classifier in the model. batch_size: its videos in a mini-batch. weight: of its loss
    (the paper: UCF101 0.1, JHMDB 1). lambda_aa, aa_kind: of Eq. 18-19; 0 without silhouettes.
    """

    features: ClipFeatures
    head: str
    batch_size: int
    weight: float = 1.0
    lambda_aa: float = 0.0
    aa_kind: str = "l2"


def losses_of(model: RSTAN, task: Task, batch: Batch) -> dict[str, Tensor]:
    """Losses of a mini-batch (mean over videos), and the number of clips named rightly."""
    output = model(batch.cubes, batch.vectors, head=task.head)
    main = main_loss(output, batch.labels)  # Eq. 17
    actor = torch.zeros_like(main)
    if output.alpha_diagonal is not None and task.lambda_aa > 0:
        actor = actor_attention_loss(output.alpha_diagonal, batch.target, kind=task.aa_kind)
    total = total_loss(main, actor, task.lambda_aa)  # Eq. 19
    right = (last_step(output.logits).argmax(1) == batch.labels).sum()
    return {"total": total, "main": main, "actor": actor, "right": right}


def train_step(
    model: RSTAN, optimizer: Optimizer, mixture: Sequence[tuple[Task, Batch]], limit: float = 0.0,
    precision: str = "32",
) -> tuple[list[dict[str, float]], float]:  # fmt: skip
    """One mini-batch of each task: losses, gradient, clipping, step.

    limit: largest global norm of the gradient, 0 for no clipping. precision: "32" or "bf16".
    Returns `losses_of` each task, and the norm before clipping. Where that is not finite, the
    weights stay as they were.
    """
    device = next(model.parameters()).device.type
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
        losses = [losses_of(model, task, batch) for task, batch in mixture]
    totals = {task.head: loss["total"] for (task, _), loss in zip(mixture, losses, strict=True)}
    total = multi_task_loss(totals, {task.head: task.weight for task, _ in mixture})
    optimizer.zero_grad()
    total.backward()
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), limit or math.inf))
    if math.isfinite(norm):
        optimizer.step()
    return [{name: value.item() for name, value in loss.items()} for loss in losses], norm


def fit(
    model: RSTAN, train: ClipFeatures, validation: ClipFeatures, config: TrainConfig, *,
    second: Task | None = None, resume: Path | None = None, run: str = "",
    on_epoch: Callable[[EpochLog], None] | None = None,
    on_save: Callable[[list[EpochLog]], None] | None = None,
    progress: bool = True, stop_after: int | None = None,
) -> Progress:  # fmt: skip
    """Train a model and leave the weights of its best epoch on validation in it.

    second: another data set, trained along; an epoch is one of the first. It is not validated.
    resume, run, on_save: see `Saver`. on_epoch: called with each epoch's log, live.
    stop_after: stop, saved, at the end of that epoch; the weights are then the last ones.
    Raises DataError for no clips or features that are not finite, DeviceError, CheckpointError,
    Interrupted; Ctrl-C, SIGTERM and what `on_epoch` raises leave the run saved as far as it is.
    """
    lambda_aa = config.lambda_aa if config.aa_kind != "none" else 0.0
    own = Task(train, config.head, config.batch_size, 1.0, lambda_aa, config.aa_kind)
    tasks = [own] if second is None else [own, second]
    for task in tasks:
        if len(task.features) == 0:
            raise DataError(f"training part of {task.head}", "no clips", "at least one")
    device = choose_device(config.device)
    model.to(device)
    optimizer = torch.optim.SGD(
        model.parameters(), config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    torch.manual_seed(config.seed)  # dropout; a resumed run's state replaces it
    saver = Saver(resume, run, model, optimizer, config.save_every, config.save_seconds, on_save)
    state = saver.progress
    begun = state.iteration
    bar = progress_bar(total=config.iterations, initial=begun, desc="train", shown=progress)
    with saver, bar:
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
                mixture = _draw(tasks, rows, config, state.iteration, device)
                limit = config.clip_norm
                losses, norm = train_step(model, optimizer, mixture, limit, config.precision)
                if not math.isfinite(norm):
                    raise _not_finite(mixture, losses)
                state.iteration += 1
                state.sums.add(losses, [len(batch.rows) for _, batch in mixture], norm, limit)
                bar.update()
                saver.point()

            with saver.saved_if_left():  # a validation that is cut off is done again
                row = _row(state, model, validation, config)
            state.end_epoch(row, model.state_dict())
            found, text = row.validation_accuracy, f"epoch {row.epoch} loss {row.main_loss:.2f} "
            text += f"train {row.train_accuracy:.0%}"
            bar.set_postfix_str(text + ("" if found is None else f" validation {found:.0%}"))
            with saver.saved_if_left(by=BaseException):
                if on_epoch:
                    on_epoch(row)
            saver.end_epoch(state.iteration >= config.iterations or state.epoch == stop_after)

    if state.iteration >= config.iterations:
        model.load_state_dict(state.best_weights)
    return state


def _draw(
    tasks: Sequence[Task], rows: Tensor, config: TrainConfig, iteration: int, device: torch.device
) -> list[tuple[Task, Batch]]:
    """A mini-batch of each task: the given clips of the first, the next ones of the second."""
    mixture: list[tuple[Task, Batch]] = []
    for i, task in enumerate(tasks):
        seed, clips = config.seed + SECOND_SEED * i, task.features
        rows = endless_rows(len(clips), task.batch_size, seed, iteration) if i else rows
        batch = training_batch(clips, rows, config.frames, seed, iteration, device)
        mixture.append((task, batch))
    return mixture


def _row(state: Progress, model: RSTAN, validation: ClipFeatures, config: TrainConfig) -> EpochLog:
    """Validate, and put the epoch into one row."""
    sums, frames = state.sums, config.test_frames
    held_out = evaluate(model, validation, config.head, frames, precision=config.precision)
    n, rate = sums.batches, learning_rate(config, state.iteration - 1)
    return EpochLog(
        epoch=state.epoch + 1, iteration=state.iteration, lr=rate, main_loss=sums.main[0] / n,
        aa_loss=sums.actor / n, gradient_norm=sums.norm / n, clipped=sums.clipped / n,
        train_accuracy=sums.right[0] / sums.clips[0], validation_loss=held_out.loss,
        validation_accuracy=held_out.accuracy, attention_share=held_out.attention_share,
        second_loss=sums.main[1] / n if sums.clips[1] else None,
        second_accuracy=sums.right[1] / sums.clips[1] if sums.clips[1] else None,
    )  # fmt: skip


def _not_finite(
    mixture: Sequence[tuple[Task, Batch]], losses: Sequence[dict[str, float]]
) -> DataError:
    """Why a gradient is not finite: by the features, or by the rate."""
    expected = "finite features and gradients"
    for task, batch in mixture:
        for stream, values in [*batch.cubes.items(), *batch.vectors.items()]:
            for row in batch.rows[~values.flatten(1).isfinite().all(1).cpu()].tolist():
                found = f"values that are not finite in the features of {task.features.names[row]} "
                hint = "Extract this clip's features again."
                return DataError("training", f"{found}({stream})", expected, hint)
    found = f"a loss of {', '.join(str(loss['total']) for loss in losses)}"
    return DataError("training", found, expected, "Lower --lr or --clip-norm.")
