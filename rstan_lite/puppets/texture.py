"""Paint: noise, textured colours and flat shapes, in integer arithmetic.

Integers give the same pixels for the same seed on every machine.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from .parts import Colour, tint

Image = np.ndarray
_WEIGHTS = (9, 9, 8, 7, 6)  # of the octaves of noise, in 1/16


def noise(rng: Generator, h: int, w: int, cell: int, octaves: int = 4, stretch: int = 1) -> Image:
    """Multi-octave value noise (h, w) int16, mostly within -128..127.

    cell: pixels of the coarsest lattice; stretch: how much wider than high its grains are.
    """
    total = np.zeros((h, w), np.int16)
    for octave in range(octaves):
        step = max(cell >> octave, 1)
        rows, columns = h // step + 2, w // (step * stretch) + 2
        grid = rng.integers(0, 256, (rows, columns), dtype=np.uint8)
        grown = cv2.resize(grid, (w, h), interpolation=cv2.INTER_LINEAR_EXACT)
        total += (grown.astype(np.int16) - 128) * _WEIGHTS[min(octave, 4)] >> 4
    return total


def texture(colour: Colour, grain: Image, strength: int) -> Image:
    """Colour (h, w, 3) varied by noise; strength in 1/64."""
    shade = (grain.astype(np.int32) * strength) >> 6
    return np.clip(np.array(colour, np.int32) + shade[..., None], 0, 255).astype(np.uint8)


def pick(rng: Generator, colours: tuple[Colour, ...]) -> Colour:
    """One of some colours, a little lighter or darker."""
    chosen = colours[rng.integers(len(colours))]
    return tint(chosen, float(rng.uniform(0.88, 1.1)))


def some(rng: Generator, low: int, high: int) -> Colour:
    """Any colour whose channels lie in low..high - 1."""
    r, g, b = (int(c) for c in rng.integers(low, high, 3))
    return r, g, b


def rectangle(canvas: Image, x: int, y: int, w: int, h: int, colour: Colour) -> None:
    """Fill a rectangle of w by h pixels whose corner is at (x, y)."""
    cv2.rectangle(canvas, (x, y), (x + w, y + h), colour, -1)
