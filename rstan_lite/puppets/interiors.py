"""Backgrounds indoors: rooms and gymnasiums."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from .parts import Colour, tint
from .texture import Image, noise, pick, rectangle, some, texture


def _planks(canvas: Image, rng: Generator, top: int, colour: Colour, lines: int) -> None:
    """A floor whose boards run towards the horizon."""
    h, w = canvas.shape[:2]
    canvas[top:] = texture(colour, noise(rng, h - top, w, 24, 4, 3), 14)
    far_x, far_y = w // 2 + int(rng.integers(-60, 60)), top - int(rng.integers(60, 140))
    dark = tint(colour, 0.72)
    below = canvas[top:]
    for x in np.linspace(-w, 2 * w, lines).astype(int):
        cv2.line(below, (far_x, far_y - top), (int(x), h - top), dark, 1, cv2.LINE_AA)
    for k in range(6):
        y = (h - top) * (k + 1) ** 2 // 40
        cv2.line(below, (0, y), (w, y), tint(colour, 0.85), 1)


def _picture(canvas: Image, rng: Generator, x: int, y: int, w: int, h: int) -> None:
    rectangle(
        canvas,
        x - 3,
        y - 3,
        w + 6,
        h + 6,
        pick(rng, ((70, 50, 35), (30, 30, 32), (220, 215, 205))),
    )
    base = some(rng, 50, 220)
    view = canvas[max(y, 0) : y + h, max(x, 0) : x + w]
    if view.size:
        view[:] = texture(base, noise(rng, view.shape[0], view.shape[1], 24, 4), 70)


def _shelf(canvas: Image, rng: Generator, x: int, y: int, w: int) -> None:
    for row in range(3):
        base = y + row * 34
        at = x + 2
        while at < x + w - 8:
            wide, high = int(rng.integers(4, 10)), int(rng.integers(18, 29))
            colour = some(rng, 40, 220)
            rectangle(canvas, at, base - high, wide - 2, high, colour)
            at += wide
        rectangle(canvas, x, base, w, 4, (90, 66, 46))


def _wall(canvas: Image, rng: Generator, horizon: int, colour: Colour) -> None:
    h, w = horizon, canvas.shape[1]
    canvas[:h] = texture(colour, noise(rng, h, w, 64, 5), 12)
    style = rng.integers(4)
    if style == 0:  # wallpaper
        pitch = int(rng.integers(14, 34))
        for x in range(0, w, pitch):
            rectangle(canvas[:h], x, 0, pitch // 3, h, tint(colour, 0.9))
    elif style == 1:  # bricks
        for row, y in enumerate(range(0, h, 13)):
            cv2.line(canvas[:h], (0, y), (w, y), tint(colour, 0.78), 1)
            for x in range((row % 2) * 15, w, 30):
                cv2.line(canvas[:h], (x, y), (x, y + 13), tint(colour, 0.78), 1)
    elif style == 2:  # wainscot
        rectangle(canvas[:h], 0, h - 70, w, 70, tint(colour, 0.8))
        for x in range(0, w, 40):
            rectangle(canvas[:h], x + 6, h - 62, 28, 50, tint(colour, 0.86))


def room(canvas: Image, rng: Generator, horizon: int) -> None:
    """A room: papered wall with pictures, shelves, windows, doors; boards."""
    w = canvas.shape[1]
    walls = ((208, 196, 172), (172, 190, 196), (196, 174, 160), (182, 196, 168), (214, 208, 200))
    _wall(canvas, rng, horizon, pick(rng, walls))
    for x in range(int(rng.integers(0, 60)), w - 60, int(rng.integers(110, 150))):
        thing = rng.integers(5)
        if thing <= 1:
            _picture(
                canvas,
                rng,
                x,
                horizon - int(rng.integers(150, 190)),
                int(rng.integers(36, 74)),
                int(rng.integers(34, 62)),
            )
        elif thing == 2:
            _shelf(canvas, rng, x, horizon - 130, int(rng.integers(60, 90)))
        elif thing == 3:  # window
            y = horizon - 200
            rectangle(canvas, x - 5, y - 5, 90, 118, (238, 236, 230))
            canvas[y : y + 108, x : x + 80] = texture(
                (176, 204, 226), noise(rng, 108, min(80, w - x), 40, 4), 40
            )
            rectangle(canvas, x + 37, y, 5, 108, (238, 236, 230))
            rectangle(canvas, x, y + 50, 80, 4, (238, 236, 230))
        else:  # door
            colour = pick(rng, ((120, 84, 54), (196, 190, 178), (84, 96, 110)))
            rectangle(canvas, x, horizon - 190, 76, 190, tint(colour, 0.75))
            rectangle(canvas, x + 5, horizon - 185, 66, 185, colour)
            cv2.circle(canvas, (x + 62, horizon - 88), 4, (210, 190, 120), -1, cv2.LINE_AA)
    rectangle(canvas, 0, horizon - 7, w, 7, (226, 222, 214))
    floors = ((150, 108, 70), (184, 146, 104), (110, 104, 100), (136, 80, 70))
    _planks(canvas, rng, horizon, pick(rng, floors), 34)


def hall(canvas: Image, rng: Generator, horizon: int) -> None:
    """A gymnasium: wall bars, a painted stripe, floor markings."""
    w = canvas.shape[1]
    wall = pick(rng, ((206, 200, 186), (150, 168, 186), (190, 160, 128), (160, 176, 160)))
    canvas[:horizon] = texture(wall, noise(rng, horizon, w, 48, 5), 14)
    rectangle(
        canvas,
        0,
        horizon - 84,
        w,
        30,
        tint(pick(rng, ((170, 60, 50), (50, 80, 140), (60, 120, 80))), 1.0),
    )
    for x in range(int(rng.integers(0, 90)), w, int(rng.integers(120, 190))):
        if rng.random() < 0.6:  # wall bars
            for y in range(horizon - 190, horizon - 6, 13):
                rectangle(canvas, x, y, 62, 4, (150, 104, 62))
            rectangle(canvas, x - 3, horizon - 194, 5, 192, (120, 82, 50))
            rectangle(canvas, x + 60, horizon - 194, 5, 192, (120, 82, 50))
        else:
            _picture(canvas, rng, x, horizon - 180, 84, 44)
    _planks(canvas, rng, horizon, pick(rng, ((206, 160, 104), (186, 128, 84), (110, 140, 120))), 46)
    h = canvas.shape[0]
    for _ in range(3):
        y = int(rng.integers(horizon + 12, h))
        line = pick(rng, ((235, 235, 235), (180, 50, 50), (40, 70, 150)))
        cv2.line(canvas, (0, y), (w, y + int(rng.integers(-14, 14))), line, 3, cv2.LINE_AA)
