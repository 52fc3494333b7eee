"""One clip: stages an action in a scene, films it, and knows where the actor is."""

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
from numpy.random import Generator

from . import surroundings
from .actions import ACTIONS, Action
from .body import Wardrobe, build
from .painting import Array, Easel, Placement, film, strokes
from .scenery import paint
from .skeleton import JHMDB_JOINTS, Performance, points

STAGE = 240  # rows of the frame that scenes are designed for; other sizes are scaled
MARGIN = 0.35  # of the frame, painted around it on each side
SHADOW = 0.2  # heights, the radius of the shadow below a person
SCENE_WIDTH = 2.2  # of the frame's width, one for all clips of a source
MOVES = ("still", "shake", "pan", "zoom")


def camera_path(
    rng: Generator, n_frames: int, size: tuple[int, int], centre: Array, move: str
) -> tuple[Array, bool]:
    """A camera that looks at scene point `centre` (F, 2) and moves as named in MOVES.

    Returns its matrices (F, 2, 3), scene pixels to frame pixels, and whether it does not stand.
    """
    h, w = size
    time = np.linspace(-0.5, 0.5, n_frames)
    zoom, angle = np.ones(n_frames), np.zeros(n_frames)
    at = centre.copy()
    if move == "shake":
        for axis, amount in ((0, 2.5), (1, 1.8)):
            steps = rng.normal(0, 1, n_frames)
            smooth = np.convolve(steps, np.ones(5) / 5, mode="same")
            at[:, axis] += amount * rng.uniform(0.4, 1.0) * smooth
        angle = np.convolve(rng.normal(0, 0.006, n_frames), np.ones(5) / 5, mode="same")
    elif move == "pan":
        at[:, 0] += time * rng.uniform(15, 60) * (1 if rng.random() < 0.5 else -1)
        at[:, 1] += time * rng.uniform(-10, 10)
    elif move == "zoom":
        zoom = 1.0 + time * rng.uniform(0.06, 0.2) * (1 if rng.random() < 0.5 else -1)
    c, s, (x, y) = np.cos(angle) * zoom, np.sin(angle) * zoom, at.T
    rows = points(c, -s, w / 2 - c * x + s * y), points(s, c, h / 2 - s * x - c * y)
    return np.stack(rows, 1), bool(move != "still" or np.ptp(at, axis=0).max() > 6)


