"""Fine-tune a stream's network on a split's training part: what GPCNN and TSN are to the paper."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from rstan_lite.data.clips import Clip
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.features.backbones import Backbone, FeatureNet, backbone
from rstan_lite.features.extraction import START, one_thread
from rstan_lite.features.inputs import InputStore, stream_images
from rstan_lite.features.networks import SHIPPED, load_imagenet, published_file, tuned_trunk
from rstan_lite.features.store import digest
from rstan_lite.lab.tuning_images import Batches, Samples, TuneSettings
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.files import alone, clear_parts, write_atomically
from rstan_lite.system.interruption import starting_processes
from rstan_lite.system.reading import check_regular, read_json
from rstan_lite.system.tables import progress_bar
from rstan_lite.system.tensor_files import load_weights, read_state, weights_hash
from rstan_lite.system.threads import LARGE, for_work
from rstan_lite.training.checkpoint import Versions

# What the profile `course` uses. ImageNet's features are worth more than what a few hundred clips
# can teach: the appearance network first gets its classifier, then moves with small steps. On
# optical flow, a small normalised network that starts from puppets' movements learns in minutes; a
# SqueezeNet that starts from ImageNet takes hours on a CPU.
DEFAULTS = {
    "appearance": TuneSettings(epochs=20, frozen=10, segments=2, lr=0.002, head_lr=0.005),
    "motion": TuneSettings("motion", SHIPPED, epochs=40, size=112, test_size=112),
}
VALIDATION_FRAMES = 8  # a clip, equally spaced, centre crop: the early choice of an epoch
CLIP_NORM = 5.0  # of the gradient: the first steps on flow are steep


def check(settings: TuneSettings) -> None:
    """Complain of a network before the work, not after it; published weights are fetched.

    Raises ConfigError for an unknown network, or sides of images that it can't take, and
    CheckpointError where there are no weights to start from.
    """
    spec = backbone(settings.backbone)
    with torch.device("meta"):
        net = FeatureNet(spec, settings.stream, side=settings.size)
    net.sizes()
    net.sizes(settings.test_size)
    if settings.weights == "torchvision":
        published_file(spec)
    elif settings.weights != "none":
        check_regular(Path(settings.weights), CheckpointError, "weights to start from")


def load_start(net: FeatureNet, weights: str | Path) -> None:
    """Give a network that is to be tuned its first weights; CheckpointError for an unlike file.

    weights: "none" (they stay random), "torchvision" (the published ones of ImageNet), a file of
    ImageNet weights, or a tuned network of the same backbone and stream, without its classifier.
    """
    if weights == "none":
        return
    path = published_file(net.spec) if weights == "torchvision" else Path(weights)
    trunk = tuned_trunk(read_state(path))
    if trunk:
        load_weights(net.trunk, trunk, str(path))
    else:
        load_imagenet(net, path)


def check_validation(held_out: float | Sequence[Clip]) -> None:
    """Raise ConfigError where no clip is held out: the epoch to keep is chosen on those.

    held_out: the share that is asked for, or the clips.
    """
    if not held_out:
        expected = "some: the epoch whose weights are kept is the one that does best on them"
        hint = "Give a larger share, such as --validation 0.1."
        raise ConfigError("--validation", "no clip held out", expected, hint)


def tuned_path(
    cache: str | Path, store: InputStore, split: dict[str, Any], settings: TuneSettings
) -> Path:
    """Where a tuned network of these settings lies: `<cache>/tuned/<stream>-<hash>.safetensors`."""
    name = f"{settings.stream}-{digest(_key(store, split, settings))}.safetensors"
    return Path(cache) / "tuned" / name


def _key(store: InputStore, split: dict[str, Any], settings: TuneSettings) -> dict[str, Any]:
    start = settings.weights
    if start not in ("none", "torchvision"):
        start = weights_hash(start)  # the file's content counts, not where it lies
    key = {"inputs": store.recipe, "split": split, **asdict(settings), "weights": start}
    return key | backbone(settings.backbone).content(settings.stream)


@for_work(LARGE)
def tune(
    store: InputStore, train: list[Clip], validation: list[Clip], classes: Sequence[str],
    split: dict[str, Any], settings: TuneSettings, path: Path, device: str = "cpu",
    workers: int = 1, save_seconds: float = 60.0,
) -> dict[str, Any]:  # fmt: skip
    """Train a stream's network and keep the weights of its best epoch on the validation clips.

    store: the clips' inputs. train, validation: of the training list. split: what names them, see
    `networks.split_name`. path: the result; beside it stand its card, `<stem>.json`, and, until the
    end, `<stem>.resume` (see `Versions`), from which the same call continues to the same weights.
    save_seconds: at least, between such saves, each at the end of an epoch; 0: none. SGD with a
    cosine schedule after one warm-up epoch; the kept weights are a running average. Returns the
    card. Raises CheckpointError for damaged resume files, ConfigError without validation clips or
    silhouettes for a loss of places, BusyError where another process tunes the same network.
    """
    check_validation(validation)
    if settings.places and not store.has_masks:
        raise ConfigError("places", str(settings.places), "0: the data set has no silhouettes")
    states, card_path = Versions(path.with_suffix(".resume")), path.with_suffix(".json")
    if not path.is_file() or states.exists():
        with alone(path.parent, "the same network being tuned", lock=f".{path.stem}.lock"):
            clear_parts(path.parent)
            if not path.is_file():
                state = Tuner(store, train, len(classes), settings, device, workers)
                states.load(state.restore, device)
                _run(state, states, validation, save_seconds)
                clips = {**split, "clips": [clip.name for clip in train]}
                card = _key(store, split, settings) | {"trained_on": clips}
                card |= {"classes": list(classes), "best": state.best["row"]}
                card |= {"history": state.history, "torch": str(torch.__version__)}
                best: dict[str, Tensor] = state.best["state"]
                kept = {k: v.half() if v.is_floating_point() else v for k, v in best.items()}
                write_atomically(card_path, json.dumps(card, indent=1).encode())
                # last of all: who finds the weights finds the card as well
                write_atomically(path, save({k: v.cpu().contiguous() for k, v in kept.items()}))
            states.remove()
    return read_json(card_path, CheckpointError, "the card of a tuned network")


def _run(state: "Tuner", states: Versions, validation: list[Clip], save_seconds: float) -> None:
    """The epochs that are left."""
    settings, saved = state.settings, time.monotonic()
    bar = progress_bar(total=settings.epochs, initial=state.epoch, desc=f"tuning {settings.stream}")
    while state.epoch < settings.epochs:
        row = {"epoch": state.epoch + 1, "loss": state.run_epoch()}
        if row["epoch"] % settings.validate_every == 0 or row["epoch"] == settings.epochs:
            net = cast(TunedNet, state.mean.module)
            scores = clip_scores(net, state.store, validation, settings.test_size, state.device)
            true = torch.tensor([clip.label for clip in validation])
            row["validation_accuracy"] = float((scores.argmax(1) == true).float().mean())
            row["validation_loss"] = float(functional.nll_loss(scores.clamp_min(1e-9).log(), true))
        if not np.isfinite([*row.values()]).all():
            raise ConfigError("--lr", str(settings.lr), "one with a finite loss: a smaller one")
        state.note(row)
        bar.update()
        bar.set_postfix({name: round(value, 3) for name, value in row.items() if name != "epoch"})
        if save_seconds and time.monotonic() - saved >= save_seconds:
            states.save(state.saved())
            saved = time.monotonic()


class TunedNet(FeatureNet):
    """A FeatureNet with a classifier of its vector, which serves its tuning alone."""

    def __init__(self, spec: Backbone, settings: TuneSettings, classes: int):
        super().__init__(spec, settings.stream, settings.size)
        width = self.sizes()[1]
        self.dropout = nn.Dropout(settings.dropout)
        # vectors are positive and may be large: else their common part drowns the classes
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.classifier = nn.Linear(width, classes)

    def classify(self, vector: Tensor) -> Tensor:
        """Class logits (B, classes) of vectors (B, d_fc)."""
        logits: Tensor = self.classifier(self.dropout(self.norm(vector)))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Class logits (B, classes) of images."""
        return self.classify(self.vector_and_cube(images)[0])


