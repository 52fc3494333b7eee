"""Running sums over an epoch's mini-batches: what its row of the log is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class EpochSums:
    """Of the mini-batches of an epoch so far; main, clips and right have one entry a task.

    batches: how many there were. main, actor: their losses (Eq. 17, 18). clips, right: how many
    clips, and how many of them were named rightly. norm: of the gradients; clipped: how many were.
    """

    batches: int = 0
    main: list[float] = field(default_factory=lambda: [0.0, 0.0])
    clips: list[int] = field(default_factory=lambda: [0, 0])
    right: list[int] = field(default_factory=lambda: [0, 0])
    actor: float = 0.0
    norm: float = 0.0
    clipped: float = 0.0

    def add(
        self, losses: list[dict[str, Tensor]], clips: list[int], norm: float, limit: float
    ) -> None:
        """Add a mini-batch of each task: what `train_step` returned, and how many clips it had.

        limit: the largest norm of the gradient, 0 for none.
        """
        self.batches += 1
        for task, (loss, count) in enumerate(zip(losses, clips, strict=True)):
            self.main[task] += float(loss["main"])
            self.clips[task] += count
            self.right[task] += int(loss["right"])
        self.actor += float(losses[0]["actor"])
        self.norm += norm
        self.clipped += float(0 < limit < norm)
