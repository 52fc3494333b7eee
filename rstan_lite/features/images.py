"""Images for a stream's network, from a clip's stored inputs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.jhmdb import Clip
from rstan_lite.data.transforms import view
from rstan_lite.features.flow import PAIRS, stack_indices
from rstan_lite.features.store import Store


def flow_stack(flow: Tensor, frame: int) -> np.ndarray:
    """A frame's flow stack, uint8 (H, W, 20), from a clip's stored flow (F - 1, H, W, 2)."""
    chosen = flow[torch.from_numpy(stack_indices(len(flow), frame))].numpy()
    return np.ascontiguousarray(chosen.transpose(1, 2, 0, 3)).reshape(*chosen.shape[1:3], 2 * PAIRS)


def view_images(store: Store, clip: Clip, stream: str, name: str, size: int, frames) -> Tensor:
    """A clip's images for a stream in a fixed view, uint8 (len(frames), size, size, channels).

    frames: which of the S stored frames.
    """
    if stream == "appearance":
        images = store.read(clip, "frames").numpy()[frames]
        geometry = view(name, images.shape[1:3], size)
        out = [geometry.frame(image) for image in images]
    else:
        flow, index = store.read(clip, "flow"), store.read(clip, "index").numpy()[frames]
        geometry = view(name, flow.shape[1:3], size)
        out = [geometry.flow(flow_stack(flow, int(frame))) for frame in index]
    return torch.from_numpy(np.ascontiguousarray(np.stack(out)))
