"""Actions at one place, chairs and tables; see `actions.Action` for what actions are given."""

import numpy as np
from numpy.random import Generator

from .gaits import sway
from .painting import Colour, Part, ball, box, chain, rod, table, tint
from .skeleton import SIDE, Clock, Performance, Pose, blend, keys, points

WOODS: tuple[Colour, ...] = table("looks")["woods"]
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))  # of a seat or a table, in x and z


def desk(
    at: tuple[float, float, float], size: tuple[float, float, float], wood: Colour
) -> list[Part]:
    """A table whose top surface has its centre at `at`."""
    x, y, z = at
    legs = []
    for sx, sz in CORNERS:
        across, along = x + sx * size[0] * 0.44, z + sz * size[2] * 0.44
        top, foot = (across, y - size[1], along), (across, 0.0, along)
        legs.append(rod(top, foot, 0.016, tint(wood, 0.8), bias=0.2 if sz > 0 else -0.4))
    return [*legs, box((x, y - size[1] / 2, z), size, wood, bias=0.25)]


def chair(at: tuple[float, float], rng: Generator) -> list[Part]:
    """A chair, stool or sofa facing +x, its seat's centre above `at` = (x, z), 0.26 high."""
    x, z = at
    kind = rng.integers(3)
    wood = (*WOODS, (150, 50, 50), (60, 110, 90), (70, 80, 140))[rng.integers(7)]
    if kind == 2:
        seat = box((x, 0.13, z), (0.3, 0.24, 0.6), wood, bias=-6)
        back = box((x - 0.19, 0.27, z), (0.09, 0.5, 0.6), tint(wood, 0.9), bias=-6.5)
        return [back, seat]
    made = [box((x, 0.24, z), (0.27, 0.035, 0.27), wood, bias=-6)]
    for sx, sz in CORNERS:
        top, foot = (x + sx * 0.12, 0.23, z + sz * 0.12), (x + sx * 0.13, 0.0, z + sz * 0.13)
        made.append(rod(top, foot, 0.012, tint(wood, 0.85), bias=-6.2))
    if kind == 0:
        for sz in (-1, 1):
            low, high = (x - 0.125, 0.24, z + sz * 0.12), (x - 0.16, 0.58, z + sz * 0.12)
            made.append(rod(low, high, 0.012, wood, bias=-6.4))
        made.append(box((x - 0.155, 0.5, z), (0.02, 0.14, 0.25), wood, bias=-6.3))
    return made


