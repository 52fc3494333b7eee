"""Images for a stream's network, from a clip's inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.clips import Clip
from rstan_lite.data.transforms import view
from rstan_lite.features.flow import PAIRS, stack
from rstan_lite.features.store import Store


def stream_images(
    read: Callable[[str], Tensor],
    stream: str,
    name: str,
    size: int,
    frames: Sequence[int],
    pairs: int = PAIRS,
) -> Tensor:
    """A clip's images for a stream in a fixed view.

    read: gives the clip's tensors "frames", "flow" and "index" (see `inputs.inputs_store`). name:
    of the view. size: side in pixels. frames: which of the S stored frames. pairs: of flow, those
    that the motion network takes.
    Returns uint8 (len(frames), size, size, channels).
    """
    if stream == "appearance":
        pictures = read("frames").numpy()
        geometry = view(name, pictures.shape[1:3], size)
        images = [geometry.frame(pictures[i]) for i in frames]
    else:
        flow, index = read("flow").numpy(), read("index").tolist()
        geometry = view(name, flow.shape[1:3], size)
        images = [stack(flow, index[i], geometry, pairs) for i in frames]
    return torch.from_numpy(np.ascontiguousarray(np.stack(images)))


def view_images(
    store: Store,
    clip: Clip,
    stream: str,
    name: str,
    size: int,
    frames: Sequence[int],
    pairs: int = PAIRS,
) -> Tensor:
    """`stream_images` of a clip in a store."""
    return stream_images(lambda tensor: store.read(clip, tensor), stream, name, size, frames, pairs)
