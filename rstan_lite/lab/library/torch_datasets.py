"""Clips and stored features as `torch.utils.data.Dataset`, for loops of your own."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.system.settings import check_choice, check_count

PARTS = ("train", "validation", "test")
Transform = Callable[..., tuple[tv_tensors.Video, tv_tensors.Mask]]


class ClipFrames(Dataset[tuple[tv_tensors.Video, tv_tensors.Mask, int]]):
    """T equally spaced frames of every clip of a part, with the actor's silhouettes.

    clips: see `open_clips`. part: train, validation or test. steps: T. transform: called with
    frames and masks; torchvision's transforms v2 move both alike.
    An item is frames uint8 (T, 3, H, W), masks uint8 (T, H, W) of {0, 1} (zeros where the data set
    has no silhouettes), and the label, an index into `clips.classes`.
    Raises DataError for a clip that can't be read.
    """

    def __init__(
        self, clips: ClipDataset, part: str = "train", steps: int = 8,
        transform: Transform | None = None,
    ):  # fmt: skip
        check_choice("part", part, PARTS)
        check_count("steps", steps)
        self._source, self._steps, self._transform = clips, steps, transform
        self._clips: list[Clip] = getattr(clips, part)

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Video, tv_tensors.Mask, int]:
        clip = self._clips[index]
        frames = self._source.frames(clip)  # (F, H, W, 3)
        chosen = equally_spaced(len(frames), self._steps)
        masks = torch.from_numpy(self._source.silhouettes(clip, frames)[chosen])
        video = torch.from_numpy(frames[chosen]).permute(0, 3, 1, 2)
        item = tv_tensors.Video(video), tv_tensors.Mask(masks)
        return (*(self._transform(*item) if self._transform else item), clip.label)


class StoredFeatures(Dataset[dict[str, Any]]):
    """T equally spaced stored frames of every clip's features, as RSTAN's `forward` takes them.

    features: see `training.parts.load_part`. steps: T. view: which stored view, 0 is the centre.
    An item is {"cubes": {stream: (T, P, d_cv)}, "vectors": {stream: (T, d_fc)}, "target": (T, P),
    M of Eq. 18, "label": int}, float32, divided by the features' scales; a DataLoader stacks them.
    """

    def __init__(self, features: ClipFeatures, steps: int = 8, view: int = 0):
        check_count("steps", steps, 1, features.stored_frames)
        check_count("view", view, 0, features.views - 1)
        self._features, self._view = features, view
        self._chosen = equally_spaced(features.stored_frames, steps)

    def __len__(self) -> int:
        return len(self._features)

    def __getitem__(self, index: int) -> dict[str, Any]:
        found = self._features
        scales = {s: found.scales.get(s, (1.0, 1.0)) for s in found.streams}
        return {
            "cubes": {s: self._read(found.cubes[s], index) / scales[s][0] for s in scales},
            "vectors": {s: self._read(found.vectors[s], index) / scales[s][1] for s in scales},
            "target": self._read(found.target, index),
            "label": int(found.labels[index]),
        }

    def _read(self, stored: Any, index: int) -> Tensor:
        return torch.as_tensor(stored[index][self._view])[self._chosen].float()
