"""Backgrounds: textured rooms, halls, parks and streets, painted once per clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .interiors import hall, room
from .outdoors import park, street
from .texture import Image


@dataclass(frozen=True)
class Scene:
    """A painted background (h, w, 3) uint8 RGB, larger than the frame, its kind and horizon row."""

    canvas: Image
    kind: str
    horizon: int


def paint(rng: Generator, kind: str, height: int, width: int, horizon: int) -> Scene:
    """Paint a scene of `kind` with its ground beginning at row `horizon`."""
    canvas = np.zeros((height, width, 3), np.uint8)
    {"room": room, "hall": hall, "park": park, "street": street}[kind](canvas, rng, horizon)
    return Scene(canvas, kind, horizon)
