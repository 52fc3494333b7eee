"""The sequences that a test video is judged by, each a view of some frames (Section IV-D)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rstan_lite.data.sampling import EXTENTS, spaced_in_extent
from rstan_lite.data.transforms import CORNERS, CROP, Geometry, view, view_side
from rstan_lite.system.errors import ConfigError

PROTOCOLS = ("centre", "22")
FRAMES = 32  # T of a test sequence in the paper
SCALES = (256, 192)  # pixels of frames whose short side is 256


@dataclass(frozen=True)
class ClipSequence:
    """T frames of a clip, all in one view.

    view: see `transforms.view`. extent: one of EXTENTS. frames: T.
    """

    view: str
    extent: str = "whole"
    frames: int = FRAMES

    @property
    def name(self) -> str:
        """`<extent> <view>`, for example `first centre@192-mirror`."""
        return f"{self.extent} {self.view}"

    @property
    def mirror(self) -> bool:
        """Whether its frames are mirrored."""
        return self.view.endswith("-mirror")

    @property
    def crop(self) -> str:
        """Where the crop lies: one of VIEWS."""
        return self.view.removesuffix("-mirror").partition("@")[0]

    @property
    def scale(self) -> int:
        """Side of the crop in pixels of frames whose short side is 256."""
        pixels = self.view.removesuffix("-mirror").partition("@")[2]
        return int(pixels) if pixels else CROP

    def index(self, n_frames: int) -> np.ndarray:
        """The frames, int64 (T,), in a clip of so many; a short extent repeats some."""
        return spaced_in_extent(n_frames, self.frames, self.extent)

    def geometry(self, shape: Sequence[int], size: int) -> Geometry:
        """The view of a frame of (H, W, ...); size: side of a plain crop's network input."""
        return view(self.view, shape, size)

    def side(self, size: int) -> int:
        """Side of the network's input in pixels, where a plain crop's is `size`."""
        return view_side(self.view, size)


def test_sequences(protocol: str = "22", frames: int = FRAMES) -> tuple[ClipSequence, ...]:  # noqa: PT028
    """The sequences of a test protocol, in a fixed order.

    protocol: "centre" is one centre crop of the whole clip (Section IV-C). "22" (Section IV-D) has
    ten crops of 224 pixels of the whole clip (centre and corners, then mirrored), and, for each
    extent (whole, first and last two thirds) and scale (256, 192), a centre crop and its mirror.
    frames: T of every sequence.
    Raises ConfigError for another protocol or no frame.
    """
    if protocol not in PROTOCOLS:
        raise ConfigError("--protocol", repr(protocol), f"one of {', '.join(PROTOCOLS)}")
    if frames < 1:
        raise ConfigError("--frames", str(frames), "at least 1")
    if protocol == "centre":
        return (ClipSequence("centre", frames=frames),)
    crops = [corner + mirror for mirror in ("", "-mirror") for corner in CORNERS]
    scaled = [
        (f"centre@{scale}{mirror}", extent)
        for extent in EXTENTS
        for scale in SCALES
        for mirror in ("", "-mirror")
    ]
    whole = [(name, "whole") for name in crops]
    return tuple(ClipSequence(name, extent, frames) for name, extent in [*whole, *scaled])
