"""Actions with a ball, a bow, a club or a bat, and the hoop; see `actions.Action`."""

import numpy as np
from numpy.random import Generator

from .painting import Array, Colour, Part, ball, box, chain, rod, table
from .skeleton import Clock, Performance, Pose, flight, points, solve

BALLS: dict[str, tuple[float, Colour]] = table("looks")["balls"]


def _some_ball(rng: Generator) -> tuple[float, Colour]:
    return BALLS[("football", "basketball", "tennis", "beach", "baseball")[rng.integers(5)]]


def catch(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Reach for a ball that comes flying, take it with both hands and draw it to the chest."""
    u = clock.progress
    radius, colour = _some_ball(rng)
    radius = max(radius, 0.035)
    gap, at = radius + 0.015, 0.5
    reach, hold = np.array([0.25, rng.uniform(-0.12, 0.2), 0.0]), np.array([0.16, -0.13, 0.0])
    inward = np.array([[0, 0, gap - 0.105], [0, 0, 0.105 - gap]])
    caught = {"reaching": reach * 0.8 + inward * 0.4, "caught": reach + inward}
    step = rng.uniform(0.0, 0.16)
    pose.follow("catch", u, at=at, **caught, held=hold + inward, step=step)
    performance = Performance(pose)
    s = performance.skeleton
    grip = (s["r_fingers"] + s["l_fingers"]) / 2 + 0.3 * radius * s.along("chest", (1, 0, 0))
    meet = grip[int(np.argmax(u >= at))]
    before = np.clip((at - u) / 0.45, 0.0, 3.0)[:, None]
    come = meet + before * np.array([1.5, rng.uniform(-0.35, 0.1), rng.uniform(-0.2, 0.2)])
    come[:, 1] += 0.8 * before[:, 0] * np.maximum(1.0 - before[:, 0], 0.0)
    come[:, 1] = np.maximum(come[:, 1], radius)
    path = np.where((u < at)[:, None], come, grip)
    return performance.with_props(ball(path, radius, colour, bias=0.05))


def throw(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Throw overhand: hand drawn back behind the head, a step, the arm whipped forward."""
    u = clock.progress
    radius, colour = _some_ball(rng)
    radius, release, low = min(radius, 0.045), 0.56, rng.uniform(-0.05, 0.06)
    pose.follow("throw", u, high=0.12 + low)
    performance = Performance(pose)
    held = performance.skeleton["r_fingers"] + np.array([0.0, radius * 0.6, 0.0])
    aim = (2.2, rng.uniform(0.7, 1.2), rng.uniform(-0.3, 0.3))
    path = flight(clock, release, held, aim, rng.uniform(0.3, 0.45), 0.05)
    return performance.with_props(ball(path, radius, colour, bias=0.04))


def kick_ball(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Step up to a ball on the ground, swing the leg back and through it."""
    u = clock.progress
    radius, colour = BALLS[("football", "basketball", "beach")[rng.integers(3)]]
    start, hit = -rng.uniform(0.3, 0.5), 0.58
    pose.follow("kick_ball", u, start=start, behind=start - 0.02, hit=hit)
    performance = Performance(pose)
    spot = np.tile([0.2 + radius * 0.6, radius, 0.06], (len(clock), 1))
    aim = (2.4, rng.uniform(0.1, 0.9), rng.uniform(-0.4, 0.4))
    path = flight(clock, hit, spot, aim, rng.uniform(0.35, 0.55), 0.08)
    return performance.with_props(ball(path, radius, colour))


def shoot_ball(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Basketball: dip, raise the ball over the forehead, jump and let it arc to the hoop."""
    u = clock.progress
    (radius, colour), release = BALLS["basketball"], 0.55
    inward = np.array([[0, 0, 0.085 - 0.105], [0, 0, 0.105 - 0.085]])
    chest, low, high = np.array([[0.2, -0.16, 0.0], [0.17, -0.22, 0], [0.13, 0.2, 0]])
    hands = {"chest": chest + inward, "dip": low + inward, "forehead": high + inward}
    pose.follow("shoot_ball", u, **hands, release=release)
    hop = rng.uniform(0.06, 0.14)
    air = np.clip((u - 0.42) / 0.36, 0, 1)
    arc = 4 * hop * air * (1 - air)
    pose.pelvis[:, 1] += arc
    pose.feet[..., 1] += arc[:, None]
    pose.toes -= (np.sin(np.pi * air) ** 0.5)[:, None]
    performance = Performance(pose)
    s = performance.skeleton
    held = (s["r_fingers"] + s["l_fingers"]) / 2 + np.array([0.0, 0.035, 0.0])
    far, high = rng.uniform(0.95, 1.3), 1.5
    path = flight(clock, release, held, (far, high + 0.05, 0.0), rng.uniform(0.5, 0.65), 0.25)
    return performance.with_props(ball(path, radius, colour, bias=0.05), *hoop(far, high))


def hoop(x: float, y: float) -> list[Part]:
    """A basketball hoop with board, net and post, whose ring hangs at height y, x ahead."""
    at = np.array([x, y, 0.0])
    turn = np.linspace(0, 2 * np.pi, 13)
    ring = [at + np.array([0.11 * np.cos(a), 0.0, 0.11 * np.sin(a)]) for a in turn]
    low = [at + np.array([0.06 * np.cos(a), -0.16, 0.06 * np.sin(a)]) for a in turn]
    net = [rod(ring[i], low[(i + 1) % 12], 0.004, (225, 225, 225)) for i in range(0, 12, 2)]
    middle = at + np.array([0.15, 0.14, 0.0])
    board = box(middle, (0.025, 0.36, 0.55), (240, 240, 240), bias=-3)
    corners = ((0.03, -0.11), (0.2, -0.11), (0.2, 0.11), (0.03, 0.11))
    mark = chain([at + np.array([0.13, b, c]) for b, c in corners], 0.006, (200, 50, 40), bias=-2)
    post = rod((x + 0.32, 0, 0), (x + 0.2, y + 0.1, 0), 0.025, (85, 90, 100), bias=-4)
    return [post, board, mark, chain(ring, 0.012, (225, 80, 30)), *net]


def shoot_bow(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Raise a bow sideways, draw the string to the chin, loose the arrow."""
    u = clock.progress
    draw_from, loose = rng.uniform(0.05, 0.25), 0.72
    pose.follow("shoot_bow", u, drawing=draw_from, drawn=loose - 0.15, loose=loose)
    performance = Performance(pose)
    grip, toward = performance.skeleton["l_fingers"], np.array([0.0, 0.0, -1.0])
    drawn, loosed = ((u >= draw_from) & (u < loose))[:, None], (u >= loose)[:, None]
    rest = grip - toward * 0.12
    nock = np.where(drawn, performance.skeleton["r_fingers"], rest)
    pull = np.clip(np.linalg.norm(nock - rest, axis=-1), 0, 0.3)[:, None]
    wood = [(120, 70, 35), (60, 55, 55), (150, 40, 40)][rng.integers(3)]
    bow = []
    for share in np.linspace(-1, 1, 9):
        back = 0.02 + 0.1 * abs(share) + 0.35 * pull * share**2
        bow.append(grip + np.array([0.0, 0.36 * share, 0.0]) * (1 - 0.25 * pull) - toward * back)
    string = chain([bow[0], nock, bow[-1]], 0.004, (235, 235, 235), bias=0.05)
    flown = np.maximum(np.arange(len(clock))[:, None] - int(np.argmax(loosed)), 0) * loosed
    tip = grip + toward * 0.06 + toward * 0.28 * flown
    arrow = rod(np.where(loosed, tip - toward * 0.42, nock), tip, 0.006, (200, 175, 120), bias=0.06)
    return performance.with_props(chain(bow, 0.013, wood, bias=0.03), string, arrow)


def _two_handed(pose: Pose, grip: Array, along: Array) -> Pose:
    """Put both hands on a shaft: right hand below the left by half a hand."""
    pose.hands[:] = np.stack([grip + 0.035 * along, grip], 1)
    pose.hands_world = True
    return pose


def golf(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Address the ball, swing the club back over the shoulder, down and through."""
    u = clock.progress
    hit = 0.62
    curves = pose.follow("golf", u, hit=hit)
    swing = curves["swing"]
    pose.lean[:, 2] = 0.36 * swing
    pose.head[:, 1] = -0.8 * pose.lean[:, 2] * (u < 0.7)
    down, right = np.array([0.38, -0.925, 0.0]), np.array([0.0, 0.0, 1.0])
    skeleton = solve(pose)
    centre = (skeleton["r_shoulder"] + skeleton["l_shoulder"]) / 2 + np.array([0.03, -0.02, 0.0])

    def on_plane(angle: Array) -> Array:
        return np.cos(angle)[:, None] * down + np.sin(angle)[:, None] * right

    grip = centre + 0.27 * on_plane(swing)
    shaft = on_plane(swing + curves["cock"])
    performance = Performance(_two_handed(pose, grip, shaft))
    head = grip + 0.55 * shaft
    spot = head[0] * np.array([1, 0, 1]) + np.array([0.04, 0.022, -0.02])
    path = flight(clock, hit, np.tile(spot, (len(clock), 1)), (0.5, 1.3, -2.6), 0.4, 0.1)
    return performance.with_props(
        rod(grip - 0.04 * shaft, head, 0.009, (175, 178, 185), bias=0.1),
        rod(head, head + np.array([0.05, 0.0, 0.0]), 0.022, (50, 50, 55), bias=0.1),
        ball(path, 0.02, (250, 250, 250)),
    )


def swing_baseball(pose: Pose, clock: Clock, rng: Generator) -> Performance:
    """Wait with the bat over the shoulder, stride, and swing it level at a coming ball."""
    u, hit = clock.progress, 0.55
    curves = pose.follow("swing_baseball", u, hit=hit)
    swing, angle, tilt, height, radius = curves.values()
    pose.head[:, 1] = -1.1 - pose.turn - pose.lean[:, 2]
    grip = points(0.05 + radius * np.cos(swing), height, radius * np.sin(swing))
    bat = points(np.cos(angle) * np.cos(tilt), np.sin(tilt), np.sin(angle) * np.cos(tilt))
    performance = Performance(_two_handed(pose, grip, bat))
    wood = [(196, 150, 90), (60, 60, 66), (150, 90, 50)][rng.integers(3)]
    stick = rod(grip - 0.05 * bat, grip + 0.45 * bat, 0.013, wood, end=0.026, bias=0.06)
    if rng.random() >= 0.8:
        return performance.with_props(stick)
    meet = (grip + 0.36 * bat)[int(np.argmax(u >= hit))]
    come = meet + np.clip((hit - u) / 0.3, 0.0, 4.0)[:, None] * np.array([0.0, 0.05, -1.3])
    path = flight(clock, hit, come, (0.4, 1.5, -2.6), 0.4, 0.1)
    return performance.with_props(stick, ball(path, 0.024, (245, 242, 235)))
