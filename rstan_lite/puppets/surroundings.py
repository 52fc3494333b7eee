"""All that is not the actor: trees, cars, birds, clutter, bystanders, and rivals who act too."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator

from . import gaits
from .actions import ACTIONS, CLASSES
from .body import Wardrobe, build
from .gestures import WOODS, chair, desk
from .painting import (
    Array,
    Colour,
    Easel,
    Part,
    Placement,
    Stroke,
    ball,
    box,
    film,
    outline,
    rod,
    strokes,
    table,
    tint,
)
from .scenery import Scene, foliage, rectangle, some
from .skeleton import FPS, Clock, Pose, points
from .sports import BALLS, hoop

CARS, BAGS = table("looks")["cars"], table("looks")["bags"]
_LAYER = -50.0  # drawn behind every person


def _disc(centre: Array, radius: float, camera: Array, colour: Colour, order: float) -> Stroke:
    """A filled circle whose centre (F, 2) moves in scene pixels."""
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = centre[:, None, :] + radius * np.stack([np.cos(turn), np.sin(turn)], -1)
    return Stroke(film(ring, camera), colour, np.full(len(camera), order))


def _shape(corners: Array, camera: Array, colour: Colour, order: float) -> Stroke:
    return Stroke(film(corners, camera), colour, np.full(len(camera), order))


def tree(
    rng: Generator, camera: Array, x: float, ground: float, size: float, order: float
) -> list[Stroke]:
    """A tree whose crown sways in the wind; size: pixels from ground to crown's centre."""
    time = np.arange(len(camera)) / FPS
    wind, period, phase = rng.uniform(0.3, 2.0), rng.uniform(0.9, 2.2), rng.uniform(0, 6)
    bark = (92 + int(rng.integers(-15, 15)), 72, 52)
    wide = size * 0.06
    low, high = [[x - wide, ground], [x + wide, ground]], ground - size
    trunk = np.array([[*low, [x + wide / 2, high], [x - wide / 2, high]]])
    made = [_shape(trunk, camera, bark, order)]
    offsets, radii, colours = foliage(rng, int(rng.integers(20, 32)), size * 0.5)
    for i, (offset, radius, colour) in enumerate(zip(offsets, radii, colours, strict=True)):
        shift = wind * size * 0.02 * np.sin(2 * np.pi * time / period + phase + 0.02 * offset[0])
        flutter = 0.6 * np.sin(2 * np.pi * time * 2.3 + i)
        centre = points(x + offset[0] + shift + flutter, ground - size + 0.75 * offset[1])
        made.append(_disc(centre, radius, camera, colour, order + 1e-3 * (i + 1)))
    return made


def car(
    rng: Generator, camera: Array, ground: float, size: float, speed: float, x: float
) -> list[Stroke]:
    """A car of length `size` pixels, moving at `speed` pixels a second (0: parked)."""
    at = x + speed * np.arange(len(camera)) / FPS
    colour = CARS[rng.integers(len(CARS))]
    forward = -1.0 if speed < 0 else 1.0
    body = [[-0.5, -0.08], [-0.5, -0.2], [-0.3, -0.23], [0.3, -0.22], [0.5, -0.17], [0.5, -0.08]]
    cabin = [[-0.34, -0.22], [-0.24, -0.36], [0.08, -0.36], [0.24, -0.22]]
    glass = [[-0.28, -0.23], [-0.21, -0.33], [0.06, -0.33], [0.18, -0.23]]
    painted = ((body, colour), (cabin, tint(colour, 0.85)), (glass, (170, 192, 204)))
    made = []
    for k, (polygon, tone) in enumerate(painted):
        local = np.array(polygon) * np.array([forward, 1.0]) * size
        moved = local[None] + points(at, ground)[:, None, :]
        made.append(_shape(moved, camera, tone, _LAYER + 20 + 0.01 * k))
    for dx in (-0.3, 0.3):
        hub = points(at + dx * size * forward, ground - 0.08 * size)
        made.append(_disc(hub, 0.085 * size, camera, (32, 32, 34), _LAYER + 20.1))
        made.append(_disc(hub, 0.04 * size, camera, (150, 150, 154), _LAYER + 20.2))
    return made


def bird(rng: Generator, camera: Array, x: float, y: float) -> list[Stroke]:
    """A bird that flaps across the sky."""
    n, time = len(camera), np.arange(len(camera)) / FPS
    speed = rng.uniform(30, 90) * (1 if rng.random() < 0.5 else -1)
    at = points(x + speed * time, y + 4 * np.sin(3 * time))
    flap = 5 * np.sin(2 * np.pi * 4 * time + rng.uniform(0, 6))
    made = []
    for side in (-1, 1):
        wing = outline(at, at + points(8.0 * side, flap - 2), np.full(n, 1.4), np.full(n, 0.6))
        made.append(_shape(wing, camera, (50, 48, 52), _LAYER + 5))
    return made


