"""Small random networks, and trainings of a second or two on their features."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from rstan_lite.features.backbones import STREAMS, FeatureNet, backbone


def write_networks(folder: Path) -> dict[str, Path]:
    """Write `<stream>.safetensors` of the small network for both streams; their paths."""
    torch.manual_seed(0)
    files = {}
    for stream in STREAMS:
        net = FeatureNet(backbone("puppetnet"), stream)
        files[stream] = folder / f"{stream}.safetensors"
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, str(files[stream]))
    return files


CLASSES = ["run", "wave", "sit"]  # of the clips that trainings share


def content(path: Path) -> Any:
    """What a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def small_options(place: Path, **changed: Any) -> dict[str, Any]:
    """A training's options, of clips in place/clips and networks in `place`.

    changed: further options, or others.
    """
    folders = {
        "root": place / "clips", "cache": place / "cache",
        "appearance_weights": place / "appearance.safetensors",
        "motion_weights": place / "motion.safetensors",
    }  # fmt: skip
    return {
        **{name: str(path) for name, path in folders.items()}, "size": 64, "stored_frames": 4,
        "frames": 3, "test_frames": 4, "iterations": 4, "validation": 0.25, "device": "cpu",
        **changed,
    }  # fmt: skip


def as_words(options: dict[str, Any]) -> list[str]:
    """Options as a command line has them."""
    return [str(x) for key, x in options.items() for x in (f"--{key.replace('_', '-')}", x)]


def as_pairs(options: dict[str, Any]) -> list[str]:
    """Options as a notebook's parameters, or a sweep's."""
    return [word for key, x in options.items() for word in ("-p", f"{key}={x}")]


def train_command(place: Path, run: str, *more: str, **changed: Any) -> list[str]:
    """Arguments of `train` with `small_options`, into place/run."""
    options = {"out": place / run, "profile": "tiny", **changed}
    return ["train", *as_words(small_options(place, **options)), "--quiet", *more]
