"""What a training run says about itself: one row an epoch, to CSV and TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import MOST, check_regular


@dataclass(frozen=True)
class EpochLog:
    """Means over one epoch's mini-batches, and the validation after it.

    iteration: mini-batches so far. main_loss, aa_loss: Eq. 17 (summed over the T steps) and
    Eq. 18, a video. gradient_norm: before clipping; clipped: share of mini-batches that were.
    Accuracies are shares in [0, 1]; those of validation are None without a validation part, and
    attention_share (see metrics.attention_on_silhouette) is None without attention or silhouette.
    main_loss to train_accuracy but the gradient are the first data set's; second_loss (Eq. 17,
    before its weight) and second_accuracy those of a second one on its training clips, or None.
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


def write_csv(path: Path, rows: Sequence[EpochLog]) -> None:
    """All epochs so far, replacing the file; an absent value is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [spec.name for spec in fields(EpochLog)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    write_atomically(path, text.getvalue().encode())


def read_csv(path: Path) -> list[EpochLog]:
    """The epochs of a run's log.csv; CheckpointError where it is not one."""
    whole = {"epoch", "iteration"}
    check_regular(path, CheckpointError, "the log.csv of a run", most=MOST)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                EpochLog(**{k: _number(v, int if k in whole else float) for k, v in row.items()})
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise CheckpointError(path, str(error), "the log.csv of a run") from error


def _number(text: str, kind: type) -> Any:
    return kind(text) if text else None


class TensorBoard:
    """The same rows as TensorBoard events; `available` is False where it is not installed."""

    def __init__(self, folder: Path, first_epoch: int):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.available = False
            return
        self.available = True
        # Events after the checkpoint that a run resumes from are overwritten.
        self._writer = SummaryWriter(str(folder), purge_step=first_epoch)

    def add(self, row: EpochLog) -> None:
        """Write one epoch to the disk: what is in a checkpoint must be here, too."""
        if not self.available:
            return
        for name, value in asdict(row).items():
            if name != "epoch" and value is not None:
                self._writer.add_scalar(name, value, row.epoch)
        self._writer.flush()

    def close(self) -> None:
        """Flush and close the file."""
        if self.available:
            self._writer.close()