def bouncing_ball(
    rng: Generator, camera: Array, x: float, ground: float, size: float
) -> list[Stroke]:
    """A ball that bounces or rolls by, on its own."""
    time = np.arange(len(camera)) / FPS
    _, colour = list(BALLS.values())[rng.integers(len(BALLS))]
    height = rng.choice([0.0, 20.0, 45.0])
    hop = np.abs(np.sin(np.pi * (time / rng.uniform(0.45, 0.7) + rng.uniform())))
    at = points(x + rng.uniform(-70, 70) * time, ground - size - height * hop)
    light = at + np.array([-0.25, -0.3]) * size
    return [
        _disc(at, size, camera, tint(colour, 0.72), _LAYER + 30),
        _disc(light, size * 0.72, camera, colour, _LAYER + 30.1),
    ]


def moving_things(scene: Scene, camera: Array, rng: Generator) -> list[Stroke]:
    """The moving things of a scene: trees, cars, birds, balls."""
    width, horizon = scene.canvas.shape[1], scene.horizon
    made: list[Stroke] = []
    if scene.kind in ("park", "street"):
        for i in range(int(rng.integers(1, 3))):
            x = width * (0.2 + 0.6 * rng.uniform())
            ground = horizon + rng.uniform(4, 16)
            made += tree(rng, camera, x, ground, rng.uniform(70, 120), _LAYER + i)
        if rng.random() < 0.5:
            x = rng.uniform(0.2, 0.8) * width
            made += bird(rng, camera, x, rng.uniform(0.2, 0.6) * horizon)
    if scene.kind == "street" and rng.random() < 0.8:
        speed = rng.uniform(60, 190) * (1 if rng.random() < 0.5 else -1)
        x = rng.uniform(0.1, 0.9) * width
        ground, size = horizon + rng.uniform(22, 40), rng.uniform(95, 130)
        made += car(rng, camera, ground, size, speed * (rng.random() < 0.75), x)
    if rng.random() < 0.3:
        x, ground = rng.uniform(0.25, 0.75) * width, horizon + rng.uniform(15, 60)
        made += bouncing_ball(rng, camera, x, ground, rng.uniform(4, 9))
    return made


def _lying(rng: Generator) -> list[Part]:
    """A ball, a bat, a club or a bag on the ground."""
    kind = rng.integers(5)
    if kind == 0:
        radius, colour = list(BALLS.values())[rng.integers(len(BALLS))]
        return [ball((0, radius, 0), radius, colour)]
    if kind == 1:
        angle = rng.uniform(0.0, 0.5)
        x, z = 0.24 * np.cos(angle), 0.24 * np.sin(angle)
        return [rod((-x, 0.02, 0.0), (x, 0.02, z), 0.013, (190, 145, 88), end=0.026)]
    if kind == 2:
        foot = (0.0, 0.02, 0.0)
        shaft = rod((0.15, 0.55, -0.1), foot, 0.009, (170, 172, 180))
        return [shaft, rod(foot, (0.05, 0.02, 0.0), 0.02, (50, 50, 55))]
    size = rng.uniform(0.1, 0.3)
    return [box((0, size / 2, 0), (size * 1.3, size, size), BAGS[rng.integers(len(BAGS))])]


def clutter(rng: Generator) -> list[Part]:
    """A thing that some action uses, standing about unused."""
    kind = rng.integers(8)
    if kind == 0:
        return chair((0.0, 0.0), rng)
    if kind == 1:
        return desk((0.0, 0.42, 0.0), (0.45, 0.04, 0.4), WOODS[rng.integers(len(WOODS))])
    if kind == 2:
        return hoop(0.0, 1.5)
    return _lying(rng)


def bystander(
    rng: Generator, camera: Array, place: Placement, behaviour: str, layer: float
) -> list[Stroke]:
    """Somebody else. behaviour: "stands", "walks" past, "frozen" (a mannequin)."""
    n = len(camera)
    act = gaits.walk if behaviour == "walks" else gaits.idle
    performance = act(Pose.idle(n), Clock.over(n, -50.0, n + 50.0), rng)
    if behaviour == "frozen":
        for moving in (performance.skeleton.joints, performance.skeleton.frames):
            moving |= {name: np.repeat(path[:1], n, 0) for name, path in moving.items()}
    body = build(performance.skeleton, Wardrobe.draw(rng))
    return strokes(body, place, camera, layer, False)


