"""The training of one stream's network, epoch by epoch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from rstan_lite.data.jhmdb import Clip
from rstan_lite.data.transforms import Geometry, actor_crop, random_colour, random_crop
from rstan_lite.errors import CheckpointError
from rstan_lite.features.backbones import FeatureNet, backbone
from rstan_lite.features.flow import stack
from rstan_lite.features.inputs import InputStore
from rstan_lite.features.pretrained import load_start
from rstan_lite.features.store import write_atomically

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
    actor: float = 0.7  # share of crops about the actor, by the training clips' silhouettes
    colour: float = 0.4  # strength of colour changes: scenes of few clips are soon known by heart
    average: float = 0.99  # decay of the running average of the weights, which is what is kept
    smoothing: float = 0.1
    validate_every: int = 4  # epochs between looks at the validation clips
    seed: int = 0


class Samples(Dataset[tuple[Tensor, int]]):
    """Random images of a clip, one a segment, drawn from (seed, epoch, clip) alone."""

    def __init__(self, store: InputStore, clips: list[Clip], settings: TuneSettings, epoch: int):
        self.store, self.clips, self.settings, self.epoch = store, clips, settings, epoch

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Images uint8 (segments, size, size, channels) and the label."""
        rng = np.random.default_rng([self.settings.seed, self.epoch, index])
        clip = self.clips[index]
        draw = self._frame if self.settings.stream == "appearance" else self._flow
        images = [draw(clip, segment, rng) for segment in range(self.settings.segments)]
        return torch.from_numpy(np.stack(images)), clip.label

    def _frame(self, clip: Clip, segment: int, rng: np.random.Generator) -> np.ndarray:
        frames = self.store.lazy(clip, "frames")
        row = self._moment(len(frames), segment, rng)
        frame = np.asarray(frames[row])
        seen = self._geometry(clip, row, frame.shape, rng).frame(frame)
        return random_colour(seen, rng, self.settings.colour)

    def _flow(self, clip: Clip, segment: int, rng: np.random.Generator) -> np.ndarray:
        flow = self.store.lazy(clip, "flow")
        middle = self._moment(len(flow) + 1, segment, rng)
        stored = self.store.read(clip, "index").numpy()
        row = int(np.abs(stored - middle).argmin())  # the silhouette nearest in time
        return stack(flow, middle, self._geometry(clip, row, flow.shape[1:3], rng))

    def _moment(self, frames: int, segment: int, rng: np.random.Generator) -> int:
        """A random frame of a segment; the segments divide the clip equally."""
        return min(int((segment + rng.random()) * frames / self.settings.segments), frames - 1)

    def _geometry(
        self, clip: Clip, row: int, shape: Sequence[int], rng: np.random.Generator
    ) -> Geometry:
        if rng.random() < self.settings.actor:
            mask = np.asarray(self.store.lazy(clip, "masks")[row])
            if mask.any():
                return actor_crop(mask, self.settings.size, rng)
        return random_crop(shape, self.settings.size, rng)


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
        net = FeatureNet(backbone(settings.backbone), settings.stream, classes, settings.dropout)
        load_start(net, settings.weights)
        self.store, self.train, self.settings, self.device = store, train, settings, device
        self.net = net.to(device).to(memory_format=torch.channels_last)
        average = get_ema_multi_avg_fn(settings.average)
        self.mean = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
        head = [p for name, p in net.named_parameters() if name.startswith("classifier.")]
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
            Samples(self.store, self.train, settings, self.epoch),
            batch_size=settings.batch,
            shuffle=True,
            drop_last=len(self.train) >= settings.batch,
            num_workers=workers,
        )
        losses = []
        self.net.train()
        frozen = self.epoch < settings.frozen
        self.net.trunk.requires_grad_(not frozen).train(not frozen)
        for images, labels in loader:  # images (B, segments, size, size, channels)
            logits = self.net(images.flatten(0, 1).to(self.device))
            loss = functional.cross_entropy(
                logits.unflatten(0, images.shape[:2]).mean(1),
                labels.to(self.device),
                label_smoothing=settings.smoothing,
            )
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
        names = ("net", "mean", "optimizer", "schedule")
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