def expose(canvas: np.ndarray, affine: Array, size: tuple[int, int]) -> np.ndarray:
    """What the camera (2, 3) sees of a scene: (H, W, 3) uint8, mirrored beyond the scene's edge.

    Bilinear in fixed point (1/32 pixel); `cv2.warpAffine` rounds differently on different CPUs.
    """
    h, w = size
    (a, b, c), (d, e, f) = affine
    inverse = np.array([[e, -b], [-d, a]]) / (a * e - b * d)
    origin = -inverse @ np.array([c, f])
    x, y = np.arange(w), np.arange(h)
    places = []
    for k in range(2):
        across = np.rint(inverse[k, 0] * x * 1024).astype(np.int32)
        down = np.rint((inverse[k, 1] * y + origin[k]) * 1024).astype(np.int32)
        places.append((across[None, :] + down[:, None] + 16) >> 5)
    whole = np.stack([p >> 5 for p in places], -1).astype(np.int16)
    part = ((places[1] & 31) * 32 + (places[0] & 31)).astype(np.uint16)
    return cv2.remap(canvas, whole, part, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


class Exposure:
    """Gain, gamma, a light gradient and grain, the same kind for a whole clip."""

    def __init__(self, rng: Generator, size: tuple[int, int]) -> None:
        h, w = size
        gain, gamma = rng.uniform(0.78, 1.15), rng.uniform(0.8, 1.3)
        warmth = rng.uniform(-0.06, 0.06)
        level = np.arange(256) / 255.0
        curve = [255 * gain * (1 + k * warmth) * level**gamma for k in (1, 0, -1)]
        table = np.clip(np.stack(curve, -1), 0, 255)
        self._table = np.rint(table).astype(np.uint8).reshape(1, 256, 3)
        across, down = rng.integers(-40, 41, 2)
        x = np.arange(w, dtype=np.int32) * across // w
        y = np.arange(h, dtype=np.int32) * down // h
        light = 235 - np.abs(across) // 2 - np.abs(down) // 2 + x[None, :] + y[:, None]
        self._light = np.repeat(np.clip(light, 120, 255).astype(np.uint8)[..., None], 3, 2)
        self.strength = int(rng.integers(0, 5))
        grain = rng.integers(-self.strength, self.strength + 1, (h + 64, w + 64, 3))
        self._grain = (128 + grain).astype(np.uint8)
        self._rng = rng

    def develop(self, frame: np.ndarray) -> np.ndarray:
        """Apply the light to one frame (H, W, 3) uint8."""
        h, w = frame.shape[:2]
        lit = cv2.LUT(cv2.multiply(frame, self._light, scale=1 / 235), self._table)
        dy, dx = self._rng.integers(0, 64, 2)
        grain = self._grain[dy : dy + h, dx : dx + w]
        return cv2.addWeighted(lit, 1.0, grain, 1.0, -128.0) if self.strength else lit


def shadow(frame: np.ndarray, centre: Array, radius: float) -> None:
    """Darken the ground below somebody, in place; centre (2,) and radius in frame pixels."""
    h, w = frame.shape[:2]
    rx, ry = int(radius * 1.4) + 2, int(radius * 0.5) + 2
    x, y = round(float(centre[0])), round(float(centre[1]))
    x0, x1, y0, y1 = max(x - rx, 0), min(x + rx, w), max(y - ry, 0), min(y + ry, h)
    if x1 <= x0 or y1 <= y0:
        return
    shade = np.full((y1 - y0, x1 - x0, 3), 255, np.uint8)
    for share, tone in ((1.0, 228), (0.85, 206), (0.7, 184), (0.5, 165)):
        axes = (int(radius * 1.3 * share), int(radius * 0.42 * share))
        cv2.ellipse(shade, (x - x0, y - y0), axes, 0, 0, 360, (tone, tone, tone), -1, cv2.LINE_AA)
    patch = frame[y0:y1, x0:x1]
    frame[y0:y1, x0:x1] = cv2.multiply(patch, shade, scale=1 / 255)


@dataclass(frozen=True)
class Clip:
    """frames (F, H, W, 3) uint8 RGB; masks (F, H, W) {0, 1}; joints (2, 15, F) pixels from 1.

    tags: the parts of a JHMDB clip name that tell what is to be seen (f_cm_np1_ri_med).
    viewpoint: the compass direction the actor faces (S: the camera, E: right in the image).
    scale: (F,) height of the actor in units of 0.8 frame heights.
    """

    frames: np.ndarray
    masks: np.ndarray
    joints: Array
    tags: str
    viewpoint: str
    scale: Array


@dataclass(frozen=True)
class Source:
    """What the clips cut from one source video share: scene, its random stream and the actor."""

    kind: str
    scene_seed: int
    look: Wardrobe
    horizon: float
    mirrored: bool

    @classmethod
    def draw(cls, action: Action, rng: Generator) -> Self:
        """Choose a scene and dress an actor."""
        kind = action.scenes[rng.integers(len(action.scenes))]
        seed = int(rng.integers(2**31))
        look = Wardrobe.draw(rng, action.hair)
        return cls(kind, seed, look, float(rng.uniform(0.5, 0.64)), bool(rng.random() < 0.5))


def _extent(performance: Performance, action: Action, place: Placement) -> tuple[Array, float]:
    """What must be seen: columns (F, 2) in pixels from the origin, and the height in heights."""
    joints = np.stack(list(performance.skeleton.joints.values()), 1)
    u = place.project(joints)[0][..., 0]
    pad = 0.08 * place.height
    across = place.project(performance.pose.pelvis)[0][:, 0]
    facing = np.cos(place.yaw) * (-1 if place.mirrored else 1)
    room = np.array([action.room[0] * facing, action.room[1] * facing])
    if abs(np.cos(place.yaw)) < 0.5:  # seen from the front: props reach to both sides
        room = np.array(action.room[:2])
    base = across if np.ptp(across) > 0.5 * place.height else np.zeros_like(across)
    low = np.minimum(u.min(1) - pad, base + room.min() * place.height)
    high = np.maximum(u.max(1) + pad, base + room.max() * place.height)
    top = max(float(joints[..., 1].max()) + 0.1, action.room[2])
    return np.stack([low, high], 1), top


def _stage(
    performance: Performance, action: Action, source: Source, size: tuple[int, int],
    rng: Generator, room: float,
) -> tuple[Placement, Array]:  # fmt: skip
    """Choose scale, viewpoint and place of the actor; returns it and the camera's centre (F, 2).

    room: factor of the actor's height.
    """
    h, w = size
    yaw = np.deg2rad(rng.uniform(*action.yaw))
    mirrored = source.mirrored if rng.random() < 0.8 else not source.mirrored
    height = rng.uniform(*action.height) * h * room
    ground_share = rng.uniform(0.86, 0.97)
    place = Placement((0.0, 0.0), height, yaw, mirrored, rng.uniform(0.05, 0.16))
    _, top = _extent(performance, action, place)
    place = replace(place, height=min(height, (ground_share - 0.02) * h / top))
    span, _ = _extent(performance, action, place)
    middle = span.mean(1)
    free = 0.96 * w - (span[:, 1] - span[:, 0]).max()  # how far the actor may drift in the frame
    drift = np.ptp(middle)
    follow = 0.0 if drift <= max(free, 1.0) else 1.0 - max(free, 0.0) / drift
    follow = max(follow, rng.uniform(0.0, 0.9) if drift > 0.2 * w else 0.0)
    smooth = np.convolve(np.pad(middle, 4, mode="edge"), np.ones(9) / 9, mode="valid")
    centre_x = middle.mean() + follow * (smooth - middle.mean())
    left, right = (span[:, 0] - centre_x).min(), (span[:, 1] - centre_x).max()
    slack = max(w - (right - left), 0.0)
    shift = (left + right) / 2 + slack * room**2 * rng.uniform(-0.4, 0.4)
    scene_h = round(h * (1 + 2 * MARGIN))
    centre = points(centre_x + shift, scene_h / 2)
    border = MARGIN * w + w / 2 - centre[:, 0].min()
    centre[:, 0] += border
    return replace(place, origin=(border, scene_h / 2 - h / 2 + ground_share * h)), centre


def _tags(place: Placement, moves: bool, people: int, grain: int) -> tuple[str, str]:
    """The descriptive part of a clip's name, and the compass direction the actor faces."""
    degrees = float(np.rad2deg(place.yaw))
    side = "le" if place.mirrored else "ri"
    view = "fr" if 50 <= degrees <= 130 else "ba" if degrees < -50 else side
    compass = ("E", "SE", "S", "SW", "W", "NW", "N", "NE")
    faces = compass[round((180 - degrees if place.mirrored else degrees) / 45) % 8]
    quality = ("goo", "goo", "med", "med", "bad")[grain]
    return f"f_{'cm' if moves else 'nm'}_np{people}_{view}_{quality}", faces


def make_clip(
    name: str, source_rng: Generator, rng: Generator, size: tuple[int, int] = (240, 320),
    rivals: tuple[int, int] = (0, 0),
) -> Clip:  # fmt: skip
    """Stage and film one clip of action `name`, of (H, W) pixels.

    source_rng: the source video's stream (equal streams give equal scenes and actors). rng: the
    clip's own. rivals: fewest and most, see `surroundings.rivals`.
    """
    # a clip of a set without rivals draws nothing here, so that it stays the same
    number = int(rng.integers(rivals[0], rivals[1] + 1)) if rivals[1] else 0
    action = ACTIONS[name]
    source = Source.draw(action, source_rng)
    shortest = 22 if action.repeats or rng.random() < 0.75 else 15
    n = 40 if rng.random() < 0.4 else int(rng.integers(shortest, 41))
    performance = action.play(n, rng)
    h, w = size
    staged = (STAGE, round(STAGE * w / h))  # everything is measured on a frame of this size
    scale = h / STAGE
    room = surroundings.ROOM if number else 1.0
    place, centre = _stage(performance, action, source, staged, rng, room)
    camera, moves = camera_path(rng, n, staged, centre, MOVES[rng.integers(len(MOVES))])
    camera *= scale

    scene_h, scene_w = round(STAGE * (1 + 2 * MARGIN)), round(staged[1] * SCENE_WIDTH)
    horizon = round(scene_h / 2 - STAGE / 2 + source.horizon * STAGE)
    scene_rng = np.random.default_rng(source.scene_seed)
    scene = paint(scene_rng, source.kind, scene_h, scene_w, horizon)
    if source.kind in ("room", "hall") and rng.random() < 0.3:
        x = centre[:, 0].mean() + rng.uniform(-0.45, 0.3) * staged[1]
        surroundings.poster(scene, rng, x, rng.uniform(0.3, 0.5) * STAGE)

    made = surroundings.moving_things(scene, camera, rng)
    stage = surroundings.Stage(scene, camera, centre[:, 0].mean(), place, staged[1])
    company = surroundings.bystanders(stage, rng, strangers=not number)
    made += company.strokes
    look = source.look
    if number:
        look, acting = surroundings.vested(look), surroundings.rivals(stage, name, number, rng)
        made += acting.strokes
        company.standing += acting.standing
        company.people += acting.people
    parts = [*performance.props, *build(performance.skeleton, look)]
    easel = Easel(made + strokes(parts, place, camera, 0.0, True), n)
    exposure = Exposure(rng, size)

    frames = np.empty((n, h, w, 3), np.uint8)
    masks = np.empty((n, h, w), np.uint8)
    under = performance.pose.pelvis * np.array([1.0, 0.0, 1.0])
    feet = film(place.project(under)[0][:, None], camera)[:, 0]
    spots = [
        (film(np.array([[p.origin]]), camera)[:, 0], p.height * SHADOW * scale)
        for p in company.standing
    ]
    spots.append((feet, place.height * SHADOW * scale))
    for f in range(n):
        ground = expose(scene.canvas, camera[f], size)
        for spot, radius in spots:
            shadow(ground, spot[f], radius)
        painted, masks[f] = easel.paint(ground, f)
        frames[f] = exposure.develop(painted)
    tags, faces = _tags(place, moves, company.people + 1, exposure.strength)
    heights = place.height * np.hypot(camera[:, 0, 0], camera[:, 1, 0])
    joints = _joints(performance, place, camera)
    return Clip(frames, masks, joints, tags, faces, heights / (0.8 * h))


def _joints(performance: Performance, place: Placement, camera: Array) -> Array:
    """JHMDB's joints (2, 15, F) in frame pixels counted from 1."""
    swap = {"r_": "l_", "l_": "r_"} if place.mirrored else {}  # there a right arm is a left arm
    names = [swap.get(k[:2], k[:2]) + k[2:] for k in JHMDB_JOINTS]
    joints = np.stack([performance.skeleton[k] for k in names], 1)
    return film(place.project(joints)[0], camera).transpose(2, 1, 0) + 1.0
