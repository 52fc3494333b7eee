"""The training of one stream's network, epoch by epoch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, Sampler

from rstan_lite.data.clips import Clip
from rstan_lite.features.backbones import FeatureNet, backbone
from rstan_lite.features.inputs import InputStore
from rstan_lite.features.pretrained import load_start
from rstan_lite.lab.tuning.samples import Samples, TuneSettings
from rstan_lite.system.interruption import starting_processes
from rstan_lite.training.checkpoint import (
    Versions as Generations,
)
from rstan_lite.training.checkpoint import (
    random_states,
    restore_random,
    warn_of_threads,
)

CLIP_NORM = 5.0  # of the gradient: the first steps on flow are steep


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
    """All that a tuning is made of, so that it can be saved after a mini-batch and taken up."""

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
        self.losses: list[float] = []  # of the mini-batches since the last epoch's end
        self._random: dict[str, Any] | None = None  # the state to go on with inside an epoch

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def run_epoch(self, workers: int, after_batch: Callable[[], None] | None = None) -> float:
        """Pass over the clips, from where a saved state stopped; returns the epoch's mean loss.

        after_batch: called after each mini-batch, where the state may be saved.
        """
        settings = self.settings
        torch.manual_seed((settings.seed << 20) + self.epoch)  # dropout and the order of clips
        samples = Samples(self.store, self.train, settings, self.epoch, self.k)
        order = BatchSampler(
            RandomSampler(samples), settings.batch, drop_last=len(self.train) >= settings.batch
        )
        loader = DataLoader(
            samples, batch_sampler=_Rest(order, len(self.losses)), num_workers=workers
        )
        self.net.train()
        frozen = self.epoch < settings.frozen
        self.net.trunk.requires_grad_(not frozen).train(not frozen)
        with starting_processes():
            batches = iter(loader)
        for images, labels, actor in batches:  # images (B, segments, size, size, channels)
            if self._random is not None:  # only now: the order of clips was drawn as at first
                restore_random(self._random)
                self._random = None
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
            self.losses.append(loss.item())
            if after_batch:
                after_batch()
        self._random = None  # a state saved after the last mini-batch is of no further use
        return float(np.mean(self.losses))

    def note(self, row: dict[str, float]) -> None:
        """Add an epoch to the history, and keep its averaged weights where it is the best."""
        self.history.append(row)
        self.losses = []
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

    def save(self, states: Generations) -> None:
        """Write everything, whole or not at all, and keep the version before."""
        states.save(
            {
                "parts": {name: part.state_dict() for name, part in self._parts().items()},
                "history": self.history,
                "best": self.best,
                "losses": self.losses,
                "random": random_states(),
                "threads": torch.get_num_threads(),
            }
        )

    def restore(self, states: Generations) -> None:
        """Take up a saved state, where there is one.

        A damaged version is named on stderr, and the one before it taken. Warns of another number
        of threads. Raises CheckpointError where all versions are damaged.
        """

        def take(saved: dict[str, Any]) -> None:
            for name, part in self._parts().items():
                part.load_state_dict(saved["parts"][name])
            self.history, self.best = saved["history"], saved["best"]
            self.losses = saved["losses"]
            self._random = saved["random"] if self.losses else None
            warn_of_threads(states.path, saved["threads"])

        states.load(take, self.device)


class _Rest(Sampler[list[int]]):
    """The mini-batches of an order from number `first` on."""

    def __init__(self, order: BatchSampler, first: int):
        self.order, self.first = order, first

    def __len__(self) -> int:
        return max(0, len(self.order) - self.first)

    def __iter__(self) -> Iterator[list[int]]:
        return itertools.islice(self.order, self.first, None)


def _lr_factor(iteration: int, warm_up: int, total: int) -> float:
    if iteration < warm_up:
        return (iteration + 1) / warm_up
    done = (iteration - warm_up) / max(1, total - warm_up)
    return 0.5 * (1 + float(np.cos(np.pi * min(1.0, done))))