def brush_hair(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Draw a brush through long hair, from the crown to the shoulder, again and again."""
    cycle = (clock.seconds / rng.uniform(0.55, 0.85) + rng.uniform(0, 1)) % 1.0
    crown, low, off = [0.02, 0.2, 0.06], [0.03, -0.05, 0.06], [0.09, 0.06, 0.14]
    stroke = keys(cycle, (0, crown), (0.65, low), (0.8, off), (1, crown))
    stroke[:, 2] += np.sin(np.pi * cycle) * 0.03
    pose.hands[:, 0] = blend(pose.hands[:, 0], stroke, np.minimum(1, 0.15 + clock.weight))
    pose.elbows[:, 0] = [0.2, -0.5, 1.0]
    if rng.random() < 0.5:  # the other hand holds the hair
        pose.hands[:, 1] = [0.1, 0.0, 0.02]
        pose.elbows[:, 1] = [0.2, -1.0, -0.8]
    pose.lean[:, 1] = 0.06
    pose.head[:, 0] = 0.12
    sway(pose, clock.seconds, rng, 0.4)
    performance = Performance(pose)
    s = performance.skeleton
    inward = s["face"] - s["r_fingers"]
    inward[:, 1] = 0.02
    inward /= np.linalg.norm(inward, axis=-1, keepdims=True)
    grip, tip = s["r_fingers"] - 0.02 * inward, s["r_fingers"] + 0.1 * inward
    colour = [(215, 50, 110), (70, 170, 215), (245, 240, 225)][rng.integers(3)]
    return performance.with_props(rod(grip, tip, 0.012, colour, end=0.026, bias=0.08))


def clap(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Clap the hands before the chest."""
    period = rng.uniform(0.3, 0.45)
    wide = rng.uniform(0.13, 0.2)
    open_ = (0.5 - 0.5 * np.cos(2 * np.pi * clock.seconds / period)) ** 0.8 * wide + 0.012
    forward, high = rng.uniform(0.16, 0.2), rng.uniform(-0.14, 0.02)
    for i in range(2):
        ready = points(forward, high, SIDE[i] * (open_ - 0.105))
        pose.hands[:, i] = blend(pose.hands[:, i], ready, clock.weight)
        pose.elbows[:, i] = [-0.3, -1.0, SIDE[i] * 0.9]
    sway(pose, clock.seconds, rng, 0.4)
    return Performance(pose)


def wave(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Raise one arm and swing the open hand from side to side."""
    period, wide = rng.uniform(0.45, 0.7), rng.uniform(0.09, 0.13)
    swing = wide * np.sin(2 * np.pi * clock.seconds / period)
    arm = points(0.06, rng.uniform(0.14, 0.24) - 0.25 * np.abs(swing), 0.11 + swing)
    pose.hands[:, 0] = blend(pose.hands[:, 0], arm, clock.weight)
    pose.elbows[:, 0] = [0.0, -0.7, 1.0]
    sway(pose, clock.seconds, rng, 0.5)
    return Performance(pose)


def pick(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Bend down to a thing on the ground, take it and come up with it."""
    u, grab = clock.progress, 0.5
    squat = rng.uniform(0.0, 1.0)
    both = rng.random() < 0.5
    pose.follow("pick", u, deep=0.40 - 0.12 * squat, bent=1.35 - 0.45 * squat)
    spot, carry = np.array([0.24, 0.1, 0.0]), np.array([0.2, 0.5, 0.0])
    pose.hands_world = True
    for i, sign in enumerate(SIDE):
        side, rest = np.array([0.0, 0.0, 0.09 * sign]), np.array([0.04, 0.5, 0.14 * sign])
        path = [(0, rest), (0.4, spot + side), (0.55, spot + side), (1, carry + side)]
        if i == 1 and not both:
            low = [0.12, 0.32, -0.09]
            path = [(0, rest), (0.45, low), (0.55, low), (1, rest)]
        pose.hands[:, i] = keys(u, *path)
    performance = Performance(pose)
    s = performance.skeleton
    hand = (s["r_fingers"] + s["l_fingers"]) / 2 if both else s["r_fingers"]
    first = int(np.argmax(u >= grab))
    size = rng.uniform(0.09, 0.15)
    held = hand - np.array([0.0, size * 0.35, 0.0])
    ground = held[first] * np.array([1.0, 0.0, 1.0]) + np.array([0.0, size / 2, 0.0])
    path = np.where((u >= grab)[:, None], held, ground)
    kind = rng.integers(3)
    colour = [(170, 125, 75), (185, 60, 55), (60, 95, 160), (220, 180, 60)][rng.integers(4)]
    if kind == 0:
        return performance.with_props(box(path, (size * 1.2, size, size), colour, bias=0.02))
    if kind == 1:
        return performance.with_props(ball(path, size / 2, colour, bias=0.02))
    up = np.array([0.0, size / 2, 0.0])
    bottle = rod(path - up * 0.4, path + up * 0.6, size * 0.42, colour, size * 0.25, bias=0.02)
    return performance.with_props(bottle)


def pour(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Lift a jug from a table, tilt it, and let it run into a glass."""
    u, table = clock.progress, rng.uniform(0.44, 0.5)
    glass_x, top, start, stop = 0.37, table + 0.26, 0.34, 0.8
    pose.hands_world = True
    heights = {"standing": table + 0.08, "top": top, "poured": top + 0.02, "empty": top + 0.03}
    tilt = pose.follow("pour", u, **heights, put=table + 0.12, start=start, stop=stop)["tilt"]
    holds = rng.random() < 0.5
    lift = 0.1 * holds
    beside, at_glass = [0.2, table + 0.02, -0.16], [glass_x - 0.08, table + 0.05 + lift, -0.02]
    pose.hands[:, 1] = at_glass if holds else beside
    sway(pose, clock.seconds, rng, 0.2)
    performance = Performance(pose)
    s = performance.skeleton
    axis = points(np.sin(tilt), np.cos(tilt), 0.0)
    bottom, neck, mouth = (s["r_fingers"] + d * axis for d in (-0.09, 0.05, 0.12))
    body = [(70, 120, 80), (150, 60, 50), (205, 205, 210), (60, 90, 150)][rng.integers(4)]
    foot, up = np.array([glass_x, table + lift, 0.0]), np.array([0.0, 0.13, 0.0])
    drink = [(130, 40, 35), (215, 160, 60), (120, 80, 45), (235, 235, 240)][rng.integers(4)]
    runs = (tilt > 1.45) & (u > start - 0.08)
    fill = np.cumsum(runs) / len(clock)
    level = foot + up * np.clip(0.15 + 1.2 * fill, 0, 0.85)[:, None]
    fall = points(glass_x, mouth[:, 1] - 0.04, mouth[:, 2])
    jet = chain([mouth, fall, level], 0.009, drink, bias=0.33)
    jet.visible = runs
    wood = WOODS[rng.integers(len(WOODS))]
    return performance.with_props(
        rod(bottom, neck, 0.042, body, end=0.038, bias=0.05),
        rod(neck, mouth, 0.026, body, end=0.015, bias=0.05),
        rod(foot + up * 0.15, foot + up, 0.036, (205, 222, 232), end=0.045, bias=0.3),
        rod(foot + up * 0.15, level, 0.029, drink, end=0.036, bias=0.31),
        jet,
        *desk((0.52, table, 0.0), (0.5, 0.04, 0.7), wood),
    )


def _seat_change(pose: Pose, clock: Clock, rng: Generator, *path: float) -> Performance:
    """Lower (0 to 1) or raise (1 to 0) somebody between standing and sitting on a chair."""
    down = keys(clock.progress, *zip((0, 0.1, 0.85, 1), path, strict=True))
    pose.follow("sit", down)
    pose.head[:, 0] = -0.3 * np.sin(np.pi * down)
    sway(pose, clock.seconds, rng, 0.3)
    return Performance(pose, chair((-0.26, 0.0), rng))


def sit(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Sit down on a chair."""
    return _seat_change(pose, clock, rng, 0.0, 0.02, 0.98, 1.0)


def stand(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Stand up from a chair."""
    return _seat_change(pose, clock, rng, 1.0, 0.98, 0.02, 0.0)
