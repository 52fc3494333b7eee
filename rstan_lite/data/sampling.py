"""Which frames of a clip stand for the T time steps (Section IV-B)."""

from __future__ import annotations

import numpy as np

from rstan_lite.errors import ConfigError


def _check(n_frames: int, steps: int) -> None:
    if n_frames < 1:
        raise ConfigError("n_frames", str(n_frames), "at least one frame")
    if steps < 1:
        raise ConfigError("steps", str(steps), "at least one time step")


def equally_spaced(n_frames: int, steps: int) -> np.ndarray:
    """The middles of `steps` equal parts of a clip: the sampling of the tests.

    n_frames: frames in the clip. steps: T.
    Returns int64 (T,), ascending, in [0, n_frames). A clip with fewer than T frames repeats some.
    """
    _check(n_frames, steps)
    return ((np.arange(steps) + 0.5) * n_frames / steps).astype(np.int64)


def random_offset(n_frames: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Equal intervals with a random phase: the sampling of the training.

    The interval is n_frames / steps; one phase, uniform in [0, interval), serves all steps.
    Returns int64 (T,), ascending, in [0, n_frames). A clip with fewer than T frames repeats some.
    """
    _check(n_frames, steps)
    index = ((np.arange(steps) + rng.random()) * n_frames / steps).astype(np.int64)
    return np.minimum(index, n_frames - 1)  # (steps - 1 + r) * n / steps can round up to n
