"""The list of actions: which function performs each, and how it is best filmed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from numpy.random import Generator

from . import gaits, gestures, sports
from .painting import table
from .skeleton import FPS, Clock, Performance, Pose


@dataclass(frozen=True)
class Action:
    """An action: what moves an idle pose, by the clock and the clip's generator, and its staging.

    yaw, height, seconds, scenes, room, repeats, hair: see `actions.toml`.
    """

    perform: Callable[[Pose, Clock, Generator], Performance]
    yaw: tuple[float, float]
    height: tuple[float, float]
    seconds: tuple[float, float]
    scenes: tuple[str, ...] = ("room", "hall", "park", "street")
    room: tuple[float, float, float] = (-0.2, 0.2, 1.0)
    repeats: bool = False
    hair: bool = False

    @classmethod
    def of(cls, name: str) -> Self:
        """The action of a name, performed by the function of that name."""
        (perform,) = (vars(room)[name] for room in (gaits, gestures, sports) if name in vars(room))
        staging = {**table("actions")[name]}
        staging.pop("keyframes", None)
        return cls(perform, **staging)

    def play(self, n_frames: int, rng: Generator) -> Performance:
        """The action somewhere in a clip, idle before and after where there is room."""
        length = min(rng.uniform(*self.seconds) * FPS, n_frames * 0.92)
        if self.repeats:
            length = n_frames * rng.uniform(0.65, 1.05)
        onset = max(n_frames - length, 0.0) * rng.uniform(0.1, 0.75)
        clock = Clock.over(n_frames, onset, onset + length)
        return self.perform(Pose.idle(n_frames), clock, rng)


ACTIONS = {name: Action.of(name) for name in table("actions")}
CLASSES: tuple[str, ...] = tuple(ACTIONS)
