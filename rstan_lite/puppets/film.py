"""The camera and the light: paths of the camera, exposure, gradients, grain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from .skeleton import Array

MOVES = ("still", "shake", "pan", "zoom")


@dataclass(frozen=True)
class CameraPath:
    """affine: (F, 2, 3) scene pixels to frame pixels; moves: whether it does more than stand."""

    affine: Array
    moves: bool


def camera_path(
    rng: Generator, n_frames: int, size: tuple[int, int], centre: Array, move: str
) -> CameraPath:
    """Make a camera that looks at scene point `centre` (F, 2) and moves as named in MOVES."""
    h, w = size
    time = np.linspace(-0.5, 0.5, n_frames)
    zoom, angle = np.ones(n_frames), np.zeros(n_frames)
    at = centre.copy()
    if move == "shake":
        for axis, amount in ((0, 2.5), (1, 1.8)):
            steps = rng.normal(0, 1, n_frames)
            smooth = np.convolve(steps, np.ones(5) / 5, mode="same")
            at[:, axis] += amount * rng.uniform(0.4, 1.0) * smooth
        angle = np.convolve(rng.normal(0, 0.006, n_frames), np.ones(5) / 5, mode="same")
    elif move == "pan":
        at[:, 0] += time * rng.uniform(15, 60) * (1 if rng.random() < 0.5 else -1)
        at[:, 1] += time * rng.uniform(-10, 10)
    elif move == "zoom":
        zoom = 1.0 + time * rng.uniform(0.06, 0.2) * (1 if rng.random() < 0.5 else -1)
    c, s = np.cos(angle) * zoom, np.sin(angle) * zoom
    affine = np.zeros((n_frames, 2, 3))
    affine[:, 0, 0], affine[:, 0, 1], affine[:, 1, 0], affine[:, 1, 1] = c, -s, s, c
    affine[:, 0, 2] = w / 2 - c * at[:, 0] + s * at[:, 1]
    affine[:, 1, 2] = h / 2 - s * at[:, 0] - c * at[:, 1]
    travel = np.ptp(at, axis=0).max()
    return CameraPath(affine, bool(move != "still" or travel > 6))


def expose(canvas: np.ndarray, affine: Array, size: tuple[int, int]) -> np.ndarray:
    """What the camera (2, 3) sees of a scene: (H, W, 3) uint8, mirrored beyond the scene's edge.

    Bilinear in fixed point (1/32 pixel); `cv2.warpAffine` rounds differently on different CPUs.
    """
    h, w = size
    (a, b, c), (d, e, f) = affine
    inverse = np.array([[e, -b], [-d, a]]) / (a * e - b * d)
    origin = -inverse @ np.array([c, f])
    x, y = np.arange(w), np.arange(h)
    places = []
    for k in range(2):
        across = np.rint(inverse[k, 0] * x * 1024).astype(np.int32)
        down = np.rint((inverse[k, 1] * y + origin[k]) * 1024).astype(np.int32)
        places.append((across[None, :] + down[:, None] + 16) >> 5)
    whole = np.stack([p >> 5 for p in places], -1).astype(np.int16)
    part = ((places[1] & 31) * 32 + (places[0] & 31)).astype(np.uint16)
    return cv2.remap(canvas, whole, part, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


class Exposure:
    """Gain, gamma, a light gradient and grain, the same kind for a whole clip."""

    def __init__(self, rng: Generator, size: tuple[int, int]) -> None:
        h, w = size
        gain, gamma = rng.uniform(0.78, 1.15), rng.uniform(0.8, 1.3)
        warmth = rng.uniform(-0.06, 0.06)
        level = np.arange(256) / 255.0
        curve = [255 * gain * (1 + k * warmth) * level**gamma for k in (1, 0, -1)]
        table = np.clip(np.stack(curve, -1), 0, 255)
        self._table = np.rint(table).astype(np.uint8).reshape(1, 256, 3)
        across, down = rng.integers(-40, 41, 2)
        x = np.arange(w, dtype=np.int32) * across // w
        y = np.arange(h, dtype=np.int32) * down // h
        light = 235 - np.abs(across) // 2 - np.abs(down) // 2 + x[None, :] + y[:, None]
        self._light = np.repeat(np.clip(light, 120, 255).astype(np.uint8)[..., None], 3, 2)
        self.strength = int(rng.integers(0, 5))
        grain = rng.integers(-self.strength, self.strength + 1, (h + 64, w + 64, 3))
        self._grain = (128 + grain).astype(np.uint8)
        self._rng = rng

    def develop(self, frame: np.ndarray) -> np.ndarray:
        """Apply the light to one frame (H, W, 3) uint8."""
        h, w = frame.shape[:2]
        lit = cv2.LUT(cv2.multiply(frame, self._light, scale=1 / 235), self._table)
        dy, dx = self._rng.integers(0, 64, 2)
        grain = self._grain[dy : dy + h, dx : dx + w]
        return cv2.addWeighted(lit, 1.0, grain, 1.0, -128.0) if self.strength else lit


def shadow(frame: np.ndarray, centre: Array, radius: float) -> None:
    """Darken the ground below somebody, in place; centre (2,) and radius in frame pixels."""
    h, w = frame.shape[:2]
    rx, ry = int(radius * 1.4) + 2, int(radius * 0.5) + 2
    x, y = round(float(centre[0])), round(float(centre[1]))
    x0, x1, y0, y1 = max(x - rx, 0), min(x + rx, w), max(y - ry, 0), min(y + ry, h)
    if x1 <= x0 or y1 <= y0:
        return
    shade = np.full((y1 - y0, x1 - x0, 3), 255, np.uint8)
    for share, tone in ((1.0, 228), (0.85, 206), (0.7, 184), (0.5, 165)):
        axes = (int(radius * 1.3 * share), int(radius * 0.42 * share))
        cv2.ellipse(shade, (x - x0, y - y0), axes, 0, 0, 360, (tone, tone, tone), -1, cv2.LINE_AA)
    patch = frame[y0:y1, x0:x1]
    frame[y0:y1, x0:x1] = cv2.multiply(patch, shade, scale=1 / 255)
