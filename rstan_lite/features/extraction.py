"""The steps from a clip on disk to its features in the stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import view
from rstan_lite.features.backbones import FeatureNet, backbone
from rstan_lite.features.images import stream_images
from rstan_lite.features.inputs import InputSteps, InputStore, Made, has_masks
from rstan_lite.features.parallel import Step, over_clips
from rstan_lite.features.pretrained import load_imagenet, load_tuned, read_state
from rstan_lite.features.settings import FeatureSettings
from rstan_lite.features.store import Fingerprints, Store
from rstan_lite.features.uninitialised import Uninitialised
from rstan_lite.system.errors import CheckpointError

# Images through a network at a time. On a CPU four of SqueezeNet's largest maps still fit into its
# cache, which makes each image a fifth to a third cheaper than sixteen at a time.
BATCH = {"cpu": 4, "cuda": 64}


def load_network(settings: FeatureSettings, stream: str) -> FeatureNet:
    """A stream's network with its weights, ready to extract features.

    The weights file may be one of `rstan-lite tune` (or shipped) or an ImageNet state; from the
    latter a motion network gets its first convolution by cross-modality initialisation.
    """
    path = settings.weights[stream]
    state = read_state(Path(path))
    classes = 0
    if any(k.startswith("trunk.") for k in state):
        bias = state.get("classifier.bias", torch.empty(()))
        if bias.ndim != 1 or len(bias) == 0:
            found = "no classifier" if bias.ndim != 1 else "a classifier of no class"
            raise CheckpointError(path, found, "a network of `rstan-lite tune`")
        classes = len(bias)
    with Uninitialised():
        net = FeatureNet(
            backbone(settings.backbone_of(stream)), stream, classes, side=settings.size_of(stream)
        )
    if classes:
        load_tuned(net, path)
    else:
        load_imagenet(net, path)
    return net.eval()


@torch.no_grad()
def image_features(net: FeatureNet, images: Tensor, device: str = "cpu") -> dict[str, Tensor]:
    """Cubes (n, P, d_cv) and vectors (n, d_fc), float16, of images uint8 (n, s, s, channels)."""
    parts = [net.features(chunk.to(device)) for chunk in images.split(BATCH[device])]
    return {name: torch.cat([part[name] for part in parts]).half().cpu() for name in parts[0]}


@dataclass
class Extraction:
    """The steps from a clip to its features, for whatever the stores lack of it.

    inputs: a store of inputs; a clip that lies in it is not decoded again, the others' inputs are
    not stored. stores: by (stream or "target", view). todo: which of them each clip is to be
    written to. device: of the networks.
    """

    dataset: ClipDataset
    inputs: InputStore
    stores: Mapping[tuple[str, str], Store]
    todo: Mapping[Clip, Sequence[tuple[str, str]]]
    settings: FeatureSettings
    device: str = "cpu"

    @cached_property
    def networks(self) -> dict[str, FeatureNet]:
        """The streams' networks; a process that takes this step loads them once for itself."""
        nets = {stream: load_network(self.settings, stream) for stream in self.settings.weights}
        last = torch.channels_last
        return {name: net.to(self.device).to(memory_format=last) for name, net in nets.items()}

    @cached_property
    def _steps(self) -> InputSteps:
        return InputSteps(self.dataset, self.inputs)

    def decode(self, clip: Clip, _: None) -> Made:
        """All frames and masks; no tensors where the clip's inputs are stored."""
        prints = Fingerprints()
        if self.inputs.current(clip, prints):
            return Made(prints[clip.path], {})
        return self._steps.decode(clip, None)

    def compute(self, clip: Clip, made: Made) -> Made:
        """The clip's inputs, from its frames or, where they are stored, from there."""
        if not made.tensors:
            return Made(made.clip_print, self.inputs.read_all(clip))
        return self._steps.compute(clip, made)

    def extract(self, clip: Clip, made: Made) -> None:
        """Write the clip's features and targets."""
        read = made.tensors.__getitem__
        for kind, name in self.todo[clip]:
            store, size = self.stores[kind, name], self.settings.size_of(kind)
            if kind == "target":
                found = {"target": self._target(made, name, store)}
            else:
                net, frames = self.networks[kind], range(self.inputs.frames)
                images = stream_images(read, kind, name, size, frames, net.spec.pairs)
                found = image_features(net, images, self.device)
            store.write(clip, found, made.clip_print)

    def _target(self, made: Made, name: str, store: Store) -> Tensor:
        """M of Eq. 18 of the stored frames, (S, P); zeros where the data set has no silhouettes."""
        if not has_masks(self.inputs):
            return torch.zeros(self.inputs.frames, store.key["places"])
        return view_target(made.tensors["masks"].numpy(), name, self.settings.size, store)

    def run(self, workers: int) -> None:
        """Take all clips through the steps, several at a time.

        On a CPU each process does all of a clip: no one waits for another, and nothing but names
        goes between them. Where a GPU computes, processes decode while the main one computes.
        """
        order: list[Step] = [self.decode, self.compute, self.extract]
        remote = 3 if self.device == "cpu" else 2  # steps that a process of its own can do
        if not self.inputs.flow.forks:
            remote = 1
        steps = order[:remote], order[remote:]
        over_clips(list(self.todo), *steps, workers, "features", self.dataset)


def view_target(masks: np.ndarray, name: str, size: int, store: Store) -> Tensor:
    """M of Eq. 18 in a view, float32 (S, P), of masks uint8 (S, H, W); P is the store's."""
    geometry = view(name, masks.shape[1:3], size)
    seen = np.stack([geometry.mask(mask) for mask in masks])
    return torch.from_numpy(target(seen, round(store.key["places"] ** 0.5)))
