"""The training of one stream's network, epoch by epoch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from rstan_lite.data.clips import Clip
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import Geometry, actor_crop, random_colour, random_crop
from rstan_lite.errors import CheckpointError
from rstan_lite.features.backbones import FeatureNet, backbone
from rstan_lite.features.flow import stack
from rstan_lite.features.inputs import InputStore, has_masks
from rstan_lite.features.pretrained import load_start
from rstan_lite.features.store import write_atomically
from rstan_lite.features.uninitialised import Uninitialised

CLIP_NORM = 5.0  # of the gradient: the first steps on flow are steep


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
    places: float = 0.0  # weight of the loss of each place, see `places_loss`
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


def places_loss(scores: Tensor, labels: Tensor, actor: Tensor) -> Tensor:
    """Cross-entropy at every place of a cube: the action where the actor is, "nobody" elsewhere.

    scores: (B, C + 1, P), the last one for nobody. labels: (B,). actor: bool (B, P).
    Places with and without the actor count half each, however few the former are.
    """
    nobody = scores.shape[1] - 1
    wanted = torch.where(actor, labels[:, None], nobody)  # (B, P)
    loss = functional.cross_entropy(scores, wanted, reduction="none")
    shares = [loss[here].mean() for here in (actor, ~actor) if here.any()]
    return torch.stack(shares).mean()


class Tuner:
    """All that a tuning is made of, so that it can be saved after an epoch and taken up again."""

    def __init__(
        self,
        store: InputStore,
        train: list[Clip],
        classes: int,
        settings: TuneSettings,
        device: str,
    ):
        torch.manual_seed(settings.seed)
        net = FeatureNet(
            backbone(settings.backbone), settings.stream, classes, settings.dropout, settings.size
        )
        load_start(net, settings.weights)
        self.store, self.train, self.settings, self.device = store, train, settings, device
        self.net = net.to(device).to(memory_format=torch.channels_last)
        average = get_ema_multi_avg_fn(settings.average)
        self.mean = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
        places, _, width = net.sizes(settings.size)
        self.k = round(places**0.5)
        # reads the class of each place while the network is tuned, and is left behind after it
        self.local = nn.Conv1d(width, classes + 1, 1).to(device)
        head = [p for name, p in net.named_parameters() if name.startswith("classifier.")]
        head += self.local.parameters()
        groups = [
            {"params": list(net.trunk.parameters()), "lr": settings.lr},
            {"params": head, "lr": settings.head_lr},
        ]
        self.optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=settings.weight_decay)
        batches = max(1, len(train) // settings.batch)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda i: _lr_factor(i, batches, settings.epochs * batches)
        )
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Any] = {}

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def run_epoch(self, workers: int) -> float:
        """Pass once over the clips; returns the mean loss."""
        settings = self.settings
        torch.manual_seed((settings.seed << 20) + self.epoch)  # dropout and the order of clips
        loader = DataLoader(
            Samples(self.store, self.train, settings, self.epoch, self.k),
            batch_size=settings.batch,
            shuffle=True,
            drop_last=len(self.train) >= settings.batch,
            num_workers=workers,
        )
        losses = []
        self.net.train()
        frozen = self.epoch < settings.frozen
        self.net.trunk.requires_grad_(not frozen).train(not frozen)
        for images, labels, actor in loader:  # images (B, segments, size, size, channels)
            segments, labels = images.shape[1], labels.to(self.device)
            vector, cube = self.net.vector_and_cube(images.flatten(0, 1).to(self.device))
            logits = self.net.classify(vector).unflatten(0, (-1, segments)).mean(1)
            loss = functional.cross_entropy(logits, labels, label_smoothing=settings.smoothing)
            if settings.places:
                scores, each = self.local(cube.flatten(2)), labels.repeat_interleave(segments)
                here = actor.flatten(0, 1).to(self.device)
                loss = loss + settings.places * places_loss(scores, each, here)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), CLIP_NORM)
            self.optimizer.step()
            self.schedule.step()
            self.mean.update_parameters(self.net)
            losses.append(loss.item())
        return float(np.mean(losses))

    def note(self, row: dict[str, float]) -> None:
        """Add an epoch to the history, and keep its averaged weights where it is the best."""
        self.history.append(row)
        if "validation_accuracy" not in row:
            return
        # higher accuracy wins; among equals the lower loss
        rank = (row["validation_accuracy"], -row["validation_loss"])
        old = self.best.get("row")
        if old is None or rank > (old["validation_accuracy"], -old["validation_loss"]):
            weights = {k: v.detach().clone() for k, v in self.mean.module.state_dict().items()}
            self.best = {"row": row, "state": weights}

    def _parts(self) -> dict[str, Any]:
        names = ("net", "mean", "local", "optimizer", "schedule")
        return {name: getattr(self, name) for name in names}

    def save(self, path: Path) -> None:
        """Write everything, whole or not at all."""
        buffer = io.BytesIO()
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        torch.save({"parts": parts, "history": self.history, "best": self.best}, buffer)
        write_atomically(path, buffer.getvalue())

    def restore(self, path: Path) -> None:
        """Take up a saved state, where there is one. Raises CheckpointError for a damaged file."""
        if not path.is_file():
            return
        try:
            saved = torch.load(path, map_location=self.device, weights_only=True)
            for name, part in self._parts().items():
                part.load_state_dict(saved["parts"][name])
            self.history, self.best = saved["history"], saved["best"]
        except Exception as error:  # torch and pickle raise many types
            raise CheckpointError(
                path, f"a damaged file ({error})", "the state of a started tuning", "Remove it."
            ) from error


def _lr_factor(iteration: int, warm_up: int, total: int) -> float:
    if iteration < warm_up:
        return (iteration + 1) / warm_up
    done = (iteration - warm_up) / max(1, total - warm_up)
    return 0.5 * (1 + float(np.cos(np.pi * min(1.0, done))))
