"""Clips whose motion is known: textures that move by whole pixels."""

import numpy as np
from clips import texture

FRAMES, SPEED, SIDE, LEFT, TOP = 20, 3, 48, 20, 30


def square_clip(frames: int = FRAMES, pan: int = 0) -> np.ndarray:
    """A textured square that moves right by 3 px a frame, (frames, 120, 200, 3).

    pan: px a frame by which the camera moves right.
    """
    ground, square = texture(120, 200 + pan * frames, 1), texture(SIDE, SIDE, 2)
    clip = []
    for t in range(frames):
        frame = ground[:, pan * t : pan * t + 200].copy()
        left = LEFT + (SPEED - pan) * t
        frame[TOP : TOP + SIDE, left : left + SIDE] = square
        clip.append(frame)
    return np.stack(clip)


def inside_square(points: np.ndarray, start: np.ndarray, pan: int = 0) -> np.ndarray:
    """Which trajectories, in the clip's pixels, begin 10 px or more inside the square."""
    corner = np.stack([LEFT + (SPEED - pan) * start, np.full(len(start), TOP)], axis=1)
    offset = points[:, 0] - corner
    return ((offset > 10) & (offset < SIDE - 10)).all(axis=1)
