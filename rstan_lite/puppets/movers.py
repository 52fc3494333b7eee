"""All that is not the actor: swaying trees, cars, birds, balls, clutter, other people."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from . import gaits, parts
from .body import Wardrobe, build
from .furniture import WOODS, chair, desk, hoop
from .motion import FPS, Clock
from .outdoors import foliage
from .scene import Scene
from .skeleton import Array
from .sports import BALLS
from .view import Placement, Stroke, film, outline, strokes

_LAYER = -50.0  # drawn behind every person


def _disc(
    centre: Array, radius: float, camera: Array, colour: parts.Colour, order: float
) -> Stroke:
    """A filled circle whose centre (F, 2) moves in scene pixels."""
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = centre[:, None, :] + radius * np.stack([np.cos(turn), np.sin(turn)], -1)
    return Stroke(film(ring, camera), colour, np.full(len(camera), order))


def _shape(corners: Array, camera: Array, colour: parts.Colour, order: float) -> Stroke:
    return Stroke(film(corners, camera), colour, np.full(len(camera), order))


def tree(
    rng: Generator, camera: Array, x: float, ground: float, size: float, order: float
) -> list[Stroke]:
    """A tree whose crown sways in the wind; size: pixels from ground to crown's centre."""
    n = len(camera)
    time = np.arange(n) / FPS
    wind, period, phase = rng.uniform(0.3, 2.0), rng.uniform(0.9, 2.2), rng.uniform(0, 6)
    bark = (92 + int(rng.integers(-15, 15)), 72, 52)
    wide = size * 0.06
    trunk = [
        [x - wide, ground],
        [x + wide, ground],
        [x + wide / 2, ground - size],
        [x - wide / 2, ground - size],
    ]
    made = [_shape(np.tile(np.array(trunk), (n, 1, 1)), camera, bark, order)]
    offsets, radii, colours = foliage(rng, int(rng.integers(20, 32)), size * 0.5)
    for i, (offset, radius, colour) in enumerate(zip(offsets, radii, colours, strict=True)):
        shift = wind * size * 0.02 * np.sin(2 * np.pi * time / period + phase + 0.02 * offset[0])
        flutter = 0.6 * np.sin(2 * np.pi * time * 2.3 + i)
        centre = np.stack(
            [x + offset[0] + shift + flutter, ground - size + 0.75 * offset[1] + 0 * time], -1
        )
        made.append(_disc(centre, radius, camera, colour, order + 1e-3 * (i + 1)))
    return made


def car(
    rng: Generator, camera: Array, ground: float, size: float, speed: float, x: float
) -> list[Stroke]:
    """A car of length `size` pixels, moving at `speed` pixels a second (0: parked)."""
    n = len(camera)
    at = x + speed * np.arange(n) / FPS
    colour = ((180, 50, 46), (52, 84, 150), (200, 200, 204), (60, 62, 66), (214, 176, 70))[
        rng.integers(5)
    ]
    forward = -1.0 if speed < 0 else 1.0

    def polygon(points: list[list[float]], tone: parts.Colour, k: int) -> Stroke:
        local = np.array(points) * np.array([forward, 1.0]) * size
        moved = local[None] + np.stack([at, np.full(n, ground)], -1)[:, None, :]
        return _shape(moved, camera, tone, _LAYER + 20 + 0.01 * k)

    body = [[-0.5, -0.08], [-0.5, -0.2], [-0.3, -0.23], [0.3, -0.22], [0.5, -0.17], [0.5, -0.08]]
    cabin = [[-0.34, -0.22], [-0.24, -0.36], [0.08, -0.36], [0.24, -0.22]]
    glass = [[-0.28, -0.23], [-0.21, -0.33], [0.06, -0.33], [0.18, -0.23]]
    made = [
        polygon(body, colour, 0),
        polygon(cabin, parts.tint(colour, 0.85), 1),
        polygon(glass, (170, 192, 204), 2),
    ]
    for dx in (-0.3, 0.3):
        hub = np.stack([at + dx * size * forward, np.full(n, ground - 0.08 * size)], -1)
        made.append(_disc(hub, 0.085 * size, camera, (32, 32, 34), _LAYER + 20.1))
        made.append(_disc(hub, 0.04 * size, camera, (150, 150, 154), _LAYER + 20.2))
    return made


def bird(rng: Generator, camera: Array, x: float, y: float) -> list[Stroke]:
    """A bird that flaps across the sky."""
    n = len(camera)
    time = np.arange(n) / FPS
    speed = rng.uniform(30, 90) * (1 if rng.random() < 0.5 else -1)
    at = np.stack([x + speed * time, y + 4 * np.sin(3 * time)], -1)
    flap = 5 * np.sin(2 * np.pi * 4 * time + rng.uniform(0, 6))
    made = []
    for side in (-1, 1):
        tip = at + np.stack([np.full(n, 8.0 * side), flap - 2], -1)
        wing = outline(at, tip, np.full(n, 1.4), np.full(n, 0.6))
        made.append(_shape(wing, camera, (50, 48, 52), _LAYER + 5))
    return made


