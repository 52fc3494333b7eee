"""Actions of the whole body over the ground; see `actions.Action` for what they are given."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .painting import Array, Capsule, Part, ball, box, rod, tint
from .skeleton import ANKLE, FPS, SIDE, STANDING, Clock, Performance, Pose, blend, ease


@dataclass(frozen=True)
class Gait:
    """How somebody gets along: seconds and reach of a stride, and the feet's share on the ground.

    reach: how far a foot stands before and behind the pelvis, in heights. heel: how high the
    swinging foot is lifted. kick: how far it folds up behind.
    """

    period: float
    reach: float
    stance: float
    heel: float
    kick: float
    height: float
    bob: float


WALK = Gait(period=1.0, reach=0.2, stance=0.6, heel=0.05, kick=0.0, height=0.505, bob=0.012)
RUN = Gait(period=0.64, reach=0.23, stance=0.34, heel=0.13, kick=0.2, height=0.5, bob=0.035)
SHOVE = Gait(period=0.95, reach=0.17, stance=0.62, heel=0.05, kick=0.0, height=0.45, bob=0.01)


def stride(pose: Pose, gait: Gait, seconds: Array, weight: Array, phase: float) -> Array:
    """Move pelvis and feet of `pose` by a gait; returns the cycle (F, 2) of right and left foot.

    weight (F,) fades the gait in and out; the pelvis advances at the speed of the standing foot.
    """
    speed = 2 * gait.reach / (gait.stance * gait.period)
    pose.pelvis[:, 0] += np.cumsum(weight) * speed / FPS
    cycle = ((seconds / gait.period + phase)[:, None] % 1.0 + np.array([0.0, 0.5])) % 1.0
    swing = np.clip((cycle - gait.stance) / (1 - gait.stance), 0.0, 1.0)
    stand = np.clip(cycle / gait.stance, 0.0, 1.0)
    x = gait.reach * np.where(swing > 0, -np.cos(np.pi * swing), 1.0 - 2.0 * stand)
    fold = np.sin(np.pi * swing) ** 2
    early = np.sin(np.pi * np.clip(swing * 1.6, 0.0, 1.0)) ** 2
    push_off = np.clip((stand - 0.65) / 0.35, 0.0, 1.0) * (swing == 0)
    lift = gait.heel * fold + gait.kick * early + 0.055 * push_off**2
    w = weight[:, None]
    pose.feet[..., 0] += pose.pelvis[:, :1] + w * x - gait.kick * 0.35 * w * early
    pose.feet[..., 1] += w * lift
    pose.feet[..., 2] *= 1.0 - 0.35 * w
    pose.toes += w * (0.35 * np.clip((swing - 0.7) / 0.3, 0, 1) - 0.7 * push_off - 0.9 * early)
    up = np.cos(4 * np.pi * (cycle[:, 0] - gait.stance / 2))
    sign = -1.0 if gait.kick else 1.0  # a runner is highest in flight, a walker over the foot
    pose.pelvis[:, 1] += weight * (gait.height - STANDING + sign * gait.bob * up)
    return cycle


def swing_arms(pose: Pose, cycle: Array, weight: Array, angle: float, bent: float) -> None:
    """Let the arms swing against the legs, elbows `bent` from 0 (straight) to 1 (right angle)."""
    swing = -angle * np.cos(2 * np.pi * cycle) + 0.1 + 0.15 * bent
    upper, lower = 0.165, 0.15
    fold = swing + 0.2 + 1.45 * bent + 0.25 * bent * np.sin(swing)
    x = upper * np.sin(swing) + lower * np.sin(fold)
    y = -upper * np.cos(swing) - lower * np.cos(fold)
    z = np.broadcast_to(SIDE * (0.03 - 0.04 * bent), x.shape)
    pose.hands[:] = blend(pose.hands, np.stack([x, y, z], -1), weight)
    back = np.array([[[-1.0, -0.3, 0.25], [-1.0, -0.3, -0.25]]])
    pose.elbows[:] = blend(pose.elbows, back, weight)


def sway(pose: Pose, seconds: Array, rng: Generator, amount: float = 1.0) -> None:
    """Add the small movements of somebody who only stands there."""
    a, b, c = rng.uniform(0, 2 * np.pi, 3)
    pose.lean[:, 1] += amount * 0.02 * np.sin(2.1 * seconds + a)
    pose.head[:, 1] += amount * 0.25 * np.sin(1.7 * seconds + b)
    pose.hands[..., 0] += amount * 0.012 * np.sin(2.6 * seconds + c)[:, None]


def idle(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Stand about, weight on either leg, perhaps with hands on the hips."""
    stance = rng.integers(3)
    if stance == 1:
        pose.hands[:] = [[0.03, -0.24, 0.03], [0.03, -0.24, -0.03]]
        pose.elbows[:] = [[-0.2, 0.0, 1.0], [-0.2, 0.0, -1.0]]
    elif stance == 2:
        pose.feet[:, 1] += [0.06, 0.0, -0.05]
        pose.pelvis[:, 1] -= 0.01
    sway(pose, clock.seconds, rng)
    return Performance(pose)


