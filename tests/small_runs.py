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


def train_command(place: Path, run: str, *more: str, **changed: Any) -> list[str]:
    """Arguments of `train`, into place/run, of clips in place/clips and networks in `place`.

    changed: further options, or others, by their names with underscores.
    """
    options = {
        "root": place / "clips", "cache": place / "cache", "out": place / run,
        "appearance_weights": place / "appearance.safetensors",
        "motion_weights": place / "motion.safetensors", "profile": "tiny", "size": 64,
        "stored_frames": 4, "frames": 3, "test_frames": 4, "iterations": 4, "validation": 0.25,
        "device": "cpu", **changed,
    }  # fmt: skip
    words = [str(x) for key, x in options.items() for x in (f"--{key.replace('_', '-')}", x)]
    return ["train", *words, "--quiet", *more]
