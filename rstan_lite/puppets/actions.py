"""The list of actions: which function performs each, and how it is best filmed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from . import daily, gaits, sports, strikes
from .motion import FPS, Clock, Performance


@dataclass(frozen=True)
class Action:
    """An action and its staging.

    perform: makes the movement. yaw: range in degrees, 0 side view, 90 facing the camera.
    height: range of the person's height as a share of the frame's. seconds: how long it takes.
    repeats: a cyclic movement, which may fill the clip. scenes: where it is seen. room: how much
    of (left, right, up) its props need, in heights from the person's ground point.
    """

    perform: Callable[[Clock, Generator], Performance]
    yaw: tuple[float, float]
    height: tuple[float, float]
    seconds: tuple[float, float]
    repeats: bool = False
    scenes: tuple[str, ...] = ("room", "hall", "park", "street")
    room: tuple[float, float, float] = (-0.2, 0.2, 1.0)
    long_hair: bool = False

    def clock(self, n_frames: int, rng: Generator) -> Clock:
        """Put the action somewhere in a clip, idle before and after where there is room."""
        wanted = rng.uniform(*self.seconds) * FPS
        length = (
            min(wanted, n_frames * 0.92) if not self.repeats else n_frames * rng.uniform(0.65, 1.05)
        )
        spare = max(n_frames - length, 0.0)
        onset = spare * rng.uniform(0.1, 0.75)
        return Clock.over(n_frames, onset, onset + length)


_OUT = ("park", "street", "hall")

ACTIONS: dict[str, Action] = {
    "brush_hair": Action(
        daily.brush_hair, (15, 85), (0.62, 0.92), (0.6, 1.0), True, long_hair=True
    ),
    "catch": Action(
        sports.catch, (0, 50), (0.42, 0.72), (0.75, 1.05), scenes=_OUT, room=(-0.3, 0.9, 1.1)
    ),
    "clap": Action(daily.clap, (25, 88), (0.6, 0.92), (0.6, 1.0), True),
    "climb_stairs": Action(gaits.climb_stairs, (-25, 30), (0.38, 0.62), (0.8, 1.2), True),
    "golf": Action(
        strikes.golf,
        (60, 105),
        (0.5, 0.78),
        (0.85, 1.2),
        scenes=("park", "park", "hall"),
        room=(-0.5, 0.5, 1.15),
    ),
    "jump": Action(gaits.jump, (-20, 65), (0.4, 0.66), (0.75, 1.0)),
    "kick_ball": Action(
        sports.kick_ball, (-15, 50), (0.42, 0.72), (0.7, 0.95), scenes=_OUT, room=(-0.6, 0.9, 1.0)
    ),
    "pick": Action(daily.pick, (-10, 60), (0.45, 0.8), (0.8, 1.15)),
    "pour": Action(
        daily.pour,
        (-5, 50),
        (0.68, 0.92),
        (0.85, 1.2),
        scenes=("room", "room", "hall", "park"),
        room=(-0.2, 0.7, 1.0),
    ),
    "pullup": Action(
        gaits.pullup, (40, 120), (0.4, 0.66), (0.7, 1.1), True, room=(-0.5, 0.5, 1.32)
    ),
    "push": Action(gaits.push, (-20, 35), (0.42, 0.68), (0.7, 1.1), True, room=(-0.2, 0.9, 1.0)),
    "run": Action(gaits.run, (-35, 40), (0.38, 0.68), (0.7, 1.1), True, scenes=_OUT),
    "shoot_ball": Action(
        sports.shoot_ball,
        (-5, 35),
        (0.36, 0.5),
        (0.8, 1.1),
        scenes=("hall", "hall", "park", "street"),
        room=(-0.3, 1.6, 1.85),
    ),
    "shoot_bow": Action(
        strikes.shoot_bow,
        (65, 115),
        (0.5, 0.8),
        (0.8, 1.2),
        scenes=("park", "hall", "park"),
        room=(-0.3, 0.7, 1.1),
    ),
    "sit": Action(
        daily.sit, (0, 55), (0.5, 0.82), (0.65, 0.95), scenes=("room", "room", "hall", "park")
    ),
    "stand": Action(
        daily.stand, (0, 55), (0.5, 0.82), (0.65, 0.95), scenes=("room", "room", "hall", "park")
    ),
    "swing_baseball": Action(
        strikes.swing_baseball,
        (60, 115),
        (0.48, 0.75),
        (0.75, 1.05),
        scenes=("park", "park", "hall"),
        room=(-0.6, 0.6, 1.25),
    ),
    "throw": Action(
        sports.throw, (-5, 50), (0.45, 0.75), (0.75, 1.0), scenes=_OUT, room=(-0.4, 0.7, 1.15)
    ),
    "walk": Action(gaits.walk, (-40, 45), (0.4, 0.75), (0.7, 1.2), True),
    "wave": Action(daily.wave, (30, 90), (0.6, 0.88), (0.6, 1.0), True, room=(-0.3, 0.3, 1.15)),
}

CLASSES: tuple[str, ...] = tuple(ACTIONS)
