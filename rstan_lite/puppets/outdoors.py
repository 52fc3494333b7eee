"""Backgrounds in the open: parks and streets."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from .parts import Colour, tint
from .texture import Image, noise, pick, rectangle, texture


def _sky(canvas: Image, rng: Generator, horizon: int) -> None:
    h, w = horizon, canvas.shape[1]
    high = np.array(
        pick(rng, ((104, 154, 214), (150, 178, 206), (188, 196, 204), (226, 178, 146))), np.int32
    )
    low = np.array((214, 224, 230), np.int32)
    share = (np.arange(h, dtype=np.int32) * 256 // h)[:, None, None]
    base = (high * (256 - share) + low * share) >> 8
    clouds = np.clip(noise(rng, h, w, 72, 5, 2) - 10, 0, 90).astype(np.int32)[..., None]
    canvas[:h] = np.clip(base + (((250 - base) * clouds) >> 7), 0, 255).astype(np.uint8)


def foliage(
    rng: Generator, count: int, radius: float
) -> tuple[np.ndarray, np.ndarray, list[Colour]]:
    """Leaf clumps of a crown: offsets (count, 2), radii (count,), colours, dark ones first."""
    angle, far = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    offsets = np.stack([np.cos(angle) * far, np.sin(angle) * far], -1) * radius
    radii = rng.uniform(0.16, 0.36, count) * radius
    green = np.array(pick(rng, ((66, 110, 52), (92, 126, 56), (128, 112, 48), (52, 92, 62))))
    shades = np.linspace(0.62, 1.25, count)
    colours = [
        tint((int(green[0]), int(green[1]), int(green[2])), float(s * rng.uniform(0.9, 1.1)))
        for s in shades
    ]
    return offsets, radii, colours


def park(canvas: Image, rng: Generator, horizon: int) -> None:
    """A park: clouds, woods, grass, perhaps a path or a fence."""
    h, w = canvas.shape[:2]
    _sky(canvas, rng, horizon)
    hill = noise(rng, 1, w, 120, 3)[0] // 8
    for x in range(0, w, 7):
        top = horizon - 26 + int(hill[x])
        colour = (70 + int(rng.integers(-14, 14)), 104 + int(rng.integers(-18, 18)), 74)
        cv2.circle(canvas, (x, top), int(rng.integers(8, 22)), colour, -1, cv2.LINE_AA)
        cv2.circle(canvas, (x, top + 18), 18, tint(colour, 0.85), -1, cv2.LINE_AA)
    grass = pick(rng, ((102, 140, 66), (126, 148, 74), (150, 146, 84), (84, 124, 64)))
    near = texture(grass, noise(rng, h - horizon, w, 16, 4), 28)
    far = texture(grass, noise(rng, h - horizon, w, 4, 2, 3), 18)
    share = np.clip(np.arange(h - horizon, dtype=np.int32) * 3, 0, 256)[:, None, None]
    canvas[horizon:] = (
        (near.astype(np.int32) * share + far.astype(np.int32) * (256 - share)) >> 8
    ).astype(np.uint8)
    if rng.random() < 0.5:  # a path
        y = horizon + int(rng.integers(20, 70))
        path = canvas[y : y + 30]
        path[:] = texture((178, 164, 138), noise(rng, path.shape[0], w, 10, 3), 20)
    if rng.random() < 0.4:  # a fence
        for x in range(0, w, 22):
            rectangle(canvas, x, horizon - 24, 5, 34, (206, 200, 188))
        rectangle(canvas, 0, horizon - 18, w, 4, (206, 200, 188))


def street(canvas: Image, rng: Generator, horizon: int) -> None:
    """A street: house fronts, pavement, road."""
    w = canvas.shape[1]
    _sky(canvas, rng, horizon)
    x = -int(rng.integers(0, 60))
    facades = ((168, 112, 92), (196, 180, 150), (150, 150, 154), (186, 146, 110), (128, 140, 150))
    while x < w:
        wide, high = int(rng.integers(70, 150)), int(rng.integers(110, horizon + 30))
        colour = pick(rng, facades)
        left, right, top = max(x, 0), min(x + wide, w), max(horizon - high, 0)
        if right > left:
            front = canvas[top:horizon, left:right]
            front[:] = texture(colour, noise(rng, front.shape[0], front.shape[1], 20, 4), 16)
        lit = pick(rng, ((92, 108, 124), (64, 72, 84), (210, 196, 150)))
        gap_x, gap_y = int(rng.integers(20, 30)), int(rng.integers(28, 38))
        for wy in range(top + 10, horizon - 34, gap_y):
            for wx in range(x + 8, x + wide - 14, gap_x):
                rectangle(canvas, wx, wy, 11, 16, tint(lit, float(rng.uniform(0.8, 1.2))))
        door = x + int(rng.integers(10, max(11, wide - 30)))
        rectangle(canvas, door, horizon - 30, 18, 30, tint(colour, 0.5))
        x += wide
    pave = int(rng.integers(26, 44))
    canvas[horizon : horizon + pave] = texture((168, 166, 160), noise(rng, pave, w, 10, 3), 14)
    rectangle(canvas, 0, horizon + pave, w, 3, (120, 118, 114))
    road = canvas[horizon + pave + 4 :]
    road[:] = texture((104, 104, 106), noise(rng, road.shape[0], w, 8, 3, 2), 20)
    line = horizon + pave + int(rng.integers(24, 50))
    for x in range(int(rng.integers(0, 40)), w, 64):
        rectangle(canvas, x, line, 34, 4, (222, 220, 210))
