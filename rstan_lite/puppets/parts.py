"""Drawable parts in three dimensions, and what builds them: rods, balls, boxes, sheets.

A part is a group of tapered capsules and polygons that moves over the F frames of a clip and
is sorted by depth as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .skeleton import Array

Colour = tuple[int, int, int]


@dataclass
class Capsule:
    """Two circles (F, 3), radii `start`, `end`, and what lies between them."""

    a: Array
    b: Array
    start: float
    end: float
    colour: Colour
    shaded: bool = True


@dataclass
class Sheet:
    """A convex polygon (F, K, 3); `culled` sheets are seen from their front only."""

    points: Array
    colour: Colour
    culled: bool = False


@dataclass
class Part:
    """A group of shapes with one depth.

    anchor: (F, 3), where the depth is taken. bias: added to it, in heights. body: whether the
    shapes count for the silhouette. visible: (F,) bool, or None for always.
    """

    anchor: Array
    capsules: list[Capsule] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    bias: float = 0.0
    body: bool = False
    visible: np.ndarray | None = None


def fixed(n_frames: int, point: Sequence[float]) -> Array:
    """A point (3,) that stays for F frames: (F, 3)."""
    return np.tile(np.asarray(point, dtype=np.float64), (n_frames, 1))


def tint(colour: Colour, factor: float) -> Colour:
    """Make a colour lighter (factor > 1) or darker."""
    r, g, b = (min(255, int(c * factor + 0.5)) for c in colour)
    return r, g, b


def rod(
    a: Array, b: Array, radius: float, colour: Colour, end: float | None = None, bias: float = 0.0
) -> Part:
    """A stick between two moving points, tapered to radius `end`."""
    thin = radius if end is None else end
    return Part((a + b) / 2, [Capsule(a, b, radius, thin, colour)], bias=bias)


def ball(centre: Array, radius: float, colour: Colour, bias: float = 0.0) -> Part:
    """A ball with two darker marks, which show where it goes."""
    across = np.array([radius * 0.75, 0.0, radius * 0.3])
    seam = Capsule(centre - across, centre + across, radius * 0.12, radius * 0.12,
                   tint(colour, 0.55), shaded=False)  # fmt: skip
    return Part(centre, [Capsule(centre, centre, radius, radius, colour), seam], bias=bias)


_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2.0
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
_FACE_LIGHT = (0.75, 0.85, 0.55, 1.15, 0.8, 1.0)


def box(centre: Array, size: Sequence[float], colour: Colour, bias: float = 0.0) -> Part:
    """An upright box, centre (F, 3), size (x, y, z); each face has its own brightness."""
    corners = centre[:, None, :] + _CORNERS * np.asarray(size)
    faces = [
        Sheet(corners[:, list(face)], tint(colour, light), culled=True)
        for face, light in zip(_FACES, _FACE_LIGHT, strict=True)
    ]
    return Part(centre, sheets=faces, bias=bias)


def chain(points: Sequence[Array], radius: float, colour: Colour, bias: float = 0.0) -> Part:
    """A bent rod through several moving points: bows, strings, rims."""
    links = [Capsule(a, b, radius, radius, colour, shaded=False) for a, b in pairwise(points)]
    return Part(np.mean(points, axis=0), links, bias=bias)
