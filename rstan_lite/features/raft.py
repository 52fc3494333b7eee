"""RAFT, a recurrent network for optical flow (Teed and Deng, ECCV 2020), as torchvision has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rstan_lite.features.pretrained import load_weights, read_state, torchvision_file, weights_hash

UPDATES = 12  # of the flow, torchvision's number
STRIDE, SMALLEST = 8, 128  # px: sides are multiples of the one and no less than the other
TOGETHER = 4  # pairs through the network at a time


class Raft:
    """RAFT with its weights, on a device.

    variant: "raft_small" or "raft_large". weights: a file (.pth or .safetensors) of the variant's
    state; none: torchvision's, downloaded once into torch hub's folder of checkpoints.
    Raises CheckpointError for a file that is missing, damaged or of the other variant.
    """

    forks: ClassVar[bool] = False  # a process cannot share another one's GPU context

    def __init__(self, variant: str, weights: str | Path = "", device: str = "cpu"):
        from torchvision.models import get_model, get_model_weights

        default = get_model_weights(variant).DEFAULT
        path = Path(weights or torchvision_file(default, variant, "--flow-weights"))
        self._net, self._device = get_model(variant, weights=None), device
        load_weights(self._net, read_state(path), str(path), variant)
        self._net.eval().to(device)
        self.parameters: dict[str, Any] = {
            "method": variant,
            "updates": UPDATES,
            "weights": weights_hash(path),
        }

    def __getstate__(self) -> dict[str, Any]:
        """What a process that only decodes gets: no network, which may lie on a GPU."""
        return {"parameters": self.parameters}

    @torch.no_grad()
    def fields(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """Frames uint8 RGB (F, H, W, 3) to F - 1 fields, float32 (H, W, 2), x then y, pixels."""
        height, width = frames.shape[1:3]
        top, left = (_missing(side) for side in (height, width))
        pad = (left // 2, left - left // 2, top // 2, top - top // 2)
        for first in range(0, len(frames) - 1, TOGETHER):
            part = torch.from_numpy(np.ascontiguousarray(frames[first : first + TOGETHER + 1]))
            x = self._normalise(part, pad)  # (n + 1, 3, H', W')
            flow = self._net(x[:-1], x[1:], num_flow_updates=UPDATES)[-1]  # (n, 2, H', W')
            flow = flow[:, :, pad[2] :, pad[0] :][:, :, :height, :width]
            yield from flow.permute(0, 2, 3, 1).float().cpu().numpy()

    def _normalise(self, frames: Tensor, pad: tuple[int, int, int, int]) -> Tensor:
        """uint8 (n, H, W, 3) to floats in [-1, 1], (n, 3, H', W'), the edges repeated outwards."""
        x = frames.to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        return functional.pad(x, pad, mode="replicate")


def _missing(side: int) -> int:
    """Pixels that a side lacks to be one that the network takes."""
    return max(SMALLEST, -(-side // STRIDE) * STRIDE) - side
