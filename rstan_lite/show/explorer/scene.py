"""What the explorer shows: one clip's arrays, and what one or several checkpoints make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import Geometry
from rstan_lite.show.frames import common_peak

FUSED = "fused"


@dataclass(frozen=True, eq=False)
class Look:
    """What one checkpoint makes of a clip: its attention and its answers at each of T steps.

    alpha, beta: stream, or "fused", -> (T, N, P) and (T, N) of Eq. 3 and 14, and 6 and 15; empty
    for a model without attention. frames: (T, N), the sampled frame in each of a step's N slots;
    valid: (T, N), False in slots past the end. scores: (T, C), the softmax of Eq. 16.
    """

    name: str
    alpha: Mapping[str, NDArray]
    beta: Mapping[str, NDArray]
    frames: NDArray
    valid: NDArray
    scores: NDArray

    def __post_init__(self) -> None:
        shape = (len(self.scores), *self.frames.shape[1:])
        fits = self.frames.shape == self.valid.shape == shape
        fits = fits and all(alpha.shape[:2] == shape for alpha in self.alpha.values())
        fits = fits and all(beta.shape == shape for beta in self.beta.values())
        if not fits or self.alpha.keys() != self.beta.keys():
            raise ValueError(f"{self.name}: alpha, beta, frames and scores of other steps or slots")

    @property
    def rows(self) -> tuple[str, ...]:
        """The streams, and "fused" where there is one map of both."""
        return tuple(self.alpha)

    @property
    def main(self) -> str:
        """The map that the model goes by: the fused one, or the first stream's; "" for none."""
        return FUSED if FUSED in self.alpha else next(iter(self.alpha), "")

    def slot(self, step: int, frame: int) -> int | None:
        """The slot in which step t looks at a sampled frame, both from 0; None where it doesn't."""
        return self._slots.get((step, frame))

    @cached_property
    def _slots(self) -> dict[tuple[int, int], int]:
        """The first slot of each step and frame that has one."""
        slots = zip(*np.nonzero(self.valid), strict=True)
        return {(int(t), int(self.frames[t, n])): int(n) for t, n in reversed([*slots])}

    def map(self, row: str, step: int, frame: int) -> NDArray | None:
        """The map (P,) of a step over a sampled frame; None where it doesn't look at it."""
        slot = self.slot(step, frame)
        return None if slot is None or row not in self.alpha else self.alpha[row][step, slot]

    def weight(self, row: str, step: int, frame: int) -> float | None:
        """The weight beta of a sampled frame at a step; None where it doesn't look at it."""
        slot = self.slot(step, frame)
        return None if slot is None or row not in self.beta else float(self.beta[row][step, slot])


@dataclass(frozen=True, eq=False)
class Scene:
    """A clip's T sampled frames, and what checkpoints make of them.

    title: what is said of the clip. action: its true name, "" where that is not known.
    film: (T, H, W, 3) uint8. flow: (T, h, w, 2), from each sampled frame to the next one of the
    video, pixels a frame. masks: (T, H, W), None without silhouettes. numbers: (T,), the frames'
    places among the n_frames of the video. crop: what the networks see. classes: names of scores.
    """

    title: str
    action: str
    film: NDArray[np.uint8]
    flow: NDArray
    masks: NDArray | None
    numbers: NDArray
    n_frames: int
    crop: Geometry
    classes: tuple[str, ...]
    looks: tuple[Look, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.film), len(self.flow), len(self.numbers)}
        lengths |= {len(look.scores) for look in self.looks}
        if self.masks is not None:
            lengths.add(len(self.masks))
        if len(lengths) > 1 or not self.looks:
            raise ValueError(f"{self.title}: arrays of {sorted(lengths)} steps, or no checkpoint")
        if any(look.scores.shape[1] != len(self.classes) for look in self.looks):
            raise ValueError(f"{self.title}: scores of another number than {len(self.classes)}")

    @property
    def steps(self) -> int:
        """T."""
        return len(self.film)

    @cached_property
    def peak(self) -> float:
        """The weight of a place that all maps of all checkpoints draw at full strength."""
        maps = [m for look in self.looks for a in look.alpha.values() for m in a[look.valid]]
        return common_peak(maps) if maps else 1.0

    @cached_property
    def most(self) -> float:
        """The largest weight of a frame, at any step of any checkpoint."""
        every = [float(b.max()) for look in self.looks for b in look.beta.values()]
        return max(every, default=1.0)

    @cached_property
    def speed(self) -> float:
        """The flow drawn in full colour, pixels a frame."""
        return max(1.0, float(np.percentile(np.hypot(self.flow[..., 0], self.flow[..., 1]), 99)))

    @cached_property
    def person(self) -> NDArray | None:
        """(T, P) bool: the places of the silhouettes (Eq. 18); None without silhouettes or maps."""
        sides = {a.shape[-1] for look in self.looks for a in look.alpha.values()}
        if self.masks is None or not sides:
            return None
        seen = np.stack([self.crop.mask(mask) for mask in self.masks])
        return target(seen, round(float(np.sqrt(sides.pop())))) > 0

    def share(self, look: Look, step: int) -> float | None:
        """The share of a step's map over its own frame that lies on the person; None if unknown."""
        alpha = look.map(look.main, step, step)
        if alpha is None or self.person is None or not self.person[step].any():
            return None
        return float(alpha[self.person[step]].sum() / alpha.sum())