def bouncing_ball(
    rng: Generator, camera: Array, x: float, ground: float, size: float
) -> list[Stroke]:
    """A ball that bounces or rolls by, on its own."""
    n = len(camera)
    time = np.arange(n) / FPS
    _, colour = list(BALLS.values())[rng.integers(len(BALLS))]
    height = rng.choice([0.0, 20.0, 45.0])
    hop = np.abs(np.sin(np.pi * (time / rng.uniform(0.45, 0.7) + rng.uniform())))
    at = np.stack([x + rng.uniform(-70, 70) * time, ground - size - height * hop], -1)
    light = at + np.array([-0.25, -0.3]) * size
    return [
        _disc(at, size, camera, parts.tint(colour, 0.72), _LAYER + 30),
        _disc(light, size * 0.72, camera, colour, _LAYER + 30.1),
    ]


def surroundings(scene: Scene, camera: Array, rng: Generator) -> list[Stroke]:
    """The moving things of a scene: trees, cars, birds, balls."""
    width, horizon = scene.canvas.shape[1], scene.horizon
    made: list[Stroke] = []
    if scene.kind in ("park", "street"):
        for i in range(int(rng.integers(1, 3))):
            x = width * (0.2 + 0.6 * rng.uniform())
            made += tree(
                rng, camera, x, horizon + rng.uniform(4, 16), rng.uniform(70, 120), _LAYER + i
            )
        if rng.random() < 0.5:
            made += bird(
                rng, camera, rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.6) * horizon
            )
    if scene.kind == "street" and rng.random() < 0.8:
        speed = rng.uniform(60, 190) * (1 if rng.random() < 0.5 else -1)
        start = rng.uniform(0.1, 0.9) * width
        made += car(
            rng,
            camera,
            horizon + rng.uniform(22, 40),
            rng.uniform(95, 130),
            speed * (rng.random() < 0.75),
            start,
        )
    if rng.random() < 0.3:
        made += bouncing_ball(
            rng,
            camera,
            rng.uniform(0.25, 0.75) * width,
            horizon + rng.uniform(15, 60),
            rng.uniform(4, 9),
        )
    return made


def _lying(n: int, rng: Generator) -> list[parts.Part]:
    """A ball, a bat, a club, a bow or a bag on the ground."""
    kind = rng.integers(5)
    if kind == 0:
        radius, colour = list(BALLS.values())[rng.integers(len(BALLS))]
        return [parts.ball(parts.fixed(n, (0, radius, 0)), radius, colour)]
    if kind == 1:
        angle = rng.uniform(0.0, 0.5)
        ends = (
            (-0.24 * np.cos(angle), 0.02, 0.0),
            (0.24 * np.cos(angle), 0.02, 0.24 * np.sin(angle)),
        )
        return [
            parts.rod(
                parts.fixed(n, ends[0]), parts.fixed(n, ends[1]), 0.013, (190, 145, 88), end=0.026
            )
        ]
    if kind == 2:
        foot = parts.fixed(n, (0.0, 0.02, 0.0))
        return [
            parts.rod(parts.fixed(n, (0.15, 0.55, -0.1)), foot, 0.009, (170, 172, 180)),
            parts.rod(foot, foot + np.array([0.05, 0, 0]), 0.02, (50, 50, 55)),
        ]
    size = rng.uniform(0.1, 0.3)
    centre = parts.fixed(n, (0, size / 2, 0))
    return [
        parts.box(
            centre,
            (size * 1.3, size, size),
            ((160, 116, 70), (70, 84, 120), (150, 60, 56))[rng.integers(3)],
        )
    ]


def clutter(n: int, rng: Generator) -> list[parts.Part]:
    """A thing that some action uses, standing about unused."""
    kind = rng.integers(8)
    if kind == 0:
        return chair(n, (0.0, 0.0), rng)
    if kind == 1:
        return desk(n, (0.0, 0.42, 0.0), (0.45, 0.04, 0.4), WOODS[rng.integers(len(WOODS))])
    if kind == 2:
        return hoop(n, 0.0, 1.5)
    return _lying(n, rng)


def bystander(
    rng: Generator, camera: Array, place: Placement, behaviour: str, layer: float
) -> list[Stroke]:
    """Somebody else. behaviour: "stands", "walks" past, "frozen" (a mannequin)."""
    n = len(camera)
    clock = Clock.over(n, -50.0, n + 50.0)
    act: Callable = gaits.walk if behaviour == "walks" else gaits.idle
    performance = act(clock, rng)
    if behaviour == "frozen":
        for name, path in performance.skeleton.joints.items():
            performance.skeleton.joints[name] = np.repeat(path[:1], n, 0)
        for name, frame in performance.skeleton.frames.items():
            performance.skeleton.frames[name] = np.repeat(frame[:1], n, 0)
    look = Wardrobe.draw(rng)
    return strokes(build(performance.skeleton, look), place, camera, layer, False)