def walk(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Walk: straight arms, upright, one foot always on the ground."""
    cycle = stride(pose, WALK, clock.seconds, clock.weight, rng.uniform(0.3, 0.6))
    swing_arms(pose, cycle, clock.weight, rng.uniform(0.35, 0.6), 0.08)
    pose.lean[:, 0] = 0.04 * clock.weight
    pose.lean[:, 2] = 0.1 * clock.weight * np.cos(2 * np.pi * cycle[:, 0])
    return Performance(pose)


def run(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Run: a flight phase, heels kicked up, elbows at right angles, leaning forward."""
    cycle = stride(pose, RUN, clock.seconds, clock.weight, rng.uniform(0, 1))
    swing_arms(pose, cycle, clock.weight, rng.uniform(0.75, 1.0), 1.0)
    pose.lean[:, 0] = rng.uniform(0.18, 0.32) * clock.weight
    pose.lean[:, 2] = 0.22 * clock.weight * np.cos(2 * np.pi * cycle[:, 0])
    pose.head[:, 0] = -0.15 * clock.weight
    return Performance(pose)


def push(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Shove a heavy crate or trolley along, body inclined, arms stretched."""
    weight = ease((clock.seconds * FPS + 2) / 8.0)
    stride(pose, SHOVE, clock.seconds, weight, rng.uniform(0.3, 0.6))
    pose.pelvis[:, 1] += 0.03 * weight - 0.05
    pose.feet[..., 0] -= 0.16
    pose.feet[..., 2] *= 1.3
    pose.lean[:, 0] = 0.42 + 0.18 * weight
    pose.head[:, 0] = -0.25
    height = rng.uniform(0.45, 0.75)
    face = pose.pelvis[:, 0] + 0.47
    pose.hands[..., 0] = face[:, None] - 0.05
    pose.hands[..., 1:] = [[min(height - 0.06, 0.66), side * 0.1] for side in SIDE]
    pose.hands_world = True
    pose.elbows[:] = [[-0.2, -1.0, 0.5], [-0.2, -1.0, -0.5]]
    length, width = rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.45)
    wheels = rng.random() < 0.5
    colour = [(150, 105, 60), (95, 115, 80), (160, 60, 50), (90, 95, 130)][rng.integers(4)]
    bottom = 0.08 if wheels else 0.0
    middle = np.broadcast_arrays(face + length / 2, (height + bottom) / 2, 0.0)
    centre = np.stack(middle, -1)
    crate = box(centre, (length, height - bottom, width), colour)
    props = [crate]
    for share in (0.25, 0.5, 0.75):  # planks
        at = centre + np.array([0.0, (share - 0.5) * (height - bottom), width / 2])
        half = np.array([length / 2, 0, 0])
        dark = tint(colour, 0.6)
        crate.capsules.append(Capsule(at - half, at + half, 0.006, 0.006, dark, shaded=False))
    if wheels:
        hubs = [(dx * length, bottom / 2 - height / 2, width / 2) for dx in (-0.35, 0.35)]
        props += [ball(centre + np.array(hub), 0.045, (40, 40, 45), bias=0.02) for hub in hubs]
    return Performance(pose, props)


def climb_stairs(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Climb a flight of steps, one foot after the other."""
    tread, rise = 0.17, 0.095
    steps = np.maximum(clock.seconds, 0.0) / rng.uniform(0.4, 0.55)
    steps = np.minimum(steps, steps.max()) + rng.uniform(0.0, 1.0)
    for foot in range(2):
        at = (steps - foot) / 2
        level, part = np.floor(at), at - np.floor(at)
        x = 2 * (level + ease(part / 0.5)) + foot
        y = 2 * (level + ease(part / 0.32)) + foot
        up = np.sin(np.pi * np.clip(part / 0.5, 0, 1))
        pose.feet[:, foot, 0] = tread * x
        pose.feet[:, foot, 1] = ANKLE + rise * y + 0.05 * up
        pose.toes[:, foot] = -0.5 * up
        pose.feet[:, foot, 2] *= 0.75
    pose.pelvis[:, 0] = tread * (steps + 0.35)
    pose.pelvis[:, 1] = STANDING - 0.02 + rise * (steps - 0.1) + 0.015 * np.cos(2 * np.pi * steps)
    pose.lean[:, 0] = 0.2
    cycle = (np.stack([steps, steps + 1], -1) / 2 + 0.7) % 1.0
    swing_arms(pose, cycle, np.ones(len(clock)), 0.45, 0.35)
    if rng.random() < 0.5:
        pose.hands[:, 0] = [0.2, -0.18, 0.06]
    return Performance(pose, stairs(tread, rise, rng))


def jump(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Crouch with the arms drawn back, leap with the arms thrown up, land in a crouch."""
    u = clock.progress
    height, far = rng.uniform(0.2, 0.36), rng.uniform(0.0, 0.6)
    air = np.clip((u - 0.4) / 0.4, 0.0, 1.0)
    arc = 4 * height * air * (1 - air)
    tuck = np.sin(np.pi * air) * rng.uniform(0.02, 0.14)
    pose.follow("jump", u)
    pose.pelvis[:, 0] += far * air
    pose.pelvis[:, 1] += arc
    pose.feet[..., 0] += (far * air)[:, None]
    pose.feet[..., 1] += (arc + tuck)[:, None]
    pose.toes -= (1.0 * np.sin(np.pi * air) ** 0.5)[:, None]
    return Performance(pose)


def pullup(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Hang from a bar and pull the chin over it, once or several times."""
    period, phase = rng.uniform(0.95, 1.4), rng.uniform(-0.1, 0.1)
    lift = 0.5 - 0.5 * np.cos(2 * np.pi * np.maximum(clock.seconds / period + phase, 0.0))
    lift *= ease((clock.seconds * FPS + 4) / 6.0)
    bar_y, half = 1.24, rng.uniform(0.13, 0.2)
    pose.pelvis[:, 1] = 0.66 + 0.25 * lift
    pose.pelvis[:, 0] = -0.02 - 0.05 * lift
    pose.lean[:, 0] = -0.08 * lift
    pose.head[:, 0] = -0.3 * lift
    bent = rng.uniform(0.0, 0.22)
    pose.feet[..., 0] = (pose.pelvis[:, 0] - bent - 0.05 * lift)[:, None]
    pose.feet[..., 1] = (pose.pelvis[:, 1] - 0.48 + bent * 0.8 + 0.04 * lift)[:, None]
    pose.feet[..., 2] *= 0.7
    pose.toes[:] = -1.1
    pose.hands[..., 0], pose.hands[..., 1] = 0.0, bar_y
    pose.hands[..., 2] = SIDE * half
    pose.hands_world = True
    pose.elbows[:] = [[0.4, -1.0, 0.6], [0.4, -1.0, -0.6]]
    metal, wide = [(70, 72, 80), (170, 60, 45), (60, 90, 140)][rng.integers(3)], 0.42
    ends = [np.array([0.0, bar_y, s * wide]) for s in (-1, 1)]
    props = [rod(ends[0], ends[1], 0.014, metal, bias=0.12)]
    if rng.random() < 0.75:
        props += [rod(end, end * [0, 0, 1], 0.018, metal, bias=-0.3) for end in ends]
    else:
        props += [rod(end, end + np.array([0, 0.9, 0]), 0.01, metal) for end in ends]
    return Performance(pose, props)


def stairs(tread: float, rise: float, rng: Generator) -> list[Part]:
    """A flight of steps up along +x, perhaps with a handrail on its far side."""
    colour = [(150, 145, 140), (130, 90, 60), (170, 120, 95)][rng.integers(3)]
    depth = rng.uniform(0.3, 0.5)
    made = []
    for level in range(1, 12):
        height = rise * level
        centre = (tread * level, height / 2, 0.0)
        step = box(centre, (tread, height, 2 * depth), colour, bias=-8 - 0.01 * level)
        for side in (-1, 1):  # nosings show where a step begins
            near, far = (
                np.array([tread * (level + half), height, side * depth]) for half in (-0.5, 0.5)
            )
            light = tint(colour, 1.35)
            step.capsules.append(Capsule(near, far, 0.007, 0.007, light, shaded=False))
        made.append(step)
    if rng.random() < 0.6:
        metal = (90, 85, 85)
        feet = [np.array([tread * k, rise * k, -depth]) for k in range(0, 12, 2)]
        tops = [foot + np.array([0.0, 0.45, 0.0]) for foot in feet]
        posts = zip(feet, tops, strict=True)
        made += [rod(foot, top, 0.008, metal, bias=-7.5) for foot, top in posts]
        made.append(rod(tops[0], tops[-1], 0.014, metal, bias=-7))
    return made
