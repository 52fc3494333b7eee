"""What is drawn, and how: moving shapes in three dimensions, projected, sorted and painted.

A part is a group of tapered capsules and polygons that moves over the F frames of a clip and is
sorted by depth as one. Strokes are what the camera sees of it; the easel paints them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rstan_lite.system.reading import read_toml

Array = NDArray[np.float64]
Point = Array | Sequence[float]
Colour = tuple[int, int, int]


@cache
def table(name: str) -> dict[str, Any]:
    """Data beside this file: "actions", their staging and keyframes, or "looks", colours, names."""
    return read_toml(Path(__file__).with_name(f"{name}.toml"))


@dataclass
class Capsule:
    """Two circles (F, 3), radii `start`, `end`, and what lies between them; (3,) stand still."""

    a: Array
    b: Array
    start: float
    end: float
    colour: Colour
    shaded: bool = True


@dataclass
class Sheet:
    """A convex polygon (F, K, 3) or (K, 3); `culled` sheets are seen from their front only."""

    points: Array
    colour: Colour
    culled: bool = False


@dataclass
class Part:
    """A group of shapes with one depth.

    anchor: (F, 3) or (3,), where the depth is taken. bias: added to it, in heights. body: whether
    the shapes count for the silhouette. visible: (F,) bool, or None for always.
    """

    anchor: Array
    capsules: list[Capsule] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    bias: float = 0.0
    body: bool = False
    visible: np.ndarray | None = None


def tint(colour: Colour, factor: float) -> Colour:
    """Make a colour lighter (factor > 1) or darker."""
    r, g, b = (min(255, int(c * factor + 0.5)) for c in colour)
    return r, g, b


def rod(
    a: Point, b: Point, radius: float, colour: Colour, end: float | None = None, bias: float = 0.0
) -> Part:
    """A stick between two points, moving (F, 3) or fixed (3,), tapered to radius `end`."""
    a, b = np.asarray(a), np.asarray(b)
    thin = radius if end is None else end
    return Part((a + b) / 2, [Capsule(a, b, radius, thin, colour)], bias=bias)


def ball(centre: Point, radius: float, colour: Colour, bias: float = 0.0) -> Part:
    """A ball with two darker marks, which show where it goes."""
    centre, across = np.asarray(centre), np.array([radius * 0.75, 0.0, radius * 0.3])
    low, high, thin = centre - across, centre + across, radius * 0.12
    seam = Capsule(low, high, thin, thin, tint(colour, 0.55), shaded=False)
    return Part(centre, [Capsule(centre, centre, radius, radius, colour), seam], bias=bias)


_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2.0
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
_FACE_LIGHT = (0.75, 0.85, 0.55, 1.15, 0.8, 1.0)


def box(centre: Point, size: Sequence[float], colour: Colour, bias: float = 0.0) -> Part:
    """An upright box, centre (F, 3) or (3,), size (x, y, z); each face has its own brightness."""
    centre = np.asarray(centre)
    corners = centre[..., None, :] + _CORNERS * np.asarray(size)
    faces = [
        Sheet(corners[..., list(face), :], tint(colour, light), culled=True)
        for face, light in zip(_FACES, _FACE_LIGHT, strict=True)
    ]
    return Part(centre, sheets=faces, bias=bias)


def chain(points: Sequence[Array], radius: float, colour: Colour, bias: float = 0.0) -> Part:
    """A bent rod through several points: bows, strings, rims."""
    links = [Capsule(a, b, radius, radius, colour, shaded=False) for a, b in pairwise(points)]
    return Part(np.mean(points, axis=0), links, bias=bias)


SCALE = 2  # supersampling
SHIFT = 3  # fractional bits of polygon corners
_ARC = 7  # corners of each round end

BODY, COVER, IGNORED = 255, 0, -1


@dataclass(frozen=True)
class Placement:
    """Where a person's frame stands in the scene.

    origin: (x, y) scene pixels of its ground point. height: pixels of one body height. yaw: 0 side
    view facing right, pi / 2 facing the camera. mirrored: swaps image left and right. pitch: how
    far the camera looks down, radians.
    """

    origin: tuple[float, float]
    height: float
    yaw: float
    mirrored: bool = False
    pitch: float = 0.12

    def project(self, points: Array) -> tuple[Array, Array]:
        """Scene pixels (..., 2) of points (..., 3), and their nearness to the camera (...)."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        c, s, cp, sp = (f(v) for v in (self.yaw, self.pitch) for f in (np.cos, np.sin))
        across, near = (x * c - z * s) * (-1 if self.mirrored else 1), x * s + z * c
        u = self.origin[0] + self.height * across
        v = self.origin[1] - self.height * (y * cp - near * sp)
        return np.stack([u, v], -1), near * cp + y * sp


@dataclass
class Stroke:
    """A convex polygon over time: corners (F, K, 2) in frame pixels, drawn in order of `rank`."""

    corners: Array
    colour: Colour
    rank: Array
    visible: np.ndarray | None = None
    mask: int = IGNORED


def film(points: Array, camera: Array) -> Array:
    """Scene pixels (F, ..., 2) through the camera (F, 2, 3) to frame pixels."""
    shape = (len(camera),) + (1,) * (points.ndim - 2)
    a = camera.reshape(*shape, 2, 3)
    x, y = points[..., 0], points[..., 1]
    u = a[..., 0, 0] * x + a[..., 0, 1] * y + a[..., 0, 2]
    v = a[..., 1, 0] * x + a[..., 1, 1] * y + a[..., 1, 2]
    return np.stack([u, v], -1)


