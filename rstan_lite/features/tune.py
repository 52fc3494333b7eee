"""Fine-tune a stream's network on a split's training part: what GPCNN and TSN are to the paper."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from rstan_lite.data.jhmdb import Clip
from rstan_lite.data.transforms import random_crop, view
from rstan_lite.errors import CheckpointError
from rstan_lite.features.backbones import FeatureNet, backbone, load_imagenet, weights_hash
from rstan_lite.features.flow import PAIRS, stack_indices
from rstan_lite.features.store import Store, digest, write_atomically

VALIDATION_FRAMES = 4  # a clip, equally spaced, centre crop: the early choice of an epoch


@dataclass(frozen=True)
class TuneSettings:
    """How a stream's network is fine-tuned. Everything here is part of the result's key.

    stream: "appearance" or "motion". backbone: see `backbones.backbone`. weights: an ImageNet file,
    "torchvision" to have it downloaded, or "none" for random ones.
    size: side of the training crops; test_size: of the later features, larger (a network sees
    people larger in jittered crops than in the centre crop of a test).
    """

    stream: str = "appearance"
    backbone: str = "squeezenet1_0"
    weights: str = field(default="torchvision", metadata={"help": "file, torchvision or none"})
    epochs: int = 40
    batch: int = 32
    size: int = 160
    test_size: int = 224
    lr: float = 0.002  # of the trunk: a SqueezeNet, which has no normalisation, breaks at 0.01
    head_lr: float = 0.02  # of the new classifier
    weight_decay: float = 5e-4
    dropout: float = 0.5
    average: float = 0.99  # decay of the running average of the weights, which is what is kept
    smoothing: float = 0.1
    seed: int = 0


class _Samples(Dataset):
    """One random image of a clip an epoch, drawn from (seed, epoch, clip) alone."""

    def __init__(self, store: Store, clips: list[Clip], settings: TuneSettings, epoch: int):
        self.store, self.clips, self.settings, self.epoch = store, clips, settings, epoch

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        rng = np.random.default_rng([self.settings.seed, self.epoch, index])
        clip = self.clips[index]
        if self.settings.stream == "appearance":
            frames = self.store.read(clip, "frames")
            image = frames[int(rng.integers(len(frames)))].numpy()
            geometry = random_crop(image.shape, self.settings.size, rng)
            return torch.from_numpy(np.ascontiguousarray(geometry.frame(image))), clip.label
        flow = self.store.read(clip, "flow")
        stack = flow_stack(flow, int(rng.integers(len(flow) + 1)))
        geometry = random_crop(stack.shape, self.settings.size, rng)
        return torch.from_numpy(np.ascontiguousarray(geometry.flow(stack))), clip.label


def flow_stack(flow: Tensor, frame: int) -> np.ndarray:
    """A frame's flow stack, uint8 (H, W, 20), from a clip's stored flow (F - 1, H, W, 2)."""
    chosen = flow[torch.from_numpy(stack_indices(len(flow), frame))].numpy()
    return np.ascontiguousarray(chosen.transpose(1, 2, 0, 3)).reshape(*chosen.shape[1:3], 2 * PAIRS)


def view_images(store: Store, clip: Clip, stream: str, name: str, size: int, frames) -> Tensor:
    """A clip's images for a stream in a fixed view, uint8 (len(frames), size, size, channels).

    frames: which of the S stored frames.
    """
    if stream == "appearance":
        images = store.read(clip, "frames").numpy()[frames]
        geometry = view(name, images.shape[1:3], size)
        out = [geometry.frame(image) for image in images]
    else:
        flow, index = store.read(clip, "flow"), store.read(clip, "index").numpy()[frames]
        geometry = view(name, flow.shape[1:3], size)
        out = [geometry.flow(flow_stack(flow, int(frame))) for frame in index]
    return torch.from_numpy(np.ascontiguousarray(np.stack(out)))


def tuned_path(cache: str | Path, store: Store, split: dict[str, Any], settings: TuneSettings):
    """Where a tuned network of these settings lies: `<cache>/tuned/<stream>-<hash>.safetensors`."""
    return (
        Path(cache)
        / "tuned"
        / f"{settings.stream}-{digest(_key(store, split, settings))}.safetensors"
    )


def _key(store: Store, split: dict[str, Any], settings: TuneSettings) -> dict[str, Any]:
    start = settings.weights
    if start not in ("none", "torchvision"):
        start = weights_hash(start)  # the file's content counts, not where it lies
    return {"inputs": store.key, "split": split, **asdict(settings), "weights": start}


def tune(
    store: Store,
    train: list[Clip],
    validation: list[Clip],
    classes: tuple[str, ...],
    split: dict[str, Any],
    settings: TuneSettings,
    path: Path,
    device: str = "cpu",
    workers: int = 1,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> Path:
    """Train a stream's network and keep the weights of its best epoch on the validation clips.

    store: the clips' inputs. train, validation: the two parts of the training list. split: what
    names them (data set, split, validation share, seed), for the card. path: the result; beside it
    stand `<stem>.json`, a card with settings and history, and, until the end, `<stem>.resume`, from
    which the same call goes on after an interruption.
    SGD with a cosine schedule after one warm-up epoch; the kept weights are a running average.
    Returns path. Raises CheckpointError for a damaged resume file.
    """
    if path.is_file():
        return path
    torch.manual_seed(settings.seed)
    net = FeatureNet(backbone(settings.backbone), settings.stream, len(classes), settings.dropout)
    assert net.classifier is not None
    if settings.weights != "none":
        load_imagenet(net, None if settings.weights == "torchvision" else settings.weights)
    net.to(device).to(memory_format=torch.channels_last)
    first = _Samples(store, train[:: max(1, len(train) // settings.batch)], settings, 0)
    net.calibrate(torch.stack([image for image, _ in first]).to(device))
    mean = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(settings.average), use_buffers=True)
    groups = [
        {"params": list(net.trunk.parameters()), "lr": settings.lr},
        {"params": list(net.classifier.parameters()), "lr": settings.head_lr},
    ]
    optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=settings.weight_decay)
    per_epoch = max(1, len(train) // settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: _lr_factor(i, per_epoch, settings.epochs * per_epoch)
    )
    parts = {"net": net, "mean": mean, "optimizer": optimizer, "schedule": schedule}
    resume = path.with_suffix(".resume")
    history, best = _resume(resume, parts)
    bar = tqdm(range(settings.epochs), initial=len(history), desc=f"tuning {settings.stream}")
    for epoch in range(len(history), settings.epochs):
        torch.manual_seed((settings.seed << 20) + epoch)  # dropout and the order of clips
        loader = DataLoader(
            _Samples(store, train, settings, epoch),
            batch_size=settings.batch,
            shuffle=True,
            drop_last=len(train) >= settings.batch,
            num_workers=workers,
        )
        losses = []
        net.train()
        for images, labels in loader:
            logits = net(images.to(device))
            loss = functional.cross_entropy(
                logits, labels.to(device), label_smoothing=settings.smoothing
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            mean.update_parameters(net)
            losses.append(loss.item())
        row = {"epoch": epoch + 1, "loss": float(np.mean(losses))}
        scores = clip_scores(mean.module, store, validation, settings.test_size, device)
        labels = torch.tensor([clip.label for clip in validation])
        row["validation_accuracy"] = float((scores.argmax(1) == labels).float().mean())
        row["validation_loss"] = float(functional.nll_loss(scores.clamp_min(1e-9).log(), labels))
        history.append(row)
        if not best or _better(row, best["row"]):
            best = {
                "row": row,
                "state": {k: v.clone() for k, v in mean.module.state_dict().items()},
            }
        _save_resume(resume, parts, history, best)
        bar.update()
        bar.set_postfix(loss=f"{row['loss']:.2f}", validation=f"{row['validation_accuracy']:.3f}")
        if on_epoch:
            on_epoch(row)
    card = {
        **_key(store, split, settings),
        "classes": classes,
        "best": best["row"],
        "history": history,
        "torch": str(torch.__version__),
    }
    state = {k: v.half() if v.is_floating_point() else v for k, v in best["state"].items()}
    write_atomically(path.with_suffix(".json"), json.dumps(card, indent=1).encode())
    write_atomically(path, save({k: v.cpu().contiguous() for k, v in state.items()}))
    resume.unlink(missing_ok=True)
    return path


def _lr_factor(iteration: int, warm_up: int, total: int) -> float:
    if iteration < warm_up:
        return (iteration + 1) / warm_up
    done = (iteration - warm_up) / max(1, total - warm_up)
    return 0.5 * (1 + float(np.cos(np.pi * min(1.0, done))))


def _better(row: dict[str, float], best: dict[str, float]) -> bool:
    """Higher accuracy wins; among equals the lower loss."""
    rank = (row["validation_accuracy"], -row["validation_loss"])
    return rank > (best["validation_accuracy"], -best["validation_loss"])


@torch.no_grad()
def clip_scores(net, store: Store, clips: list[Clip], size: int, device: str = "cpu") -> Tensor:
    """Class scores of clips by the network alone: softmax averaged over a few frames, (n, C)."""
    net.eval()
    scores = []
    for clip in clips:
        stored = len(store.read(clip, "index"))
        frames = np.linspace(0, stored - 1, min(stored, VALIDATION_FRAMES)).round().astype(int)
        images = view_images(store, clip, net.stream, "centre", size, frames)
        scores.append(net(images.to(device)).softmax(1).mean(0).cpu())
    return torch.stack(scores)


def _save_resume(path: Path, parts: dict[str, Any], history: list, best: dict) -> None:
    import io

    buffer = io.BytesIO()
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"state": state, "history": history, "best": best}, buffer)
    write_atomically(path, buffer.getvalue())


def _resume(path: Path, parts: dict[str, Any]) -> tuple[list, dict]:
    if not path.is_file():
        return [], {}
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved["state"][name])
    except Exception as error:
        raise CheckpointError(
            path, f"a damaged resume file ({error})", "the state of a started tuning", "Remove it."
        ) from error
    return saved["history"], saved["best"]
