"""Which frames of a clip stand for the T time steps, and in which views (Sections IV-B, IV-D).

Frames are chosen twice. Extraction stores S equally spaced frames of a clip (`features.inputs`).
Each mini-batch then takes T of those S, with a random phase in training and the middle one in a
test (`training.batches`).
"""

from dataclasses import dataclass

import numpy as np

from rstan_lite.system.settings import check_choice, check_count


def equally_spaced(n_frames: int, steps: int, phase: float | np.ndarray = 0.5) -> np.ndarray:
    """One frame of each of `steps` equal intervals of a clip.

    n_frames: frames in the clip. steps: T. phase: in [0, 1), where each one lies in its interval;
    (B,) phases give B samplings. Training draws a phase for each clip; tests take the middle.
    Returns int64 (T,) or (B, T), ascending, in [0, n_frames). A short clip repeats some.
    """
    check_count("n_frames", n_frames)
    check_count("steps", steps)
    starts = np.arange(steps) + np.asarray(phase, np.float64)[..., None]
    index = (starts * n_frames / steps).astype(np.int64)
    return np.minimum(index, n_frames - 1)  # (steps - 1 + phase) * n / steps can round up to n


EXTENTS = ("whole", "first", "last")  # all of a clip, its first and its last two thirds


def extent_range(n_frames: int, extent: str) -> tuple[int, int]:
    """The frames of a temporal extent (Section IV-D), from the first to one past the last.

    extent: one of EXTENTS. Two thirds are rounded up, so that the two leave no frame out.
    """
    check_choice("extent", extent, EXTENTS)
    length = n_frames if extent == "whole" else -(-2 * n_frames // 3)
    return (n_frames - length, n_frames) if extent == "last" else (0, length)


@dataclass(frozen=True)
class ClipSequence:
    """T frames of a clip, `equally_spaced` in a part of it, all in one view."""

    view: str  # see `transforms.view`
    extent: str = "whole"  # one of EXTENTS
    frames: int = 32  # T, the paper's

    @property
    def name(self) -> str:
        """`<extent> <view>`, for example `first centre@192-mirror`."""
        return f"{self.extent} {self.view}"

    def index(self, n_frames: int) -> np.ndarray:
        """The frames, int64 (T,), in a clip of so many; a short extent repeats some."""
        start, end = extent_range(n_frames, self.extent)
        return start + equally_spaced(end - start, self.frames)