def outline(a: Array, b: Array, start: Array, end: Array) -> Array:
    """Corners (..., K, 2) of capsules between a and b (..., 2) with radii start, end (...)."""
    delta = b - a
    length = np.maximum(np.hypot(delta[..., 0], delta[..., 1]), 1e-6)
    heading = np.arctan2(delta[..., 1], delta[..., 0])
    open_ = np.arccos(np.clip((start - end) / length, -1.0, 1.0))
    share = np.linspace(0.0, 1.0, _ARC)
    back = heading[..., None] + open_[..., None] + share * (2 * np.pi - 2 * open_[..., None])
    front = heading[..., None] - open_[..., None] + share * 2 * open_[..., None]
    corners = [
        centre[..., None, :] + radius[..., None, None] * np.stack([np.cos(t), np.sin(t)], -1)
        for centre, radius, t in ((a, start, back), (b, end, front))
    ]
    return np.concatenate(corners, -2)


_TONES = ((1.0, 0.0, 0.70), (0.82, 0.14, 1.0), (0.42, 0.36, 1.13))  # size, shift, brightness


def strokes(
    parts: Sequence[Part], place: Placement, camera: Array, layer: float, silhouette: bool
) -> list[Stroke]:
    """Project parts into strokes.

    layer: whole figures are drawn in order of their layers. silhouette: bodies set the mask and
    other parts in front of them clear it.
    """
    n, zoom = len(camera), np.hypot(camera[:, 0, 0], camera[:, 1, 0])
    made: list[Stroke] = []
    light = np.array([-0.5, -0.85])
    capsules = [(part, capsule) for part in parts for capsule in part.capsules]
    depths = (place.project(np.broadcast_to(p.anchor, (n, 3)))[1] + p.bias for p in parts)
    ranks = {id(p): layer * 1000.0 + 10.0 * d for p, d in zip(parts, depths, strict=True)}
    if capsules:
        points = [np.broadcast_to(p, (n, 3)) for _, c in capsules for p in (c.a, c.b)]
        ends = np.stack(points, 1).reshape(n, len(capsules), 2, 3)
        pixels = film(place.project(ends)[0], camera)
        radii = np.array([[c.start, c.end] for _, c in capsules]) * place.height
        radii = np.maximum(radii[None] * zoom[:, None, None], 0.4)
        for size, shift, brightness in _TONES:
            a, b = np.moveaxis(pixels + shift * radii[..., None] * light, 2, 0)
            start, end = np.moveaxis(radii * size, 2, 0)
            corners = outline(a, b, start, end)
            first = size == 1.0
            for i, (part, c) in enumerate(capsules):
                if not c.shaded and not first:
                    continue
                if size < 0.5 and c.start * place.height < 2.5:
                    continue  # too thin for a highlight
                order = (0.0 if first else 2.0 - size) if c.shaded else 3.0
                rank = ranks[id(part)] + order * 1e-3 + i * 1e-7
                colour = tint(c.colour, brightness) if c.shaded else c.colour
                mask = IGNORED if not (silhouette and first) else BODY if part.body else COVER
                made.append(Stroke(corners[:, i], colour, rank, part.visible, mask))
    for part in parts:
        for i, sheet in enumerate(part.sheets):
            flat = np.broadcast_to(sheet.points, (n, *sheet.points.shape[-2:]))
            corners = film(place.project(flat)[0], camera)
            visible = part.visible
            if sheet.culled:
                x, y = corners[..., 0], corners[..., 1]
                area = (x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(1)
                front = (area > 0) if place.mirrored else (area < 0)
                visible = front if visible is None else visible & front
            rank = ranks[id(part)] + 0.5e-3 + i * 1e-7
            mask = IGNORED if not silhouette else BODY if part.body else COVER
            made.append(Stroke(corners, sheet.colour, rank, visible, mask))
    return made


class Easel:
    """Draws strokes onto background frames, and the silhouette beside them."""

    def __init__(self, made: Sequence[Stroke], n_frames: int) -> None:
        self._strokes = made
        ranks = np.stack([s.rank for s in made]) if made else np.zeros((0, n_frames))
        self._order = np.argsort(ranks, axis=0, kind="stable")
        factor = SCALE * (1 << SHIFT)
        offset = (SCALE - 1) / 2 * (1 << SHIFT)
        scaled = (np.rint(s.corners * factor + offset) for s in made)
        self._corners = [np.clip(c, -(2**18), 2**18).astype(np.int32, order="C") for c in scaled]

    def paint(self, background: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the frame (H, W, 3) uint8 and the silhouette (H, W) uint8 in {0, 1}."""
        h, w = background.shape[:2]
        canvas = cv2.resize(background, (w * SCALE, h * SCALE), interpolation=cv2.INTER_NEAREST)
        mask = np.zeros((h * SCALE, w * SCALE), np.uint8)
        for i in self._order[:, frame]:
            stroke = self._strokes[i]
            if stroke.visible is not None and not stroke.visible[frame]:
                continue
            corners = self._corners[i][frame]
            cv2.fillConvexPoly(canvas, corners, stroke.colour, cv2.LINE_AA, SHIFT)
            if stroke.mask != IGNORED:
                cv2.fillConvexPoly(mask, corners, stroke.mask, cv2.LINE_8, SHIFT)
        painted = cv2.resize(canvas, (w, h), interpolation=cv2.INTER_AREA)
        covered = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA)
        return painted, (covered >= 128).astype(np.uint8)
