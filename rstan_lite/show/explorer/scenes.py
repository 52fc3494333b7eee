"""What the explorer shows: a clip's arrays, what checkpoints make of it, what is looked at."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import Geometry
from rstan_lite.show.frames import common_peak, full_speed, overlay

FUSED = "fused"
MOST_CLASSES = 5
COLUMNS = 4  # frames beside one another in a figure, as in the paper
_DISCUS = ("ThrowDiscus", "throw", "golf", "swing_baseball", "swing", "climb_stairs")
_EARLY, _LATE = (f"streams and fusion; {when} in the paper" for when in ("early", "late"))
_BOTH = "without and with silhouettes"
_DRIBBLE = ("dribble", "shoot_ball", "kick_ball", "run", "wave")


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
        shapes = {alpha.shape[:2] for alpha in self.alpha.values()}
        shapes |= {x.shape for x in (self.frames, self.valid, *self.beta.values())}
        fits = shapes == {(len(self.scores), *self.frames.shape[1:])}
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

    action: the clip's true one, "" where that is not known. film: (T, H, W, 3) uint8. flow: (T, h,
    w, 2), from each sampled frame to the next one of the video, pixels a frame. masks: (T, H, W),
    None without silhouettes. numbers: (T,), the frames' places among the n_frames of the video.
    crop: what the networks see. classes: names of scores.
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
        masks = self.film if self.masks is None else self.masks
        arrays = self.film, self.flow, self.numbers, masks, *(look.scores for look in self.looks)
        lengths = {len(array) for array in arrays}
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
        return max((float(b.max()) for look in self.looks for b in look.beta.values()), default=1.0)

    @cached_property
    def speed(self) -> float:
        """The flow drawn in full colour, pixels a frame."""
        return full_speed(self.flow)

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


@dataclass(frozen=True)
class Preset:
    """One of the paper's pictures of attention: what it shows, and of which action.

    kind: "steps": the map that the model goes by, a row a step, a column a frame; "streams": all
    maps over the frames, for each of some steps; "checkpoints": the map of each frame's own step, a
    row a checkpoint. action: the paper's, whose clips are not at hand. others: actions in its
    place, nearest first. parts: of the COLUMNS frames, those whose steps are shown.
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
    def classes(self) -> list[int]:
        """The classes whose answers are drawn: the true one, then the ever likeliest ones."""
        best = np.max([look.scores.max(axis=0) for look in self.looks], axis=0)  # (C,)
        true = [c for c, name in enumerate(self.scene.classes) if name == self.scene.action]
        return list(dict.fromkeys((*true, *np.argsort(-best, kind="stable").tolist())))[
            :MOST_CLASSES
        ]

    def frame(self, step: int, width: int) -> NDArray[np.uint8]:
        """A sampled frame that fits into a box of a width and three quarters of it."""
        return self.once((step, width), lambda: fitted(self.scene.film[step], width))

    def map(self, look: Look, row: str, step: int, frame: int, width: int) -> NDArray[np.uint8]:
        """A step's map over a frame; the frame without colour where the step doesn't look at it."""

        def draw() -> NDArray[np.uint8]:
            picture, weights = self.frame(frame, width), look.map(row, step, frame)
            if weights is None:
                grey = picture.mean(axis=-1, keepdims=True).astype(np.uint8)
                return np.repeat(grey // 3 + 150, 3, axis=-1)
            return overlay(picture, weights, self.scene.crop, peak=self.scene.peak)

        return self.once((look.name, row, step, frame, width), draw)

    def once(self, key: Hashable, draw: Callable[[], Any]) -> Any:
        """What several steps show, drawn for the first of them."""
        if key not in self._drawn:
            self._drawn[key] = draw()
        return self._drawn[key]

    @cached_property
    def _drawn(self) -> dict[Hashable, Any]:
        return {}


def fitted(picture: NDArray, width: int) -> NDArray:
    """Scale a picture (H, W, ...) to fit into a box of a width and three quarters of it."""
    rows, columns = picture.shape[:2]
    scale = min(width / columns, width * 3 // 4 / rows)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way))