VEST, BANDS = (212, 255, 40), (255, 110, 20)  # no other cloth and no scene has these colours
ROOM = 0.72  # actors are filmed from farther away where they share the frame
APART = 0.6  # heights that should lie between two people
_TRIES = 16  # spots looked at for each rival


@dataclass(frozen=True)
class Stage:
    """Where company may stand: the scene, the film of it, and the actor's place.

    camera: (F, 2, 3). middle: column at the frame's centre, and width of the frame, scene pixels.
    """

    scene: Scene
    camera: Array
    middle: float
    actor: Placement
    width: float

    def place(self, x: float, share: float, yaw: float, mirrored: bool) -> Placement:
        """Where a person stands who looks `share` times as tall as the actor, in column x."""
        actor = self.actor
        ground = actor.origin[1] - (1 - share) * (actor.origin[1] - self.scene.horizon)
        return Placement((x, ground), actor.height * share, yaw, mirrored, actor.pitch)


@dataclass
class Company:
    """Strokes to draw, the places where somebody stands (and has a shadow), number of people."""

    strokes: list[Stroke] = field(default_factory=list)
    standing: list[Placement] = field(default_factory=list)
    people: int = 0


def _layer(share: float) -> float:
    return -20.0 + 10.0 * share  # behind the actor, the farther the smaller


def bystanders(stage: Stage, rng: Generator, strangers: bool) -> Company:
    """Clutter behind the actor and, with `strangers`, people who do nothing in particular."""
    company = Company()
    people = int(rng.choice([0, 1, 2], p=[0.45, 0.38, 0.17])) if strangers else 0
    count = int(rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))
    for k in range(people + count):
        share = rng.uniform(0.5, 0.9)
        x = stage.middle + rng.uniform(-0.46, 0.46) * stage.width
        place = stage.place(x, share, rng.uniform(-0.6, 1.9), bool(rng.random() < 0.5))
        if k < people:
            behaviour = ("stands", "stands", "walks", "frozen")[rng.integers(4)]
            company.strokes += bystander(rng, stage.camera, place, behaviour, _layer(share))
            if behaviour != "walks":
                company.standing.append(place)
        else:
            company.strokes += strokes(clutter(rng), place, stage.camera, _layer(share), False)
    company.people = people
    return company


def vested(look: Wardrobe) -> Wardrobe:
    """The same person in a high-visibility vest, by which an actor is told from the rivals."""
    return replace(look, shirt=VEST, trim=BANDS, print_="stripes")


def rivals(stage: Stage, own: str, number: int, rng: Generator) -> Company:
    """People about as large as the actor who perform other actions than his, `own`.

    They stand where there is room, in the middle three quarters of the frame.
    """
    company = Company(people=number)
    taken = [stage.actor.origin[0]]
    for name in rng.permutation([name for name in CLASSES if name != own])[:number]:
        action = ACTIONS[name]
        performance = action.play(len(stage.camera), rng)
        share = rng.uniform(0.84, 0.98)
        yaw = np.deg2rad(rng.uniform(*action.yaw))
        place = stage.place(0.0, share, yaw, bool(rng.random() < 0.5))
        spots = stage.middle + stage.width * rng.uniform(-0.375, 0.375, _TRIES)
        gaps = np.abs(spots[:, None] - np.array(taken)).min(1)
        # the first spot with room enough, or else the one with most
        x = float(spots[np.argmax(np.minimum(gaps, APART * stage.actor.height))])
        taken.append(x)
        middle = place.project(performance.pose.pelvis)[0][:, 0].mean()  # of those who travel
        place = replace(place, origin=(x - middle, place.origin[1]))
        body = build(performance.skeleton, Wardrobe.draw(rng, action.hair))
        parts = [*performance.props, *body]
        company.strokes += strokes(parts, place, stage.camera, _layer(share), False)
        company.standing.append(place)
    return company


def poster(scene: Scene, rng: Generator, x: float, height: float) -> None:
    """Hang a picture of a person on the wall of an indoor scene."""
    canvas = scene.canvas
    bottom = scene.horizon - 12
    wide, high = int(height * 0.55), int(height * 1.15)
    left, top = int(np.clip(x, 0, canvas.shape[1] - wide - 2)), max(bottom - high, 2)
    rectangle(canvas, left - 3, top - 3, wide + 6, bottom - top + 6, (40, 36, 34))
    rectangle(canvas, left, top, wide, bottom - top, some(rng, 120, 235))
    still = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    place = Placement((left + wide / 2, bottom - 4.0), (bottom - top) / 1.12, rng.uniform(0.3, 1.5))
    figure = bystander(rng, still, place, "frozen", 0.0)
    painted, _ = Easel(figure, 1).paint(canvas, 0)
    canvas[top:bottom, left : left + wide] = painted[top:bottom, left : left + wide]
