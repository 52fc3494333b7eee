"""The training loop, in plain sight (Section IV-B), and what a mini-batch does (Eq. 17-19)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.model import RSTAN, last_step
from rstan_lite.model.losses import actor_attention_loss, main_loss, multi_task_loss, total_loss
from rstan_lite.system.devices import make_fabric
from rstan_lite.system.errors import DataError
from rstan_lite.system.ranks import ALONE, Ranks
from rstan_lite.system.tables import progress_bar
from rstan_lite.training.batches import Batch, endless_rows, epoch_rows, training_batch
from rstan_lite.training.checkpoint import EpochLog, Progress, Saver
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.evaluation import evaluate

MEANS = ("total", "main", "actor")  # losses that are means over a mini-batch's videos
SECOND_SEED = 500_009  # apart from the first data set's, so that both draw frames of their own


def learning_rate(config: TrainConfig, iteration: int) -> float:
    """The paper's two steps: lr, and a tenth of it from the milestone on."""
    return config.lr if iteration < config.milestone else config.lr / 10


@dataclass(frozen=True)
class Task:
    """A data set that is trained on; several of them make multi-task training.

    head: its classifier in the model. batch_size: its videos in a mini-batch. weight: of its loss
    in the sum; the paper gives UCF101 0.1 beside JHMDB's 1. lambda_aa: 0 without silhouettes.
    """

    features: ClipFeatures
    head: str
    batch_size: int
    weight: float = 1.0
    lambda_aa: float = 0.0


class Objective(nn.Module):
    """The model with its loss in one module, which Fabric prepares for any device."""

    def __init__(self, model: RSTAN, aa_kind: str):
        super().__init__()
        self.model, self.aa_kind = model, aa_kind

    def forward(self, batch: Batch, head: str, lambda_aa: float) -> dict[str, Tensor]:
        """Losses of a mini-batch (mean over videos) and the last step's logits (B, C)."""
        output = self.model(batch.cubes, batch.vectors, head=head)
        main = main_loss(output, batch.labels)  # Eq. 17
        actor = torch.zeros_like(main)
        if output.alpha_diagonal is not None and self.aa_kind != "none" and lambda_aa > 0:
            actor = actor_attention_loss(output.alpha_diagonal, batch.target, kind=self.aa_kind)
        total = total_loss(main, actor, lambda_aa)  # Eq. 19
        return {"total": total, "main": main, "actor": actor, "logits": last_step(output.logits)}


def train_step(
    fabric: Any, objective: Any, optimizer: Any, mixture: Sequence[tuple[Task, Batch]],
    limit: float, ranks: Ranks = ALONE,
) -> tuple[list[dict[str, float]], float]:  # fmt: skip
    """One mini-batch of each task: losses, gradient, clipping, step.

    limit: largest global norm of the gradient, 0 for no clipping. ranks: who else has a part.
    Returns for each task the losses (total, main, actor) and the number of clips named rightly
    (right), of the whole mini-batch; and the norm before clipping. Where that is not finite, the
    weights stay as they were.
    """
    losses = [objective(batch, task.head, task.lambda_aa) for task, batch in mixture]
    shares = [ranks.share(len(batch.whole)) for _, batch in mixture]
    # Fabric takes the mean over processes: weighted by shares, their means add up to that over all.
    totals, weights = dict[str, Tensor](), dict[str, float]()
    for (task, _), loss, share in zip(mixture, losses, shares, strict=True):
        totals[task.head], weights[task.head] = loss["total"], task.weight * share * ranks.size
    total = multi_task_loss(totals, weights)
    optimizer.zero_grad()
    fabric.backward(total)
    bounds: dict[str, Any] = {"max_norm": limit or math.inf, "error_if_nonfinite": False}
    norm = float(fabric.clip_gradients(objective, optimizer, **bounds))
    if math.isfinite(norm):
        optimizer.step()
    rows = []
    for loss, (_, batch), share in zip(losses, mixture, shares, strict=True):
        means = torch.stack([loss[name].detach().double() for name in MEANS]) * share
        right = (loss["logits"].argmax(1) == batch.labels).sum() * (share > 0)
        rows.append(torch.cat([means, right[None]]))
    found = ranks.sum(torch.stack(rows)).tolist()  # (tasks, losses and right), of all processes
    return [dict(zip((*MEANS, "right"), row, strict=True)) for row in found], norm


