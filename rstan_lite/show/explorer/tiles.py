"""Small pictures of a scene: frames, flow, silhouettes and maps, all of one size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from rstan_lite.show.explorer.canvas import Canvas, fitted
from rstan_lite.show.explorer.scene import Look, Scene
from rstan_lite.show.frames import draw_contour, flow_to_colour, overlay

WHEEL = 15  # pixels, the radius of the key to the flow's colours


@dataclass(frozen=True, eq=False)
class Tiles:
    """A scene's pictures for boxes of width x height pixels; those of all steps are made once."""

    scene: Scene
    width: int
    height: int

    @cached_property
    def frames(self) -> NDArray[np.uint8]:
        """(T, h, w, 3), each as large as the box allows."""
        return np.stack([fitted(frame, self.width, self.height) for frame in self.scene.film])

    @cached_property
    def flow(self) -> NDArray[np.uint8]:
        """(T, h, w, 3): direction as hue, speed as strength, with a key in the lower right."""
        colours = flow_to_colour(self.scene.flow, self.scene.speed)
        drawn = np.stack([fitted(field, self.width, self.height) for field in colours])
        side = np.linspace(-1, 1, 2 * WHEEL + 1)
        wheel = np.stack(np.meshgrid(side, side), axis=-1)  # y down, as in the flow
        inside = np.hypot(wheel[..., 0], wheel[..., 1]) <= 1
        if min(drawn.shape[1:3]) > 4 * WHEEL:
            corner = drawn[:, -len(side) - 3 : -3, -len(side) - 3 : -3]
            corner[:, inside] = flow_to_colour(wheel, 1.0)[inside]
        return drawn

    @cached_property
    def masks(self) -> NDArray[np.uint8] | None:
        """(T, h, w), each nonzero on the person; None without silhouettes."""
        if self.scene.masks is None:
            return None
        height, width = self.frames.shape[1:3]
        solid = [(mask != 0).astype(np.uint8) for mask in self.scene.masks]
        way = cv2.INTER_NEAREST
        return np.stack([cv2.resize(mask, (width, height), interpolation=way) for mask in solid])

    @cached_property
    def outlined(self) -> NDArray[np.uint8]:
        """(T, h, w, 3): the frames, with the person outlined where it is known."""
        if self.masks is None:
            return self.frames
        both = zip(self.frames, self.masks, strict=True)
        return np.stack([draw_contour(frame, mask) for frame, mask in both])

    def map(self, look: Look, row: str, step: int, frame: int) -> NDArray[np.uint8]:
        """A step's map over a frame; the frame without colour where the step doesn't look at it."""
        weights = look.map(row, step, frame)
        if weights is None:
            grey = self.frames[frame].mean(axis=-1, keepdims=True).astype(np.uint8)
            return np.repeat(grey // 3 + 150, 3, axis=-1)
        return overlay(self.frames[frame], weights, self.scene.crop, peak=self.scene.peak)

    def draw(
        self, canvas: Canvas, picture: NDArray[np.uint8], left: int, top: int, crop: bool = False
    ) -> None:
        """Put a picture into its box; crop: with a dashed line about what the networks see."""
        canvas.picture(picture, left, top, self.width, self.height)
        if crop:
            rows, columns = picture.shape[:2]
            up, down, first, last = self.scene.crop.box(rows, columns)
            x, y = left + (self.width - columns) // 2, top + (self.height - rows) // 2
            corners = [(x + first, y + up), (x + last - 1, y + up), (x + last - 1, y + down - 1),
                       (x + first, y + down - 1), (x + first, y + up)]  # fmt: skip
            canvas.line(corners, "black")
            canvas.line(corners, "white", dash=4)
