"""Things that stand about: tables, chairs, stairs, basketball hoops."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from . import parts

WOODS: tuple[parts.Colour, ...] = ((140, 95, 55), (175, 130, 85), (95, 65, 45), (70, 75, 85))


def desk(
    n_frames: int,
    at: tuple[float, float, float],
    size: tuple[float, float, float],
    wood: parts.Colour,
) -> list[parts.Part]:
    """A table whose top surface has its centre at `at`."""
    x, y, z = at
    top = parts.box(parts.fixed(n_frames, (x, y - size[1] / 2, z)), size, wood, bias=0.25)
    legs = [
        parts.rod(
            parts.fixed(n_frames, (x + sx * size[0] * 0.44, y - size[1], z + sz * size[2] * 0.44)),
            parts.fixed(n_frames, (x + sx * size[0] * 0.44, 0.0, z + sz * size[2] * 0.44)),
            0.016,
            parts.tint(wood, 0.8),
            bias=0.2 if sz > 0 else -0.4,
        )
        for sx in (-1, 1)
        for sz in (-1, 1)
    ]
    return [*legs, top]


def chair(n_frames: int, at: tuple[float, float], rng: Generator) -> list[parts.Part]:
    """A chair, stool or sofa facing +x, its seat's centre above `at` = (x, z), 0.26 high."""
    x, z = at
    kind = rng.integers(3)
    wood = (*WOODS, (150, 50, 50), (60, 110, 90), (70, 80, 140))[rng.integers(7)]
    if kind == 2:
        wide = 0.6
        seat = parts.box(parts.fixed(n_frames, (x, 0.13, z)), (0.3, 0.24, wide), wood, bias=-6)
        back = parts.box(
            parts.fixed(n_frames, (x - 0.19, 0.27, z)),
            (0.09, 0.5, wide),
            parts.tint(wood, 0.9),
            bias=-6.5,
        )
        return [back, seat]
    seat = parts.box(parts.fixed(n_frames, (x, 0.24, z)), (0.27, 0.035, 0.27), wood, bias=-6)
    made = [seat]
    for sx in (-1, 1):
        for sz in (-1, 1):
            top = parts.fixed(n_frames, (x + sx * 0.12, 0.23, z + sz * 0.12))
            foot = parts.fixed(n_frames, (x + sx * 0.13, 0.0, z + sz * 0.13))
            made.append(parts.rod(top, foot, 0.012, parts.tint(wood, 0.85), bias=-6.2))
    if kind == 0:
        for sz in (-1, 1):
            low = parts.fixed(n_frames, (x - 0.125, 0.24, z + sz * 0.12))
            high = parts.fixed(n_frames, (x - 0.16, 0.58, z + sz * 0.12))
            made.append(parts.rod(low, high, 0.012, wood, bias=-6.4))
        rest = parts.fixed(n_frames, (x - 0.155, 0.5, z))
        made.append(parts.box(rest, (0.02, 0.14, 0.25), wood, bias=-6.3))
    return made


def hoop(n_frames: int, x: float, y: float, z: float = 0.0) -> list[parts.Part]:
    """A basketball hoop with board, net and post, whose ring hangs at (x, y, z)."""
    at = parts.fixed(n_frames, (x, y, z))
    turn = np.linspace(0, 2 * np.pi, 13)
    ring = [at + np.array([0.11 * np.cos(a), 0.0, 0.11 * np.sin(a)]) for a in turn]
    low = [at + np.array([0.06 * np.cos(a), -0.16, 0.06 * np.sin(a)]) for a in turn]
    net = [parts.rod(ring[i], low[(i + 1) % 12], 0.004, (225, 225, 225)) for i in range(0, 12, 2)]
    board = parts.box(
        at + np.array([0.15, 0.14, 0.0]), (0.025, 0.36, 0.55), (240, 240, 240), bias=-3
    )
    frame = [
        at + np.array([0.13, b, c])
        for b, c in ((0.03, -0.11), (0.2, -0.11), (0.2, 0.11), (0.03, 0.11))
    ]
    post = parts.rod(
        parts.fixed(n_frames, (x + 0.32, 0, z)),
        parts.fixed(n_frames, (x + 0.2, y + 0.1, z)),
        0.025,
        (85, 90, 100),
        bias=-4,
    )
    mark = parts.chain(frame, 0.006, (200, 50, 40), bias=-2)
    return [post, board, mark, parts.chain(ring, 0.012, (225, 80, 30)), *net]


def stairs(n_frames: int, tread: float, rise: float, rng: Generator) -> list[parts.Part]:
    """A flight of steps up along +x, perhaps with a handrail on its far side."""
    colour = [(150, 145, 140), (130, 90, 60), (170, 120, 95)][rng.integers(3)]
    depth = rng.uniform(0.3, 0.5)
    made = []
    for level in range(1, 12):
        height = rise * level
        centre = parts.fixed(n_frames, (tread * level, height / 2, 0.0))
        step = parts.box(centre, (tread, height, 2 * depth), colour, bias=-8 - 0.01 * level)
        for side in (-1, 1):  # nosings show where a step begins
            near = tread * (level - 0.5), height, side * depth
            far = tread * (level + 0.5), height, side * depth
            ends = parts.fixed(n_frames, near), parts.fixed(n_frames, far)
            light = parts.tint(colour, 1.35)
            step.capsules.append(parts.Capsule(*ends, 0.007, 0.007, light, shaded=False))
        made.append(step)
    if rng.random() < 0.6:
        metal = (90, 85, 85)
        posts = [(tread * k, rise * k) for k in range(0, 12, 2)]
        for x, y in posts:
            low, high = (parts.fixed(n_frames, (x, y + up, -depth)) for up in (0.0, 0.45))
            made.append(parts.rod(low, high, 0.008, metal, bias=-7.5))
        rail = [parts.fixed(n_frames, (x, y + 0.45, -depth)) for x, y in (posts[0], posts[-1])]
        made.append(parts.rod(rail[0], rail[1], 0.014, metal, bias=-7))
    return made
