"""Clocks, easing and keyframes: what every action is written with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import PchipInterpolator

from .parts import Part
from .skeleton import Array, Pose, Skeleton, solve

FPS = 30


@dataclass(frozen=True)
class Clock:
    """When the action happens within a clip of F frames.

    seconds: (F,) since the onset, negative before it. progress: (F,) 0 before the onset, 1 after
    the end. weight: (F,) 1 while the action is on, 0 in the idle parts, eased between.
    """

    seconds: Array
    progress: Array
    weight: Array

    @classmethod
    def over(cls, n_frames: int, onset: float, end: float) -> Clock:
        """Let the action run from frame `onset` to frame `end` (fractions of a frame allowed)."""
        frame = np.arange(n_frames, dtype=np.float64)
        progress = np.clip((frame - onset) / (end - onset), 0.0, 1.0)
        weight = ease((frame - onset + 1.0) / 5.0) * ease((end - frame + 1.0) / 5.0)
        return cls((frame - onset) / FPS, progress, weight)

    def __len__(self) -> int:
        return len(self.seconds)


@dataclass
class Performance:
    """What an action function returns: the pose over time and the props it is done with."""

    pose: Pose
    props: list[Part] = field(default_factory=list)
    skeleton: Skeleton = field(init=False)

    def __post_init__(self) -> None:
        self.skeleton = solve(self.pose)


def ease(x: Array) -> Array:
    """Rise smoothly from 0 to 1 while x goes from 0 to 1."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def keys(at: Array, *frames: tuple[float, object]) -> Array:
    """Interpolate keyframes (position, value) at `at`, without overshoot; scalars or vectors.

    The movement starts and ends at rest.
    """
    first, last = frames[0], frames[-1]
    rests = [(first[0] - 0.1, first[1]), *frames, (last[0] + 0.1, last[1])]
    positions = np.array([k[0] for k in rests])
    values = np.array([k[1] for k in rests], dtype=np.float64)
    return PchipInterpolator(positions, values, axis=0)(np.clip(at, first[0], last[0]))


def blend(start: Array, end: Array, weight: Array) -> Array:
    """Go from `start` to `end` by a weight (F,); both broadcast to (F, ...)."""
    shape = (len(weight),) + (1,) * (max(start.ndim, end.ndim) - 1)
    w = weight.reshape(shape)
    return start * (1.0 - w) + end * w


def flight(
    clock: Clock, release: float, held: Array, target: Sequence[float], seconds: float, drop: float
) -> Array:
    """Path (F, 3) of a thing that is held until progress `release`, then flies.

    It passes `target` after `seconds`, on an arc that bulges upwards by `drop`.
    """
    free = clock.progress >= release
    if not free.any():
        return held
    first = int(np.argmax(free))
    start = held[max(first - 1, 0)]
    since = (np.arange(len(clock)) - first + 1) / FPS / seconds
    path = start + (np.asarray(target) - start) * since[:, None]
    path[:, 1] += 4.0 * drop * since * (1.0 - since)
    path[:, 1] = np.maximum(path[:, 1], 0.04)
    return np.where(free[:, None], path, held)
