"""What the explorer is asked to draw: a scene, some of its checkpoints, a figure of the paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from rstan_lite.lab.attention.scenes import Look, Scene
from rstan_lite.show.frames import common_peak, full_speed, overlay

MOST_CLASSES = 5
COLUMNS = 4  # frames beside one another in a figure, as in the paper
_DISCUS = ("ThrowDiscus", "throw", "golf", "swing_baseball", "swing", "climb_stairs")
_EARLY, _LATE = (f"streams and fusion; {when} in the paper" for when in ("early", "late"))
_BOTH = "without and with silhouettes"
_DRIBBLE = ("dribble", "shoot_ball", "kick_ball", "run", "wave")


@dataclass(frozen=True)
class Preset:
    """One of the paper's pictures of attention: what it shows, and of which action.

    kind: "steps": the map that the model goes by, a row a step; "streams": all maps, for each of
    some steps; "checkpoints": the map of each frame's own step, a row a checkpoint. action: the
    paper's. others: in its place, nearest first. parts: which of the COLUMNS frames' steps.
    """

    name: str
    about: str
    kind: Literal["steps", "streams", "checkpoints"]
    action: str
    others: tuple[str, ...]
    parts: tuple[int, ...] = tuple(range(COLUMNS))

    def choose(self, actions: Sequence[str]) -> int:
        """Which of some clips, given by their actions, fits best: the first where none does."""
        known = [action.lower() for action in actions]
        wanted = [name.lower() for name in (self.action, *self.others)]
        return next((known.index(name) for name in wanted if name in known), 0)

    def stand_in(self, action: str) -> str:
        """What to say where a clip's action is another than the figure's; "" where it is not."""
        if action.lower() == self.action.lower():
            return ""
        return f"{action or 'this video'} in the place of {self.action}"


PRESETS = (
    Preset("Fig. 1", "attention of four steps over four frames", "steps", "ThrowDiscus", _DISCUS),
    Preset("Fig. 5, Pick", _BOTH, "checkpoints", "pick", ("sit", "jump")),
    Preset("Fig. 5, SwingBaseball", _BOTH, "checkpoints", "swing_baseball", ("golf", "kick_ball")),
    Preset("Fig. 7", _EARLY, "streams", "ThrowDiscus", _DISCUS, (0, 1)),
    Preset("Fig. 8", _LATE, "streams", "ThrowDiscus", _DISCUS, (2, 3)),
    Preset("Fig. 9", _EARLY, "streams", "Dribble", _DRIBBLE, (0, 1)),
    Preset("Fig. 10", _LATE, "streams", "Dribble", _DRIBBLE, (2, 3)),
)


def positions(steps: int) -> list[int]:
    """Steps, counted from 0, that are spread evenly from the first to the last of T."""
    chosen = min(steps, COLUMNS)
    return [round(i * (steps - 1) / max(1, chosen - 1)) for i in range(chosen)]


def with_step(chosen: Sequence[int], step: int) -> list[int]:
    """The chosen steps, the one nearest to a step replaced by it, in order; of none, the step."""
    if not chosen:
        return [step]
    nearest = min(range(len(chosen)), key=lambda i: (abs(chosen[i] - step), i))
    return sorted({*chosen[:nearest], step, *chosen[nearest + 1 :]})


@dataclass(frozen=True, eq=False)
class View:
    """What is looked at: a scene, some of its checkpoints, and a figure of the paper or None.

    names: of the scene's checkpoints, from left to right. ValueError for none or others.
    """

    scene: Scene
    names: tuple[str, ...]
    preset: Preset | None = None

    def __post_init__(self) -> None:
        known = [look.name for look in self.scene.looks]
        if not self.names or not set(self.names) <= set(known):
            raise ValueError(f"checkpoints {self.names}; there are {known}")

    @cached_property
    def looks(self) -> list[Look]:
        """The chosen checkpoints."""
        return [look for name in self.names for look in self.scene.looks if look.name == name]

    @cached_property
    def peak(self) -> float:
        """The weight of a place that all maps of all checkpoints draw at full strength."""
        maps = [m for look in self.scene.looks for a in look.alpha.values() for m in a[look.valid]]
        return common_peak(maps) if maps else 1.0

    @cached_property
    def speed(self) -> float:
        """The flow drawn in full colour, pixels a frame."""
        return full_speed(self.scene.flow)

    @cached_property
    def classes(self) -> list[int]:
        """The classes whose answers are drawn: the true one, then the ever likeliest ones."""
        best = np.max([look.scores.max(axis=0) for look in self.looks], axis=0)  # (C,)
        true = [c for c, name in enumerate(self.scene.classes) if name == self.scene.action]
        return list(dict.fromkeys((*true, *np.argsort(-best, kind="stable").tolist())))[
            :MOST_CLASSES
        ]

    def frame(self, step: int, width: int) -> NDArray[np.uint8]:
        """A sampled frame that fits into a box of a width and three quarters of it."""
        return fitted(self.scene.film[step], width)

    def map(self, look: Look, row: str, step: int, frame: int, width: int) -> NDArray[np.uint8]:
        """A step's map over a frame; the frame without colour where the step doesn't look at it."""

        picture, weights = self.frame(frame, width), look.map(row, step, frame)
        if weights is None:
            grey = picture.mean(axis=-1, keepdims=True).astype(np.uint8)
            return np.repeat(grey // 3 + 150, 3, axis=-1)
        return overlay(picture, weights, self.scene.crop, peak=self.peak)


def fitted(picture: NDArray, width: int) -> NDArray:
    """Scale a picture (H, W, ...) to fit into a box of a width and three quarters of it."""
    rows, columns = picture.shape[:2]
    scale = min(width / columns, width * 3 // 4 / rows)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way))
