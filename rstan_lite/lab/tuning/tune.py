"""Fine-tune a stream's network on a split's training part: what GPCNN and TSN are to the paper."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

from rstan_lite.data.clips import Clip
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.features.backbones import FeatureNet, backbone
from rstan_lite.features.images import view_images
from rstan_lite.features.inputs import InputStore, has_masks
from rstan_lite.features.networks import SHIPPED
from rstan_lite.features.pretrained import weights_hash
from rstan_lite.features.store import digest
from rstan_lite.lab.tuning.samples import TuneSettings
from rstan_lite.lab.tuning.tuner import Tuner
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.files import alone, clear_parts, write_atomically
from rstan_lite.system.interruption import Keeper
from rstan_lite.system.reading import read_json
from rstan_lite.training.checkpoint import Versions as Generations

# What the profile `course` uses. ImageNet's features are worth more than what a few hundred clips
# can teach: the appearance network first gets its classifier, then moves with small steps. On
# optical flow, a small normalised network that starts from puppets' movements learns in minutes; a
# SqueezeNet that starts from ImageNet takes hours on a CPU.
DEFAULTS = {
    "appearance": TuneSettings(epochs=20, frozen=10, segments=2, lr=0.002, head_lr=0.005),
    "motion": TuneSettings("motion", SHIPPED, epochs=40, size=112, test_size=112),
}
SAVE_SECONDS = 60.0  # what a kill may cost
VALIDATION_FRAMES = 8  # a clip, equally spaced, centre crop: the early choice of an epoch


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


def tune(
    store: InputStore,
    train: list[Clip],
    validation: list[Clip],
    classes: Sequence[str],
    split: dict[str, Any],
    settings: TuneSettings,
    path: Path,
    device: str = "cpu",
    workers: int = 1,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
    save_seconds: float = SAVE_SECONDS,
) -> dict[str, Any]:
    """Train a stream's network and keep the weights of its best epoch on the validation clips.

    store: the clips' inputs. train, validation: the two parts of the training list. split: what
    names them, see `networks.split_name`. path: the result; beside it stand `<stem>.json`, a card
    with settings and history, and, until the end, `<stem>.resume` and its version before (see
    `Generations`), from which the same call goes on after an interruption, to the same weights.
    save_seconds: between such saves; 0: only when a signal comes.
    SGD with a cosine schedule after one warm-up epoch; the kept weights are a running average.
    Returns the card. Raises CheckpointError for damaged resume files, ConfigError for a loss of
    places (`TuneSettings.places`) in a data set without silhouettes, BusyError where another
    process tunes the same network, Interrupted (saved).
    """
    if settings.places and not has_masks(store):
        raise ConfigError("places", str(settings.places), "0: the data set has no silhouettes")
    states = Generations(path.with_suffix(".resume"))
    if not path.is_file() or states.exists():
        with alone(path.parent, "the same network being tuned", lock=f".{path.stem}.lock"):
            clear_parts(path.parent)
            if not path.is_file():
                state = Tuner(store, train, len(classes), settings, device)
                state.restore(states)
                with Keeper(lambda: state.save(states), save_seconds) as keeper:
                    _run(state, keeper, validation, workers, on_epoch)
                card = {
                    **_key(store, split, settings),
                    "trained_on": {**split, "clips": [clip.name for clip in train]},
                    "classes": list(classes),
                    "best": state.best["row"],
                    "history": state.history,
                    "torch": str(torch.__version__),
                }
                _write(path, card, state.best["state"])
            states.remove()
    return read_json(path.with_suffix(".json"), CheckpointError, "the card of a tuned network")


def _run(
    state: Tuner,
    keeper: Keeper,
    validation: list[Clip],
    workers: int,
    on_epoch: Callable[[dict[str, float]], None] | None,
) -> None:
    """The epochs that are left."""
    settings = state.settings
    bar = tqdm(range(settings.epochs), initial=state.epoch, desc=f"tuning {settings.stream}")
    while state.epoch < settings.epochs:
        row = {"epoch": state.epoch + 1, "loss": state.run_epoch(workers, keeper.point)}
        if row["epoch"] % settings.validate_every == 0 or row["epoch"] == settings.epochs:
            averaged = cast(FeatureNet, state.mean.module)
            with keeper.saved_if_left():  # a validation that is cut off is done again
                row |= _validate(
                    averaged, state.store, validation, settings.test_size, state.device
                )
        state.note(row)
        bar.update()
        bar.set_postfix({name: round(value, 3) for name, value in row.items() if name != "epoch"})
        with keeper.saved_if_left(by=BaseException):
            if on_epoch:
                on_epoch(row)
        keeper.point()


def _write(path: Path, card: dict[str, Any], state: dict[str, Tensor]) -> None:
    """The card and, last of all, the weights."""
    kept = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    write_atomically(path.with_suffix(".json"), json.dumps(card, indent=1).encode())
    write_atomically(path, save({k: v.cpu().contiguous() for k, v in kept.items()}))


def _validate(
    net: FeatureNet, store: InputStore, clips: list[Clip], size: int, device: str
) -> dict[str, float]:
    labels = torch.tensor([clip.label for clip in clips])
    scores = clip_scores(net, store, clips, size, device)
    return {
        "validation_accuracy": float((scores.argmax(1) == labels).float().mean()),
        "validation_loss": float(functional.nll_loss(scores.clamp_min(1e-9).log(), labels)),
    }


@torch.no_grad()
def clip_scores(
    net: FeatureNet, store: InputStore, clips: list[Clip], size: int, device: str = "cpu"
) -> Tensor:
    """Class scores of clips by the network alone: softmax averaged over some frames, (n, C)."""
    net.eval()
    scores = []
    for clip in clips:
        stored = len(store.read(clip, "index"))
        frames = equally_spaced(stored, min(stored, VALIDATION_FRAMES)).tolist()
        images = view_images(store, clip, net.stream, "centre", size, frames, net.spec.pairs)
        scores.append(net(images.to(device)).softmax(1).mean(0).cpu())
    return torch.stack(scores)
