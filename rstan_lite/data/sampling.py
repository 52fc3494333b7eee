"""Which frames of a clip stand for the T time steps (Sections IV-B and IV-D)."""

from __future__ import annotations

import numpy as np

from rstan_lite.system.errors import ConfigError


def _check(n_frames: int, steps: int) -> None:
    if n_frames < 1:
        raise ConfigError("n_frames", str(n_frames), "at least one frame")
    if steps < 1:
        raise ConfigError("steps", str(steps), "at least one time step")


def equally_spaced(n_frames: int, steps: int, phase: float | np.ndarray = 0.5) -> np.ndarray:
    """One frame of each of `steps` equal intervals of a clip.

    n_frames: frames in the clip. steps: T. phase: in [0, 1), where in its interval of
    n_frames / steps frames each one lies; (B,) phases give B samplings. One half, the middle, is
    what tests take: of a clip's frames or, with fewer steps than stored ones, of those.
    Returns int64 (T,) or (B, T), ascending, in [0, n_frames). A clip with fewer than T frames
    repeats some.
    """
    _check(n_frames, steps)
    starts = np.arange(steps) + np.asarray(phase, np.float64)[..., None]
    index = (starts * n_frames / steps).astype(np.int64)
    return np.minimum(index, n_frames - 1)  # (steps - 1 + phase) * n / steps can round up to n


def random_offset(n_frames: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Equal intervals with a random phase: the sampling of the training. See `equally_spaced`."""
    return equally_spaced(n_frames, steps, rng.random())


EXTENTS = ("whole", "first", "last")  # all of a clip, its first and its last two thirds


def extent_range(n_frames: int, extent: str) -> tuple[int, int]:
    """The frames of a temporal extent (Section IV-D), from the first to one past the last.

    n_frames: frames in the clip. extent: one of EXTENTS. Two thirds are rounded up, so that "first"
    and "last" are of equal length and together leave no frame out.
    """
    _check(n_frames, 1)
    if extent not in EXTENTS:
        raise ConfigError("extent", repr(extent), f"one of {', '.join(EXTENTS)}")
    if extent == "whole":
        return 0, n_frames
    length = -(-2 * n_frames // 3)
    return (0, length) if extent == "first" else (n_frames - length, n_frames)


def spaced_in_extent(n_frames: int, steps: int, extent: str = "whole") -> np.ndarray:
    """`equally_spaced` frames of a part of a clip, numbered in the clip: int64 (T,)."""
    start, end = extent_range(n_frames, extent)
    return start + equally_spaced(end - start, steps)
