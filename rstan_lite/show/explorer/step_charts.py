"""The explorer's charts of a checkpoint: frame weights at a step, and answers over all steps.

A figure of matplotlib that stays. What no step changes is drawn once; a step changes the data of
bars and marks, and draws only them over a copy of the rest (blitting).
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.show.explorer.scenes import FUSED, Look, Scene
from rstan_lite.show.style import LINES, STREAM_COLOURS, STYLE

COLUMN, NAMES = 500, 140  # pixels of a checkpoint, and of its classes' names at the right
GREY, PALE = "#595959", "#ececec"  # words beside the main ones; grounds
BARS: dict[str, dict[str, Any]] = {  # no colour is needed to tell the bars apart
    "motion": {"hatch": "----", "edgecolor": "white", "linewidth": 0},
    FUSED: {"facecolor": "white", "edgecolor": STREAM_COLOURS[FUSED], "linewidth": 1.5},
}


class Charts:
    """A checkpoint's frame weights at a step, and its answers over all steps, as one figure."""

    HEIGHT = 300  # pixels
    BOXES = ((26, 78, COLUMN - 30), (166, 114, COLUMN - 30 - NAMES))  # top, height, width

    def __init__(self, scene: Scene, look: Look, classes: Sequence[int]) -> None:
        self.scene, self.look, self.classes, self._lock = scene, look, classes, Lock()
        with mpl.rc_context(STYLE):
            self.figure = Figure((COLUMN / 72, self.HEIGHT / 72), dpi=72)  # a point is a pixel
            self.canvas = FigureCanvasAgg(self.figure)
            self.moving: list[Artist] = []
            self.bars = self._weights(self._axes(*self.BOXES[0])) if look.rows else {}
            self._answers(self._axes(*self.BOXES[1]))
            for artist in self.moving:
                artist.set_animated(True)
            self.canvas.draw()
        self._still = self.canvas.copy_from_bbox(self.figure.bbox)

    def draw(self, step: int) -> NDArray[np.uint8]:
        """The charts at a step, counted from 0, uint8 (HEIGHT, COLUMN, 3)."""
        with self._lock:  # Jupyter may handle widgets in another thread than cells
            self.canvas.restore_region(self._still)
            if self.bars:
                self._move_weights(step)
            self.line.set_xdata([step + 1] * 2)
            self.dots.set_offsets([(step + 1, self.look.scores[step, c]) for c in self.classes])
            for artist in self.moving:
                self.figure.draw_artist(artist)
            return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()

    def _axes(self, top: int, height: int, width: int) -> Axes:
        """Axes with room for numbers at their left."""
        total = self.HEIGHT
        box = (30 / COLUMN, 1 - (top + height) / total, width / COLUMN, height / total)
        axes = self.figure.add_axes(box)
        axes.tick_params(length=0, labelsize=10, labelcolor=GREY, pad=4)
        axes.spines["left"].set_visible(False)
        return axes

    def _weights(self, axes: Axes) -> dict[str, Any]:
        """Bars of each frame's weight: a bar a stream and one for both, on all steps' scale."""
        scene, rows, bars = self.scene, self.look.rows, dict[str, Any]()
        self.own = axes.axvspan(0, 1, color=PALE)
        for i, row in enumerate(rows):
            left = np.arange(scene.steps) + 0.1 + 0.8 * i / len(rows)
            edges = np.stack([left, left + 0.8 / len(rows)], axis=1).ravel()  # (2 T,)
            look = {"facecolor": STREAM_COLOURS[row], **BARS.get(row, {})}
            bars[row] = axes.stairs(edges[1:], edges, fill=True, label=row, **look)
        (self.crosses,) = axes.plot([], [], "x", color="#a0a0a0", markersize=6, clip_on=False)
        self.moving += [self.own, *bars.values(), self.crosses]
        shown = range(0, scene.steps, -(-scene.steps // 16))
        axes.set(xlim=(0, scene.steps), ylim=(0, scene.most))
        axes.set_yticks([0, scene.most], ["0", f"{scene.most:.2f}"])
        axes.set_xticks([t + 0.5 for t in shown], [str(scene.numbers[t]) for t in shown])
        axes.set_xlabel("frame of the video", loc="left", fontsize=10, color=GREY, labelpad=2)
        small: Any = {"ncols": 3, "fontsize": 10, "borderpad": 0, "handlelength": 1}
        axes.legend(loc="upper right", bbox_to_anchor=(1, -0.24), **small)
        return bars

    def _move_weights(self, step: int) -> None:
        look, scene = self.look, self.scene
        self.own.set_x(step)
        unseen = [t for t in range(scene.steps) if look.slot(step, t) is None]
        self.crosses.set_data(np.array(unseen) + 0.5, [0.06 * scene.most] * len(unseen))
        for row, bars in self.bars.items():
            heights = np.full(2 * scene.steps - 1, np.nan)  # a bar, a gap, a bar, ...
            heights[::2] = [look.weight(row, step, t) or np.nan for t in range(scene.steps)]
            bars.set_data(heights)

    def _answers(self, axes: Axes) -> None:
        """Lines of the classes' probabilities over all steps, with samples for their names."""
        steps = range(1, self.scene.steps + 1)
        title = "answers: the likeliest actions' probabilities, step by step"
        axes.set_title(title, loc="left", fontsize=11, color=GREY, pad=6)
        axes.set(xlim=(0.5, len(steps) + 0.5), ylim=(0, 1.02), xticks=[], yticks=[0, 0.5, 1])
        axes.grid(axis="y", color="#c8c8c8")
        self.line = axes.axvline(1, color=GREY, linewidth=1)
        for i, c in reversed([*enumerate(self.classes)]):  # the first lies above the others
            look: Any = {**LINES[i], "marker": "", "linewidth": 2, "clip_on": False}
            axes.plot(steps, self.look.scores[:, c], **look)
            height = 1 - (12 + 22 * i) / 114
            axes.plot([1.015, 1.06], [height] * 2, transform=axes.transAxes, **look)
        colours = [LINES[i]["color"] for i in range(len(self.classes))]
        self.dots = axes.scatter([0] * len(colours), [0] * len(colours), 50, colours, zorder=3)
        self.moving += [self.line, self.dots]
