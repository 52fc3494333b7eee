"""What is looked at, and the parts that every page of the explorer has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rstan_lite.show.explorer.canvas import Canvas
from rstan_lite.show.explorer.presets import Preset
from rstan_lite.show.explorer.scene import Look, Scene
from rstan_lite.show.explorer.tiles import Tiles
from rstan_lite.show.frames import heat_colours

GAP, EDGE, LINE = 10, 12, 16  # pixels between pictures, about a page, of a line of small words


@dataclass(frozen=True, eq=False)
class View:
    """What is looked at: a scene, some of its checkpoints, and a figure of the paper or None.

    looks: names of the scene's checkpoints, from left to right. ValueError for none or others.
    """

    scene: Scene
    names: tuple[str, ...]
    preset: Preset | None = None

    def __post_init__(self) -> None:
        known = [look.name for look in self.scene.looks]
        if not self.names or not set(self.names) <= set(known):
            raise ValueError(f"checkpoints {self.names}; there are {known}")

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """The chosen checkpoints."""
        by_name = {look.name: look for look in self.scene.looks}
        return tuple(by_name[name] for name in self.names)

    def tiles(self, width: int) -> Tiles:
        """Pictures of a width, in boxes of three quarters of its height, kept once made."""
        if width not in self._tiles:
            self._tiles[width] = Tiles(self.scene, width, width * 3 // 4)
        return self._tiles[width]

    @cached_property
    def _tiles(self) -> dict[int, Tiles]:
        return {}


def head(canvas: Canvas, view: View, step: int) -> str:
    """Clip, step and frame above everything; the same in words for the text alternative."""
    scene = view.scene
    where = f"step {step + 1} of {scene.steps}, frame {scene.numbers[step]} of {scene.n_frames}"
    room = canvas.pixels.shape[1] - 2 * EDGE
    canvas.words(EDGE, EDGE, canvas.shortened(scene.title, room, 16, True), size=16, bold=True)
    canvas.words(EDGE, EDGE + 22, where, size=13)
    return f"{scene.title}, {where}."


def scale_bar(canvas: Canvas, scene: Scene, looks: tuple[Look, ...], left: int, top: int) -> None:
    """The maps' colours and what they stand for, in a strip."""
    places = next((a.shape[-1] for look in looks for a in look.alpha.values()), 0)
    if not places:
        return
    words, wide = "weight of a place: 0", 160
    canvas.words(left, top, words, size=11)
    start = left + round(canvas.width_of(words, 11)) + 6
    colours = np.rint(255 * heat_colours(np.linspace(0, 1, wide)))  # (wide, 3)
    canvas.pixels[top + 1 : top + 13, start : start + wide] = colours
    even = start + wide * min(1.0, 1 / places / scene.peak)
    canvas.line([(even, top - 2), (even, top + 15)], "black", 2)
    text = f"{scene.peak:.2f} or more; black mark: even, {1 / places:.2f}"
    canvas.words(start + wide + 6, top, text, size=11)
