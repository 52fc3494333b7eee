"""Actions with a bow, a club or a bat: shoot_bow, golf, swing_baseball.

Each function takes the clock and the clip's generator and returns a Performance.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from . import parts
from .motion import Clock, Performance, flight, keys
from .skeleton import SIDE, STANDING, Array, Pose, solve


def shoot_bow(clock: Clock, rng: Generator) -> Performance:
    """Raise a bow sideways, draw the string to the chin, loose the arrow."""
    n, u = len(clock), clock.progress
    pose = Pose.idle(n)
    draw_from, loose = rng.uniform(0.05, 0.25), 0.72
    pose.head[:, 1] = -1.25
    pose.hands[:, 1] = keys(
        u, (0, [0.1, -0.12, -0.26]), (draw_from, [0.05, 0.0, -0.31]), (1, [0.05, 0.0, -0.31])
    )
    pose.hands[:, 0] = keys(
        u, (0, [0.16, -0.12, -0.2]), (draw_from, [0.14, 0.01, -0.25]),
        (loose - 0.15, [0.06, 0.04, -0.07]), (loose, [0.06, 0.04, -0.07]),
        (loose + 0.05, [-0.02, 0.05, 0.03]), (1, [-0.04, 0.05, 0.08]),
    )  # fmt: skip
    pose.elbows[:, 0] = np.array([-0.1, 0.15, 1.0])
    pose.elbows[:, 1] = np.array([-0.3, -1.0, 0.0])
    pose.feet[..., 2] = SIDE * 0.11
    pose.pelvis[:, 1] -= 0.012
    performance = Performance(pose)
    s = performance.skeleton
    grip = s["l_fingers"]
    nock = s["r_fingers"].copy()
    drawn = (u >= draw_from) & (u < loose)
    toward = np.array([0.0, 0.0, -1.0])
    rest = grip - toward * 0.12
    nock = np.where(drawn[:, None], nock, rest)
    pull = np.clip(np.linalg.norm(nock - rest, axis=-1), 0, 0.3)[:, None]
    wood = [(120, 70, 35), (60, 55, 55), (150, 40, 40)][rng.integers(3)]
    bow = []
    for share in np.linspace(-1, 1, 9):
        back = 0.02 + 0.1 * abs(share) + 0.35 * pull * share**2
        bow.append(grip + np.array([0.0, 0.36 * share, 0.0]) * (1 - 0.25 * pull) - toward * back)
    performance.props.append(parts.chain(bow, 0.013, wood, bias=0.03))
    performance.props.append(
        parts.chain([bow[0], nock, bow[-1]], 0.004, (235, 235, 235), bias=0.05)
    )
    tip = grip + toward * 0.06
    flown = np.maximum(np.arange(n) - int(np.argmax(u >= loose)), 0) * (u >= loose)
    tip = tip + toward * 0.28 * flown[:, None]
    tail = np.where((u >= loose)[:, None], tip - toward * 0.42, nock)
    performance.props.append(parts.rod(tail, tip, 0.006, (200, 175, 120), bias=0.06))
    return performance


def _two_handed(pose: Pose, grip: Array, along: Array) -> Pose:
    """Put both hands on a shaft: right hand below the left by half a hand."""
    pose.hands[:, 1] = grip
    pose.hands[:, 0] = grip + 0.035 * along
    pose.hands_world = True
    return pose


def golf(clock: Clock, rng: Generator) -> Performance:
    """Address the ball, swing the club back over the shoulder, down and through."""
    n, u = len(clock), clock.progress
    pose = Pose.idle(n)
    hit = 0.62
    swing = keys(
        u,
        (0, 0.0),
        (0.1, 0.02),
        (0.44, 2.3),
        (0.5, 2.35),
        (hit, 0.0),
        (0.78, -2.2),
        (0.9, -2.5),
        (1, -2.5),
    )
    cock = keys(u, (0, 0.0), (0.44, 1.3), (0.53, 1.3), (hit, 0.0), (0.8, -1.2), (1, -1.5))
    pose.pelvis[:, 0] = -0.06
    pose.pelvis[:, 1] = STANDING - 0.03
    pose.lean[:, 0] = keys(u, (0, 0.5), (0.44, 0.42), (hit, 0.48), (0.85, 0.12), (1, 0.08))
    pose.lean[:, 2] = 0.36 * swing
    pose.turn = keys(u, (0, 0), (0.44, 0.2), (hit, -0.2), (0.85, -0.7), (1, -0.75))
    pose.head[:, 0] = keys(u, (0, 0.3), (hit, 0.3), (0.85, 0.0))
    pose.head[:, 1] = -0.8 * pose.lean[:, 2] * (u < 0.7)
    pose.feet[..., 2] = SIDE * 0.13
    pose.toes[:, 0] = keys(u, (0, 0), (hit, 0), (0.85, -1.0))
    pose.feet[:, 0, 1] += keys(u, (0, 0), (hit, 0), (0.85, 0.05))
    down = np.array([0.38, -0.925, 0.0])
    right = np.array([0.0, 0.0, 1.0])
    skeleton = solve(pose)
    centre = (skeleton["r_shoulder"] + skeleton["l_shoulder"]) / 2 + np.array([0.03, -0.02, 0.0])

    def on_plane(angle: Array) -> Array:
        return np.cos(angle)[:, None] * down + np.sin(angle)[:, None] * right

    grip = centre + 0.27 * on_plane(swing)
    shaft = on_plane(swing + cock)
    performance = Performance(_two_handed(pose, grip, shaft))
    head = grip + 0.55 * shaft
    dark = (50, 50, 55)
    shift = np.array([0.05, 0.0, 0.0])
    performance.props.append(parts.rod(grip - 0.04 * shaft, head, 0.009, (175, 178, 185), bias=0.1))
    performance.props.append(parts.rod(head, head + shift, 0.022, dark, bias=0.1))
    spot = head[0] * np.array([1, 0, 1]) + np.array([0.04, 0.022, -0.02])
    ball = flight(clock, hit, parts.fixed(n, spot), (0.5, 1.3, -2.6), 0.4, 0.1)
    performance.props.append(parts.ball(ball, 0.02, (250, 250, 250)))
    return performance


def swing_baseball(clock: Clock, rng: Generator) -> Performance:
    """Wait with the bat over the shoulder, stride, and swing it level at a coming ball."""
    n, u = len(clock), clock.progress
    pose = Pose.idle(n)
    hit = 0.55
    swing = keys(
        u, (0, 0.95), (0.3, 1.15), (0.42, 0.9), (hit, -0.2), (0.7, -1.7), (0.85, -2.1), (1, -2.1)
    )
    angle = keys(
        u, (0, 2.2), (0.3, 2.5), (0.42, 2.2), (hit, -0.1), (0.66, -2.2), (0.85, -3.6), (1, -3.7)
    )
    tilt = keys(
        u, (0, 1.05), (0.3, 0.95), (0.45, 0.3), (hit, -0.1), (0.68, 0.2), (0.9, 0.7), (1, 0.8)
    )
    pose.lean[:, 2] = keys(u, (0, 0.25), (0.3, 0.5), (hit, -0.2), (0.75, -0.9), (1, -1.0))
    pose.lean[:, 0] = 0.15
    pose.turn = keys(u, (0, 0), (0.35, 0.1), (hit, -0.45), (0.8, -0.9), (1, -0.95))
    pose.head[:, 1] = -1.1 - pose.turn - pose.lean[:, 2]
    pose.pelvis[:, 1] -= 0.05
    pose.pelvis[:, 2] = keys(u, (0, 0.03), (0.3, 0.06), (hit, -0.05), (1, -0.06))
    pose.feet[:, 0, 2] = 0.17
    pose.feet[:, 1, 2] = keys(u, (0, -0.12), (0.28, -0.12), (0.45, -0.22), (1, -0.22))
    pose.feet[:, 1, 1] += keys(u, (0, 0), (0.28, 0.07), (0.36, 0.07), (0.46, 0))
    pose.toes[:, 0] = keys(u, (0, 0), (0.4, 0), (0.7, -0.8))
    height = keys(u, (0, 0.78), (0.3, 0.8), (hit, 0.6), (0.75, 0.72), (1, 0.82))
    radius = keys(u, (0, 0.2), (0.3, 0.2), (hit, 0.27), (0.75, 0.2), (1, 0.17))
    grip = np.stack([0.05 + radius * np.cos(swing), height, radius * np.sin(swing)], -1)
    bat = np.stack([np.cos(angle) * np.cos(tilt), np.sin(tilt), np.sin(angle) * np.cos(tilt)], -1)
    performance = Performance(_two_handed(pose, grip, bat))
    wood = [(196, 150, 90), (60, 60, 66), (150, 90, 50)][rng.integers(3)]
    performance.props.append(
        parts.rod(grip - 0.05 * bat, grip + 0.45 * bat, 0.013, wood, end=0.026, bias=0.06)
    )
    meet = (grip + 0.36 * bat)[int(np.argmax(u >= hit))]
    if rng.random() < 0.8:
        before = np.clip((hit - u) / 0.3, 0.0, 4.0)[:, None]
        come = meet + before * np.array([0.0, 0.05, -1.3])
        path = flight(clock, hit, come, (0.4, 1.5, -2.6), 0.4, 0.1)
        performance.props.append(parts.ball(path, 0.024, (245, 242, 235)))
    return performance
