"""What a stream's network is tuned with and on: settings, stored inputs, random images of clips."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset, RandomSampler, Sampler

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.sampling import ClipSequence
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import CORNERS, Geometry, crop
from rstan_lite.features.backbones import backbone
from rstan_lite.features.extraction import Extraction, FeatureSettings, Made
from rstan_lite.features.flow import stack
from rstan_lite.features.inputs import PACKED, InputStore
from rstan_lite.features.store import Store

# Each image is a PNG of its own, so that any one can be read alone. Run lengths at the lowest level
# are smaller and faster than zlib's search on flow, and as small on frames.
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
# Crop sides of the scale jitter, as shares of the short side (256, 224, 192, 168 of 256 in [29]).
JITTER = (1.0, 0.875, 0.75, 0.66)


@dataclass(frozen=True)
class TuneSettings:
    """How a stream's network is fine-tuned. Everything here is part of the result's key.

    stream: "appearance" or "motion". backbone: see `backbones.backbone`. weights: see
    `network_tuning.load_start`.
    size: side of the training crops; test_size: of the later features, larger (a network sees
    people larger in jittered crops than in the centre crop of a test).
    """

    stream: str = "appearance"
    backbone: str = "efficientnet_lite2"
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
    places: float = 0.0  # weight of the loss of each place, see `network_tuning.places_loss`
    average: float = 0.99  # decay of the running average of the weights, which is what is kept
    smoothing: float = 0.1
    validate_every: int = 4  # epochs between looks at the validation clips
    seed: int = 0


class _InputSteps(Extraction):
    """The steps from a clip to its inputs in their store."""

    title = "frames and flow"

    def written(self) -> list[Store]:
        return [self.inputs]

    def store(self, clip: Clip, made: Made) -> None:
        self.inputs.write(clip, packed_inputs(made.tensors), made.clip_print)


def packed_inputs(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A clip's inputs, as `pick_inputs` makes them, with their images packed: what is stored."""
    content = {name: x for name, x in tensors.items() if name not in PACKED}
    for name in tensors.keys() & set(PACKED):
        content |= pack(name, tensors[name].numpy())
    return content


def fill_inputs(
    store: InputStore, dataset: ClipDataset, clips: list[Clip], workers: int = 2
) -> None:
    """Make what a store of inputs lacks, see `over_clips`. Raises StoreError (disk) as well."""
    kept = [("inputs", ClipSequence("whole", frames=store.frames))]
    todo = dict.fromkeys(store.missing(clips), kept)
    _InputSteps(dataset, store, todo, {}, FeatureSettings({})).run(workers)


def pack(name: str, images: np.ndarray) -> dict[str, Tensor]:
    """Tensors to store for `Images`: uint8, the PNG files one after another; ends; a shape.

    images: uint8 (n, H, W), (n, H, W, 3), or another number of channels, which become one picture
    below the other (PNG has no two channels).
    """
    pictures = images
    if images.ndim == 4 and images.shape[3] != 3:
        pictures = images.transpose(0, 3, 1, 2).reshape(len(images), -1, images.shape[2])
    files = [cv2.imencode(".png", picture, _PNG)[1].ravel() for picture in pictures]
    return {
        name: torch.from_numpy(np.concatenate(files)),
        f"{name}.ends": torch.tensor([len(file) for file in files]).cumsum(0),
        f"{name}.shape": torch.tensor(images.shape[1:]),
    }


def random_crop(shape: Sequence[int], size: int, rng: np.random.Generator) -> Geometry:
    """Corner crop, scale jitter and mirroring, as the two-stream networks are trained with.

    The box's two sides come from JITTER, at most one step apart; the position is one of CORNERS.
    """
    tall = int(rng.integers(len(JITTER)))
    wide = int(np.clip(tall + rng.integers(-1, 2), 0, len(JITTER) - 1))
    corner, mirror = CORNERS[rng.integers(len(CORNERS))], bool(rng.integers(2))
    share, aspect = JITTER[tall], JITTER[wide] / JITTER[tall]
    return crop(shape, size, share=share, corner=corner, mirror=mirror, aspect=aspect)


def actor_crop(mask: np.ndarray, size: int, rng: np.random.Generator) -> Geometry:
    """A square box about the silhouette, 1.1 to 2 times as large, shifted and mirrored at random.

    mask: uint8 (H, W) of {0, 1}, with someone in it. The box is cut off at the frame's edges.
    """
    height, width = mask.shape
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    long = max(np.ptp(rows), np.ptp(columns)) + 1
    side = long * rng.uniform(1.1, 2.0)
    # the shift keeps the silhouette inside where the box leaves room for it
    middle = np.array([rows[0] + rows[-1] + 1, columns[0] + columns[-1] + 1]) / 2
    middle = middle + rng.uniform(-0.5, 0.5, 2) * (side - long)
    tall, wide = min(side, height), min(side, width)
    top = float(np.clip(middle[0] - tall / 2, 0, height - tall))
    left = float(np.clip(middle[1] - wide / 2, 0, width - wide))
    box = (top / height, left / width, tall / height, wide / width)
    return Geometry(*box, size, bool(rng.integers(2)))


def random_colour(frame: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Change brightness, contrast, saturation and tint at random.

    frame: uint8 (H, W, 3). strength: in [0, 1); each factor is drawn from 1 - strength to
    1 + strength, the tint's from a third of that. Returns uint8 (H, W, 3).
    """
    bright, contrast, colour = rng.uniform(1 - strength, 1 + strength, 3)
    tint = rng.uniform(1 - strength / 3, 1 + strength / 3, 3)
    x = frame.astype(np.float32)
    grey = x.mean(axis=2, keepdims=True)
    x = (grey + colour * (x - grey)) * tint
    middle = x.mean()
    x = bright * (middle + contrast * (x - middle))
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


class Samples(Dataset[tuple[Tensor, int, Tensor]]):
    """Random images of a clip, one a segment, drawn from (seed, epoch, clip) alone.

    `samples[epoch, i]` are those of clip i in an epoch. k: K, the side of the cube that the network
    makes of an image.
    """

    def __init__(self, store: InputStore, clips: list[Clip], settings: TuneSettings, k: int):
        self.store, self.clips, self.settings, self.k = store, clips, settings, k

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int, Tensor]:
        """Images uint8 (segments, size, size, channels), the label, and the actor's places.

        The places are bool (segments, K * K): those that the silhouette touches, as in Eq. 18.
        """
        rng = np.random.default_rng([self.settings.seed, *key])
        clip = self.clips[key[1]]
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
        if not self.store.has_masks:
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


class Batches(Sampler[list[tuple[int, int]]]):
    """The mini-batches of an epoch, as keys of the samples."""

    def __init__(self, samples: Samples, size: int):
        self.order = BatchSampler(RandomSampler(samples), size, drop_last=len(samples) >= size)
        self.epoch = 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for batch in self.order:
            yield [(self.epoch, index) for index in batch]
