"""Backgrounds: textured rooms, halls, parks and streets, painted once per clip.

Integer arithmetic gives the same pixels for the same seed on every machine.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from .painting import Colour, tint

Image = np.ndarray
_WEIGHTS = (9, 9, 8, 7, 6)  # of the octaves of noise, in 1/16


def noise(rng: Generator, h: int, w: int, cell: int, octaves: int = 4, stretch: int = 1) -> Image:
    """Multi-octave value noise (h, w) int16, mostly within -128..127.

    cell: pixels of the coarsest lattice; stretch: how much wider than high its grains are.
    """
    total = np.zeros((h, w), np.int16)
    for octave in range(octaves):
        step = max(cell >> octave, 1)
        rows, columns = h // step + 2, w // (step * stretch) + 2
        grid = rng.integers(0, 256, (rows, columns), dtype=np.uint8)
        grown = cv2.resize(grid, (w, h), interpolation=cv2.INTER_LINEAR_EXACT)
        total += (grown.astype(np.int16) - 128) * _WEIGHTS[min(octave, 4)] >> 4
    return total


def texture(colour: Colour, grain: Image, strength: int) -> Image:
    """Colour (h, w, 3) varied by noise; strength in 1/64."""
    shade = (grain.astype(np.int32) * strength) >> 6
    return np.clip(np.array(colour, np.int32) + shade[..., None], 0, 255).astype(np.uint8)


def coat(view: Image, rng: Generator, colour: Colour, strength: int, *grain: int) -> None:
    """Cover a part of the canvas with a colour varied by noise, see `noise` and `texture`."""
    view[:] = texture(colour, noise(rng, *view.shape[:2], *grain), strength)


def pick(rng: Generator, colours: tuple[Colour, ...]) -> Colour:
    """One of some colours, a little lighter or darker."""
    chosen = colours[rng.integers(len(colours))]
    return tint(chosen, float(rng.uniform(0.88, 1.1)))


def some(rng: Generator, low: int, high: int) -> Colour:
    """Any colour whose channels lie in low..high - 1."""
    r, g, b = (int(c) for c in rng.integers(low, high, 3))
    return r, g, b


def rectangle(canvas: Image, x: int, y: int, w: int, h: int, colour: Colour) -> None:
    """Fill a rectangle of w by h pixels whose corner is at (x, y)."""
    cv2.rectangle(canvas, (x, y), (x + w, y + h), colour, -1)


def _planks(canvas: Image, rng: Generator, top: int, colour: Colour, lines: int) -> None:
    """A floor whose boards run towards the horizon."""
    h, w = canvas.shape[:2]
    coat(canvas[top:], rng, colour, 14, 24, 4, 3)
    far_x, far_y = w // 2 + int(rng.integers(-60, 60)), top - int(rng.integers(60, 140))
    dark = tint(colour, 0.72)
    below = canvas[top:]
    for x in np.linspace(-w, 2 * w, lines).astype(int):
        cv2.line(below, (far_x, far_y - top), (int(x), h - top), dark, 1, cv2.LINE_AA)
    for k in range(6):
        y = (h - top) * (k + 1) ** 2 // 40
        cv2.line(below, (0, y), (w, y), tint(colour, 0.85), 1)


def _picture(canvas: Image, rng: Generator, x: int, y: int, w: int, h: int) -> None:
    frame = pick(rng, ((70, 50, 35), (30, 30, 32), (220, 215, 205)))
    rectangle(canvas, x - 3, y - 3, w + 6, h + 6, frame)
    base, view = some(rng, 50, 220), canvas[max(y, 0) : y + h, max(x, 0) : x + w]
    if view.size:
        coat(view, rng, base, 70, 24)


def _shelf(canvas: Image, rng: Generator, x: int, y: int, w: int) -> None:
    for row in range(3):
        base = y + row * 34
        at = x + 2
        while at < x + w - 8:
            wide, high = int(rng.integers(4, 10)), int(rng.integers(18, 29))
            rectangle(canvas, at, base - high, wide - 2, high, some(rng, 40, 220))
            at += wide
        rectangle(canvas, x, base, w, 4, (90, 66, 46))


def _wall(canvas: Image, rng: Generator, horizon: int, colour: Colour) -> None:
    h, w = horizon, canvas.shape[1]
    coat(canvas[:h], rng, colour, 12, 64, 5)
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
            y = horizon - int(rng.integers(150, 190))
            _picture(canvas, rng, x, y, int(rng.integers(36, 74)), int(rng.integers(34, 62)))
        elif thing == 2:
            _shelf(canvas, rng, x, horizon - 130, int(rng.integers(60, 90)))
        elif thing == 3:  # window
            y = horizon - 200
            rectangle(canvas, x - 5, y - 5, 90, 118, (238, 236, 230))
            coat(canvas[y : y + 108, x : x + 80], rng, (176, 204, 226), 40, 40)
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
    coat(canvas[:horizon], rng, wall, 14, 48, 5)
    stripe = pick(rng, ((170, 60, 50), (50, 80, 140), (60, 120, 80)))
    rectangle(canvas, 0, horizon - 84, w, 30, tint(stripe, 1.0))
    for x in range(int(rng.integers(0, 90)), w, int(rng.integers(120, 190))):
        if rng.random() < 0.6:  # wall bars
            for y in range(horizon - 190, horizon - 6, 13):
                rectangle(canvas, x, y, 62, 4, (150, 104, 62))
            for post in (x - 3, x + 60):
                rectangle(canvas, post, horizon - 194, 5, 192, (120, 82, 50))
        else:
            _picture(canvas, rng, x, horizon - 180, 84, 44)
    _planks(canvas, rng, horizon, pick(rng, ((206, 160, 104), (186, 128, 84), (110, 140, 120))), 46)
    h = canvas.shape[0]
    for _ in range(3):
        y = int(rng.integers(horizon + 12, h))
        line = pick(rng, ((235, 235, 235), (180, 50, 50), (40, 70, 150)))
        cv2.line(canvas, (0, y), (w, y + int(rng.integers(-14, 14))), line, 3, cv2.LINE_AA)


def _sky(canvas: Image, rng: Generator, horizon: int) -> None:
    h, w = horizon, canvas.shape[1]
    skies = ((104, 154, 214), (150, 178, 206), (188, 196, 204), (226, 178, 146))
    high, low = np.array(pick(rng, skies), np.int32), np.array((214, 224, 230), np.int32)
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
    green = pick(rng, ((66, 110, 52), (92, 126, 56), (128, 112, 48), (52, 92, 62)))
    shades = np.linspace(0.62, 1.25, count)
    return offsets, radii, [tint(green, float(s * rng.uniform(0.9, 1.1))) for s in shades]


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
    mixed = (near.astype(np.int32) * share + far.astype(np.int32) * (256 - share)) >> 8
    canvas[horizon:] = mixed.astype(np.uint8)
    if rng.random() < 0.5:  # a path
        y = horizon + int(rng.integers(20, 70))
        coat(canvas[y : y + 30], rng, (178, 164, 138), 20, 10, 3)
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
            coat(canvas[top:horizon, left:right], rng, colour, 16, 20)
        lit = pick(rng, ((92, 108, 124), (64, 72, 84), (210, 196, 150)))
        gap_x, gap_y = int(rng.integers(20, 30)), int(rng.integers(28, 38))
        for wy in range(top + 10, horizon - 34, gap_y):
            for wx in range(x + 8, x + wide - 14, gap_x):
                rectangle(canvas, wx, wy, 11, 16, tint(lit, float(rng.uniform(0.8, 1.2))))
        door = x + int(rng.integers(10, max(11, wide - 30)))
        rectangle(canvas, door, horizon - 30, 18, 30, tint(colour, 0.5))
        x += wide
    pave = int(rng.integers(26, 44))
    coat(canvas[horizon : horizon + pave], rng, (168, 166, 160), 14, 10, 3)
    rectangle(canvas, 0, horizon + pave, w, 3, (120, 118, 114))
    coat(canvas[horizon + pave + 4 :], rng, (104, 104, 106), 20, 8, 3, 2)
    line = horizon + pave + int(rng.integers(24, 50))
    for x in range(int(rng.integers(0, 40)), w, 64):
        rectangle(canvas, x, line, 34, 4, (222, 220, 210))


@dataclass(frozen=True)
class Scene:
    """A painted background (h, w, 3) uint8 RGB, larger than the frame, its kind and horizon row."""

    canvas: Image
    kind: str
    horizon: int


def paint(rng: Generator, kind: str, height: int, width: int, horizon: int) -> Scene:
    """Paint a scene of `kind` with its ground beginning at row `horizon`."""
    canvas = np.zeros((height, width, 3), np.uint8)
    {"room": room, "hall": hall, "park": park, "street": street}[kind](canvas, rng, horizon)
    return Scene(canvas, kind, horizon)