@torch.no_grad()
def clip_scores(
    net: TunedNet, store: InputStore, clips: list[Clip], size: int, device: str = "cpu"
) -> Tensor:
    """Class scores of clips by the network alone: softmax averaged over some frames, (n, C)."""
    net.eval()
    scores = []
    for clip in clips:
        stored = len(store.read(clip, "index"))
        frames = equally_spaced(stored, min(stored, VALIDATION_FRAMES)).tolist()
        read = partial(store.lazy, clip)
        images = stream_images(read, net.stream, "centre", size, frames, net.spec.pairs)
        scores.append(net(images.to(device)).softmax(1).mean(0).cpu())
    return torch.stack(scores)


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
    """All that a tuning is made of, so that it can be saved after an epoch and taken up."""

    def __init__(
        self, store: InputStore, train: list[Clip], classes: int, settings: TuneSettings,
        device: str, workers: int = 0,
    ):  # fmt: skip
        torch.manual_seed(settings.seed)
        net = TunedNet(backbone(settings.backbone), settings, classes)
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
        groups = [{"params": list(net.trunk.parameters()), "lr": settings.lr}]
        groups += [{"params": head, "lr": settings.head_lr}]
        self.optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=settings.weight_decay)
        batches = max(1, len(train) // settings.batch)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda i: _lr_factor(i, batches, settings.epochs * batches)
        )
        samples = Samples(store, train, settings, self.k)
        self.batches = Batches(samples, settings.batch)
        # its processes stay from epoch to epoch, and draw nothing from torch's own source
        self.loader = DataLoader(
            samples, batch_sampler=self.batches, num_workers=workers, worker_init_fn=one_thread,
            multiprocessing_context=START if workers else None, persistent_workers=workers > 0,
            generator=torch.Generator(),
        )  # fmt: skip
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Any] = {}

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def run_epoch(self) -> float:
        """Pass over the clips; returns the epoch's mean loss."""
        settings = self.settings
        losses: list[float] = []
        torch.manual_seed((settings.seed << 20) + self.epoch)  # dropout and the order of clips
        torch.empty((), dtype=torch.int64).random_()  # as loaders drew it before they had their own
        self.net.train()
        frozen = self.epoch < settings.frozen
        self.net.trunk.requires_grad_(not frozen).train(not frozen)
        self.batches.epoch = self.epoch
        with starting_processes():
            batches = iter(self.loader)
        for images, labels, actor in batches:  # images (B, segments, size, size, channels)
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

    def saved(self) -> dict[str, Any]:
        """All of it between two epochs, as `restore` takes it."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        run = {"history": self.history, "best": self.best}
        return {"parts": parts, **run, "threads": torch.get_num_threads()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take up what `saved` gave."""
        for name, part in self._parts().items():
            part.load_state_dict(saved["parts"][name])
        self.history, self.best = saved["history"], saved["best"]


def _lr_factor(iteration: int, warm_up: int, total: int) -> float:
    if iteration < warm_up:
        return (iteration + 1) / warm_up
    done = (iteration - warm_up) / max(1, total - warm_up)
    return 0.5 * (1 + float(np.cos(np.pi * min(1.0, done))))
