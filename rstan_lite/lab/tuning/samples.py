"""What a stream's network is tuned with and on: settings, and random images of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from rstan_lite.data.clips import Clip
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import Geometry, actor_crop, random_colour, random_crop
from rstan_lite.features.backbones import FeatureNet, backbone
from rstan_lite.features.flow import stack
from rstan_lite.features.inputs import InputStore, has_masks
from rstan_lite.features.uninitialised import Uninitialised


@dataclass(frozen=True)
class TuneSettings:
    """How a stream's network is fine-tuned. Everything here is part of the result's key.

    stream: "appearance" or "motion". backbone: see `backbones.backbone`. weights: see
    `pretrained.load_start`.
    size: side of the training crops; test_size: of the later features, larger (a network sees
    people larger in jittered crops than in the centre crop of a test).
    """

    stream: str = "appearance"
    backbone: str = "squeezenet1_0"
    weights: str = "torchvision"
    epochs: int = 40
    frozen: int = 0  # epochs at the start in which the classifier alone learns
    batch: int = 32
    segments: int = 3  # images of a clip, one from each equal part of it, judged together
    size: int = 160
    test_size: int = 224
    lr: float = 0.01  # of the trunk
    head_lr: float = 0.003  # of the new classifier, whose inputs are normalised and many
    weight_decay: float = 5e-4
    dropout: float = 0.5
    actor: float = 0.7  # share of crops about the actor, by the training clips' silhouettes if any
    colour: float = 0.4  # strength of colour changes: scenes of few clips are soon known by heart
    places: float = 0.0  # weight of the loss of each place, see `tuner.places_loss`
    average: float = 0.99  # decay of the running average of the weights, which is what is kept
    smoothing: float = 0.1
    validate_every: int = 4  # epochs between looks at the validation clips
    seed: int = 0


def check(settings: TuneSettings) -> None:
    """Raise ConfigError for an unknown network, or sides of images that it can't take."""
    with Uninitialised():
        net = FeatureNet(backbone(settings.backbone), settings.stream, side=settings.size)
    net.sizes()
    net.sizes(settings.test_size)


class Samples(Dataset[tuple[Tensor, int, Tensor]]):
    """Random images of a clip, one a segment, drawn from (seed, epoch, clip) alone.

    k: K, the side of the cube that the network makes of an image.
    """

    def __init__(
        self, store: InputStore, clips: list[Clip], settings: TuneSettings, epoch: int, k: int
    ):
        self.store, self.clips, self.settings, self.epoch = store, clips, settings, epoch
        self.k = k

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int, Tensor]:
        """Images uint8 (segments, size, size, channels), the label, and the actor's places.

        The places are bool (segments, K * K): those that the silhouette touches, as in Eq. 18.
        """
        rng = np.random.default_rng([self.settings.seed, self.epoch, index])
        clip = self.clips[index]
        draw = self._frame if self.settings.stream == "appearance" else self._flow
        drawn = [draw(clip, segment, rng) for segment in range(self.settings.segments)]
        images, masks = (np.stack(part) for part in zip(*drawn, strict=True))
        return torch.from_numpy(images), clip.label, torch.from_numpy(target(masks, self.k) > 0)

    def _frame(
        self, clip: Clip, segment: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        frames = self.store.lazy(clip, "frames")
        row = self._moment(len(frames), segment, rng)
        frame, mask = np.asarray(frames[row]), self._mask(clip, row)
        geometry = self._geometry(mask, frame.shape, rng)
        seen = random_colour(geometry.frame(frame), rng, self.settings.colour)
        return seen, geometry.mask(mask)

    def _flow(
        self, clip: Clip, segment: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        flow = self.store.lazy(clip, "flow")
        middle = self._moment(len(flow) + 1, segment, rng)
        stored = self.store.read(clip, "index").numpy()
        mask = self._mask(clip, int(np.abs(stored - middle).argmin()))  # the nearest in time
        geometry = self._geometry(mask, flow.shape[1:3], rng)
        pairs = backbone(self.settings.backbone).pairs
        return stack(flow, middle, geometry, pairs), geometry.mask(mask)

    def _mask(self, clip: Clip, row: int) -> np.ndarray:
        """The silhouette of a stored frame, empty in a data set that has none."""
        if not has_masks(self.store):
            return np.zeros(self.store.lazy(clip, "frames").shape[1:3], np.uint8)
        return np.asarray(self.store.lazy(clip, "masks")[row])

    def _moment(self, frames: int, segment: int, rng: np.random.Generator) -> int:
        """A random frame of a segment; the segments divide the clip equally."""
        return min(int((segment + rng.random()) * frames / self.settings.segments), frames - 1)

    def _geometry(
        self, mask: np.ndarray, shape: Sequence[int], rng: np.random.Generator
    ) -> Geometry:
        if rng.random() < self.settings.actor and mask.any():
            return actor_crop(mask, self.settings.size, rng)
        return random_crop(shape, self.settings.size, rng)
