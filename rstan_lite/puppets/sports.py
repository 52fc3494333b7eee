"""Actions with a ball: catch, throw, kick_ball, shoot_ball.

Each function takes the clock and the clip's generator and returns a Performance.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from . import parts
from .furniture import hoop
from .motion import Clock, Performance, flight, keys
from .skeleton import ANKLE, Pose

BALLS: dict[str, tuple[float, parts.Colour]] = {
    "football": (0.062, (235, 235, 230)),
    "basketball": (0.068, (205, 105, 40)),
    "tennis": (0.024, (190, 215, 60)),
    "baseball": (0.024, (240, 238, 230)),
    "beach": (0.08, (220, 60, 70)),
}


def _some_ball(rng: Generator) -> tuple[float, parts.Colour]:
    names = ("football", "basketball", "tennis", "beach", "baseball")
    return BALLS[names[rng.integers(len(names))]]


def catch(clock: Clock, rng: Generator) -> Performance:
    """Reach for a ball that comes flying, take it with both hands and draw it to the chest."""
    n, u = len(clock), clock.progress
    pose = Pose.idle(n)
    radius, colour = _some_ball(rng)
    radius = max(radius, 0.035)
    up = rng.uniform(-0.12, 0.2)
    gap = radius + 0.015
    at = 0.5
    reach = np.array([0.25, up, 0.0])
    hold = np.array([0.16, -0.13, 0.0])
    inward = np.array([[0, 0, gap - 0.105], [0, 0, 0.105 - gap]])
    pose.hands[:] = keys(
        u,
        (0, pose.hands[0]),
        (at - 0.22, reach * 0.8 + inward * 0.4),
        (at, reach + inward),
        (at + 0.2, hold + inward),
        (1, hold + inward),
    )
    pose.elbows[:] = np.array([[-0.2, -1.0, 0.7], [-0.2, -1.0, -0.7]])
    pose.pelvis[:, 1] += keys(u, (0, -0.02), (at - 0.2, -0.07), (at, -0.02), (1, -0.01))
    pose.lean[:, 0] = keys(u, (0, 0.08), (at, 0.12), (at + 0.25, -0.06), (1, 0.0))
    pose.feet[:, 1, 0] += keys(u, (0, 0), (at, rng.uniform(0.0, 0.16)))
    performance = Performance(pose)
    s = performance.skeleton
    grip = (s["r_fingers"] + s["l_fingers"]) / 2 + 0.3 * radius * s.along("chest", (1, 0, 0))
    meet = grip[int(np.argmax(u >= at))]
    before = np.clip((at - u) / 0.45, 0.0, 3.0)[:, None]
    come = meet + before * np.array([1.5, rng.uniform(-0.35, 0.1), rng.uniform(-0.2, 0.2)])
    come[:, 1] += 0.8 * before[:, 0] * np.maximum(1.0 - before[:, 0], 0.0)
    come[:, 1] = np.maximum(come[:, 1], radius)
    path = np.where((u < at)[:, None], come, grip)
    performance.props.append(parts.ball(path, radius, colour, bias=0.05))
    return performance


def throw(clock: Clock, rng: Generator) -> Performance:
    """Throw overhand: hand drawn back behind the head, a step, the arm whipped forward."""
    n, u = len(clock), clock.progress
    pose = Pose.idle(n)
    radius, colour = _some_ball(rng)
    radius = min(radius, 0.045)
    release = 0.56
    low = rng.uniform(-0.05, 0.06)
    pose.hands[:, 0] = keys(
        u, (0, pose.hands[0, 0]), (0.18, [0.12, -0.16, -0.02]), (0.42, [-0.2, 0.12 + low, 0.08]),
        (0.5, [-0.06, 0.26, 0.09]), (0.58, [0.2, 0.24, 0.02]), (0.7, [0.22, -0.12, -0.12]),
        (0.85, [0.08, -0.26, -0.1]), (1, pose.hands[0, 0]),
    )  # fmt: skip
    pose.hands[:, 1] = keys(
        u, (0, pose.hands[0, 1]), (0.2, [0.14, -0.12, 0.04]), (0.42, [0.27, 0.06, -0.08]),
        (0.58, [0.06, -0.2, -0.1]), (0.8, [-0.1, -0.22, -0.06]), (1, pose.hands[0, 1]),
    )  # fmt: skip
    pose.elbows[:, 0] = keys(u, (0, [-0.8, -0.3, 0.5]), (0.42, [-0.3, -0.3, 1.0]),
                             (0.56, [0.6, -0.2, 0.8]), (1, [-0.8, -0.3, 0.5]))  # fmt: skip
    pose.lean[:, 2] = keys(u, (0, 0), (0.4, 0.75), (0.5, 0.3), (0.62, -0.55), (0.85, -0.3), (1, 0))
    pose.lean[:, 0] = keys(u, (0, 0), (0.4, -0.2), (0.6, 0.3), (0.75, 0.38), (1, 0.05))
    pose.pelvis[:, 0] = keys(u, (0, 0), (0.35, -0.06), (0.6, 0.14), (1, 0.16))
    pose.pelvis[:, 1] -= keys(u, (0, 0), (0.4, 0.02), (0.6, 0.05), (1, 0.02))
    pose.feet[:, 1, 0] += keys(u, (0, 0), (0.28, 0.0), (0.5, 0.3))
    pose.feet[:, 1, 1] += keys(u, (0, 0), (0.28, 0.1), (0.38, 0.1), (0.5, 0.0))
    pose.feet[:, 0, 0] += keys(u, (0, 0), (0.6, -0.04), (0.85, 0.1))
    pose.toes[:, 0] = keys(u, (0, 0), (0.45, 0), (0.62, -0.8), (0.9, -0.2))
    performance = Performance(pose)
    held = performance.skeleton["r_fingers"] + np.array([0.0, radius * 0.6, 0.0])
    aim = (2.2, rng.uniform(0.7, 1.2), rng.uniform(-0.3, 0.3))
    path = flight(clock, release, held, aim, rng.uniform(0.3, 0.45), 0.05)
    performance.props.append(parts.ball(path, radius, colour, bias=0.04))
    return performance


def kick_ball(clock: Clock, rng: Generator) -> Performance:
    """Step up to a ball on the ground, swing the leg back and through it."""
    n, u = len(clock), clock.progress
    pose = Pose.idle(n)
    radius, colour = BALLS[("football", "basketball", "beach")[rng.integers(3)]]
    start = -rng.uniform(0.3, 0.5)
    hit = 0.58
    pose.pelvis[:, 0] = keys(
        u, (0, start), (0.15, start), (0.45, -0.08), (hit, 0.0), (0.8, 0.12), (1, 0.14)
    )
    pose.pelvis[:, 1] += keys(u, (0, 0), (0.42, -0.05), (hit, -0.03), (0.75, 0.0), (1, 0))
    pose.feet[:, 1, 0] = keys(u, (0, start), (0.15, start), (0.4, 0.04))
    pose.feet[:, 1, 1] = ANKLE + keys(u, (0, 0), (0.15, 0), (0.28, 0.08), (0.4, 0))
    pose.feet[:, 0] = keys(
        u, (0, [start, ANKLE, 0.065]), (0.22, [start - 0.02, ANKLE, 0.06]),
        (0.44, [-0.36, 0.3, 0.09]), (hit, [0.1, 0.07, 0.06]), (0.72, [0.46, 0.36, 0.0]),
        (0.8, [0.46, 0.38, 0.0]), (1, [0.2, ANKLE, 0.065]),
    )  # fmt: skip
    pose.toes[:, 0] = keys(u, (0, 0), (0.2, 0), (0.44, -1.3), (hit, -0.5), (0.75, 0.4), (1, 0))
    pose.lean[:, 0] = keys(u, (0, 0), (0.4, 0.1), (hit, 0.1), (0.75, -0.28), (1, 0))
    pose.lean[:, 2] = keys(u, (0, 0), (0.44, 0.35), (0.72, -0.4), (1, 0))
    pose.head[:, 0] = keys(u, (0, 0.2), (hit, 0.35), (1, 0))
    pose.hands[:, 1] = keys(u, (0, pose.hands[0, 1]), (0.44, [-0.1, -0.06, -0.26]),
                            (0.72, [0.24, -0.02, -0.08]), (1, pose.hands[0, 1]))  # fmt: skip
    pose.hands[:, 0] = keys(u, (0, pose.hands[0, 0]), (0.44, [0.12, -0.2, 0.16]),
                            (0.72, [-0.2, -0.12, 0.16]), (1, pose.hands[0, 0]))  # fmt: skip
    performance = Performance(pose)
    spot = parts.fixed(n, (0.2 + radius * 0.6, radius, 0.06))
    aim = (2.4, rng.uniform(0.1, 0.9), rng.uniform(-0.4, 0.4))
    path = flight(clock, hit, spot, aim, rng.uniform(0.35, 0.55), 0.08)
    performance.props.append(parts.ball(path, radius, colour))
    return performance


def shoot_ball(clock: Clock, rng: Generator) -> Performance:
    """Basketball: dip, raise the ball over the forehead, jump and let it arc to the hoop."""
    n, u = len(clock), clock.progress
    pose = Pose.idle(n)
    radius, colour = BALLS["basketball"]
    release = 0.55
    inward = np.array([[0, 0, 0.085 - 0.105], [0, 0, 0.105 - 0.085]])
    chest = np.array([0.2, -0.16, 0.0])
    pose.hands[:] = keys(
        u, (0, chest + inward), (0.2, np.array([0.17, -0.22, 0]) + inward),
        (0.42, np.array([0.13, 0.2, 0]) + inward),
        (release, [[0.16, 0.27, -0.05], [0.12, 0.24, 0.06]]),
        (0.75, [[0.19, 0.24, -0.05], [0.12, 0.12, 0.02]]),
        (1, [[0.16, -0.1, 0.0], [0.12, -0.18, 0.0]]),
    )  # fmt: skip
    pose.elbows[:] = np.array([[0.6, -1.0, 0.5], [0.6, -1.0, -0.5]])
    hop = rng.uniform(0.06, 0.14)
    air = np.clip((u - 0.42) / 0.36, 0, 1)
    arc = 4 * hop * air * (1 - air)
    pose.pelvis[:, 1] = arc + keys(
        u, (0, 0.5), (0.24, 0.42), (0.44, 0.53), (0.75, 0.52), (0.85, 0.47), (1, 0.51)
    )
    pose.feet[..., 1] += arc[:, None]
    pose.toes -= (np.sin(np.pi * air) ** 0.5)[:, None]
    pose.lean[:, 0] = keys(u, (0, 0.05), (0.24, 0.2), (0.5, -0.05), (1, 0.05))
    pose.head[:, 0] = keys(u, (0, 0), (0.4, -0.3), (1, -0.25))
    performance = Performance(pose)
    s = performance.skeleton
    held = (s["r_fingers"] + s["l_fingers"]) / 2 + np.array([0.0, 0.035, 0.0])
    far, high = rng.uniform(0.95, 1.3), 1.5
    path = flight(clock, release, held, (far, high + 0.05, 0.0), rng.uniform(0.5, 0.65), 0.25)
    performance.props.append(parts.ball(path, radius, colour, bias=0.05))
    performance.props += hoop(n, far, high)
    return performance
