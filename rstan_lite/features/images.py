"""Images for a stream's network, from a clip's inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.jhmdb import Clip
from rstan_lite.data.transforms import view
from rstan_lite.features.flow import stacks
from rstan_lite.features.inputs import InputStore
from rstan_lite.features.packing import Images


def stream_images(
    read: Callable[[str], Tensor | Images],
    stream: str,
    name: str,
    size: int,
    frames: Sequence[int],
) -> Tensor:
    """A clip's images for a stream in a fixed view.

    read: gives the clip's "frames", "flow" and "index" (see `inputs.InputStore`). name: of the
    view. size: side in pixels. frames: which of the S stored frames.
    Returns uint8 (len(frames), size, size, channels).
    """
    if stream == "appearance":
        pictures = read("frames")
        geometry = view(name, pictures.shape[1:3], size)
        images = [geometry.frame(np.asarray(pictures[i])) for i in frames]
    else:
        flow, index = read("flow"), np.asarray(read("index"))
        geometry = view(name, flow.shape[1:3], size)
        images = stacks(flow, index[list(frames)].tolist(), geometry)
    return torch.from_numpy(np.ascontiguousarray(np.stack(images)))


def view_images(
    store: InputStore, clip: Clip, stream: str, name: str, size: int, frames: Sequence[int]
) -> Tensor:
    """`stream_images` of a clip in a store."""
    return stream_images(lambda tensor: store.lazy(clip, tensor), stream, name, size, frames)
