"""The actor's company: bystanders, clutter, and rivals who perform other actions beside him."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.random import Generator

from . import movers
from .actions import ACTIONS, CLASSES
from .body import Wardrobe, build
from .scene import Scene
from .skeleton import Array
from .view import Easel, Placement, Stroke, strokes

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

    def ground(self, share: float) -> float:
        """The row on which a person stands who looks `share` times as tall as the actor."""
        return self.actor.origin[1] - (1 - share) * (self.actor.origin[1] - self.scene.horizon)


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
        yaw, mirrored = rng.uniform(-0.6, 1.9), bool(rng.random() < 0.5)
        actor = stage.actor
        place = Placement(
            (x, stage.ground(share)), actor.height * share, yaw, mirrored, actor.pitch
        )
        if k < people:
            behaviour = ("stands", "stands", "walks", "frozen")[rng.integers(4)]
            company.strokes += movers.bystander(rng, stage.camera, place, behaviour, _layer(share))
            if behaviour != "walks":
                company.standing.append(place)
        else:
            thing = movers.clutter(len(stage.camera), rng)
            company.strokes += strokes(thing, place, stage.camera, _layer(share), False)
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
        performance = action.perform(action.clock(len(stage.camera), rng), rng)
        share = rng.uniform(0.84, 0.98)
        yaw = np.deg2rad(rng.uniform(*action.yaw))
        mirrored, height = bool(rng.random() < 0.5), stage.actor.height * share
        place = Placement((0.0, stage.ground(share)), height, yaw, mirrored, stage.actor.pitch)
        spots = stage.middle + stage.width * rng.uniform(-0.375, 0.375, _TRIES)
        gaps = np.abs(spots[:, None] - np.array(taken)).min(1)
        # the first spot with room enough, or else the one with most
        x = float(spots[np.argmax(np.minimum(gaps, APART * stage.actor.height))])
        taken.append(x)
        middle = place.project(performance.pose.pelvis)[0][:, 0].mean()  # of those who travel
        place = replace(place, origin=(x - middle, place.origin[1]))
        body = build(performance.skeleton, Wardrobe.draw(rng, action.long_hair))
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
    cv2.rectangle(canvas, (left - 3, top - 3), (left + wide + 3, bottom + 3), (40, 36, 34), -1)
    back = tuple(int(c) for c in rng.integers(120, 235, 3))
    cv2.rectangle(canvas, (left, top), (left + wide, bottom), back, -1)
    still = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    place = Placement((left + wide / 2, bottom - 4.0), (bottom - top) / 1.12, rng.uniform(0.3, 1.5))
    figure = movers.bystander(rng, still, place, "frozen", 0.0)
    painted, _ = Easel(figure, 1).paint(canvas, 0)
    canvas[top:bottom, left : left + wide] = painted[top:bottom, left : left + wide]
