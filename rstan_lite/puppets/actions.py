"""The list of actions: which function performs each, and how it is best filmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from . import gaits, gestures, sports
from .skeleton import FPS, Clock, Performance, Pose

_ALL = ("room", "hall", "park", "street")
_OUT = ("park", "street", "hall")
_LAWN = ("park", "park", "hall")
_INSIDE = ("room", "room", "hall", "park")
_COURT = ("hall", "hall", "park", "street")
_RANGE = ("park", "hall", "park")
_AROUND = (-0.6, 0.6, 1.25)


@dataclass(frozen=True)
class Action:
    """An action and its staging.

    perform: moves an idle pose, by the clock and the clip's generator. yaw: range in degrees, 0
    side view, 90 facing the camera. height: range of the person's share of the frame's height.
    seconds: how long it takes. scenes: where it is seen. room: (left, right, up) for its props, in
    heights from the person's ground point. repeats: may fill the clip. hair: the actor's is long.
    """

    perform: Callable[[Pose, Clock, Generator], Performance]
    yaw: tuple[float, float]
    height: tuple[float, float]
    seconds: tuple[float, float]
    scenes: tuple[str, ...] = _ALL
    room: tuple[float, float, float] = (-0.2, 0.2, 1.0)
    repeats: bool = False
    hair: bool = False

    def play(self, n_frames: int, rng: Generator) -> Performance:
        """The action somewhere in a clip, idle before and after where there is room."""
        length = min(rng.uniform(*self.seconds) * FPS, n_frames * 0.92)
        if self.repeats:
            length = n_frames * rng.uniform(0.65, 1.05)
        onset = max(n_frames - length, 0.0) * rng.uniform(0.1, 0.75)
        clock = Clock.over(n_frames, onset, onset + length)
        return self.perform(Pose.idle(n_frames), clock, rng)


ACTIONS: dict[str, Action] = {
    action.perform.__name__: action
    for action in (
        Action(gestures.brush_hair, (15, 85), (0.62, 0.92), (0.6, 1.0), repeats=True, hair=True),
        Action(sports.catch, (0, 50), (0.42, 0.72), (0.75, 1.05), _OUT, (-0.3, 0.9, 1.1)),
        Action(gestures.clap, (25, 88), (0.6, 0.92), (0.6, 1.0), repeats=True),
        Action(gaits.climb_stairs, (-25, 30), (0.38, 0.62), (0.8, 1.2), repeats=True),
        Action(sports.golf, (60, 105), (0.5, 0.78), (0.85, 1.2), _LAWN, (-0.5, 0.5, 1.15)),
        Action(gaits.jump, (-20, 65), (0.4, 0.66), (0.75, 1.0)),
        Action(sports.kick_ball, (-15, 50), (0.42, 0.72), (0.7, 0.95), _OUT, (-0.6, 0.9, 1.0)),
        Action(gestures.pick, (-10, 60), (0.45, 0.8), (0.8, 1.15)),
        Action(gestures.pour, (-5, 50), (0.68, 0.92), (0.85, 1.2), _INSIDE, (-0.2, 0.7, 1.0)),
        Action(gaits.pullup, (40, 120), (0.4, 0.66), (0.7, 1.1), _ALL, (-0.5, 0.5, 1.32), True),
        Action(gaits.push, (-20, 35), (0.42, 0.68), (0.7, 1.1), _ALL, (-0.2, 0.9, 1.0), True),
        Action(gaits.run, (-35, 40), (0.38, 0.68), (0.7, 1.1), _OUT, repeats=True),
        Action(sports.shoot_ball, (-5, 35), (0.36, 0.5), (0.8, 1.1), _COURT, (-0.3, 1.6, 1.85)),
        Action(sports.shoot_bow, (65, 115), (0.5, 0.8), (0.8, 1.2), _RANGE, (-0.3, 0.7, 1.1)),
        Action(gestures.sit, (0, 55), (0.5, 0.82), (0.65, 0.95), _INSIDE),
        Action(gestures.stand, (0, 55), (0.5, 0.82), (0.65, 0.95), _INSIDE),
        Action(sports.swing_baseball, (60, 115), (0.48, 0.75), (0.75, 1.05), _LAWN, _AROUND),
        Action(sports.throw, (-5, 50), (0.45, 0.75), (0.75, 1.0), _OUT, (-0.4, 0.7, 1.15)),
        Action(gaits.walk, (-40, 45), (0.4, 0.75), (0.7, 1.2), repeats=True),
        Action(gestures.wave, (30, 90), (0.6, 0.88), (0.6, 1.0), _ALL, (-0.3, 0.3, 1.15), True),
    )
}

CLASSES: tuple[str, ...] = tuple(ACTIONS)