def fit(
    model: RSTAN, train: ClipFeatures, validation: ClipFeatures, config: TrainConfig, *,
    second: Task | None = None, resume: Path | None = None, run: str = "",
    on_epoch: Callable[[EpochLog], None] | None = None,
    on_save: Callable[[list[EpochLog]], None] | None = None,
    progress: bool = True, stop_after: int | None = None, ranks: Ranks = ALONE,
) -> Progress:  # fmt: skip
    """Train a model and leave the weights of its best epoch on validation in it.

    second: another data set, trained along; an epoch is one of the first. It is not validated.
    resume, run, on_save: see `Saver`. on_epoch: called with each epoch's log, live.
    stop_after: stop, saved, at the end of that epoch; the weights are then the last ones.
    ranks: the processes that share the training; the first one saves, and calls on_epoch, on_save.
    Raises DataError for no clips or features that are not finite, DeviceError, CheckpointError,
    Interrupted; Ctrl-C, SIGTERM and what `on_epoch` raises leave the run saved as far as it is.
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
        saver = Saver(
            resume, run, model, optimizer, config.save_every, config.save_seconds, on_save,
            writes=ranks.leads,
        )  # fmt: skip
    state = saver.progress
    ranks.check_same("clips and saved state", f"run {run[:12]}, mini-batch {state.iteration}")
    tasks = [Task(train, config.head, config.batch_size, lambda_aa=config.lambda_aa)]
    if second is not None:
        if len(second.features) == 0:
            raise DataError("training part of the second data set", "no clips", "at least one")
        tasks.append(second)
    total, begun = config.iterations, state.iteration
    bar = progress_bar(total=total, initial=begun, unit="it", desc="train", shown=progress)
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
                mixture = _draw(tasks, rows, config, state.iteration, fabric.device, ranks)
                ranks.seed(config.seed, state.iteration)
                limit = config.clip_norm
                losses, norm = train_step(fabric, objective, stepper, mixture, limit, ranks)
                if not math.isfinite(norm):
                    raise _not_finite(mixture, losses)
                state.iteration += 1
                clips = [len(batch.whole) for _, batch in mixture]
                state.sums.add(losses, clips, norm, limit)
                bar.update()
                saver.point()

            with saver.saved_if_left():  # a validation that is cut off is done again
                row = _row(state, model, validation, config, ranks)
            state.end_epoch(row, model.state_dict())
            found, text = row.validation_accuracy, f"epoch {row.epoch} loss {row.main_loss:.2f} "
            text += f"train {row.train_accuracy:.0%}"
            bar.set_postfix_str(text + ("" if found is None else f" validation {found:.0%}"))
            with saver.saved_if_left(by=BaseException):
                if on_epoch and ranks.leads:
                    on_epoch(row)
            saver.end_epoch(state.iteration >= config.iterations or state.epoch == stop_after)

    if state.iteration >= config.iterations:
        model.load_state_dict(state.best_weights)
    return state


def _draw(
    tasks: Sequence[Task], rows: Tensor, config: TrainConfig, iteration: int, device: torch.device,
    ranks: Ranks,
) -> list[tuple[Task, Batch]]:  # fmt: skip
    """A mini-batch of each task: the given clips of the first, the next ones of the second."""
    mixture: list[tuple[Task, Batch]] = []
    for i, task in enumerate(tasks):
        seed, clips = config.seed + SECOND_SEED * i, task.features
        rows = endless_rows(len(clips), task.batch_size, seed, iteration) if i else rows
        batch = training_batch(clips, rows, config.frames, seed, iteration, device, ranks)
        mixture.append((task, batch))
    return mixture


def _row(
    state: Progress, model: RSTAN, validation: ClipFeatures, config: TrainConfig, ranks: Ranks
) -> EpochLog:
    """Validate, and put the epoch into one row."""
    sums = state.sums
    how: dict[str, Any] = {"precision": config.precision, "ranks": ranks}
    held_out = evaluate(model, validation, config.head, config.test_frames, **how)
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


def _not_finite(
    mixture: Sequence[tuple[Task, Batch]], losses: Sequence[dict[str, float]]
) -> DataError:
    """Why a gradient is not finite: by the features, or by the rate."""
    bad = [
        f"{task.features.names[row]} ({stream})"
        for task, batch in mixture
        for row in batch.whole.tolist()
        for stream in task.features.streams
        for array in (task.features.cubes[stream], task.features.vectors[stream])
        if not all(bool(torch.isfinite(torch.as_tensor(view)).all()) for view in array[row])
    ]
    found = f"a loss of {', '.join(str(loss['total']) for loss in losses)}"
    hint = "Lower --lr or --clip-norm."
    if bad:
        found = f"values that are not finite in the features of {bad[0]}"
        hint = "Extract this clip's features again."
    return DataError("training", found, "finite features and gradients", hint)
