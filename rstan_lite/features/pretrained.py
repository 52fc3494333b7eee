"""Weights of the two-stream networks: ImageNet files, torchvision's, and tuned ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from rstan_lite.errors import CheckpointError
from rstan_lite.features.backbones import Backbone, FeatureNet, build, channels, rescale, to_motion


def load_start(net: FeatureNet, weights: str | Path) -> None:
    """Give a network that is to be tuned its first weights.

    weights: "none" (they stay random), "torchvision", a file of ImageNet weights, or a tuned
    network of the same backbone and stream, whose classifier is left behind.
    Raises CheckpointError for a missing, damaged or unlike file.
    """
    if weights == "none":
        return
    if weights == "torchvision":
        load_imagenet(net, None)
        return
    state = read_state(Path(weights))
    trunk = {
        k.removeprefix("trunk."): v.float() for k, v in state.items() if k.startswith("trunk.")
    }
    if trunk:
        load_weights(net.trunk, trunk, str(weights))
    else:
        load_imagenet(net, weights)


def load_imagenet(net: FeatureNet, weights: str | Path | None) -> None:
    """Start a FeatureNet's trunk from ImageNet weights, for RGB or flow.

    weights: a safetensors or torch file of the torchvision network's state; None asks torchvision,
    which downloads it once.
    Raises CheckpointError for a missing, damaged or unlike file.
    """
    full = build(net.spec)
    state = _torchvision_state(net.spec) if weights is None else read_state(Path(weights))
    load_weights(full, state, str(weights or f"torchvision's {net.spec.name}"))
    if net.stream == "motion":
        full = to_motion(full, channels("motion"))
    if net.spec.homogeneous:
        rescale(full)
    net.trunk.load_state_dict({k: full.state_dict()[k] for k in net.trunk.state_dict()})


def load_weights(
    module: nn.Module, state: Mapping[str, Tensor], where: str, network: str = ""
) -> None:
    """Load a state; where, network: what a CheckpointError about other tensors names."""
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise CheckpointError(
            where, f"other tensors ({first})", f"those of {network or type(module).__name__}"
        ) from error


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a safetensors file, or from a torch file (weights only, no code)."""
    if not path.is_file():
        raise CheckpointError(path, "no such file", "a file of weights (.safetensors or .pth)")
    try:
        if path.suffix == ".safetensors":
            return load_file(str(path))
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise CheckpointError(path, f"an unreadable file ({error})", "a file of weights") from error
    except Exception as error:  # torch.load refuses pickled code with its own type
        raise CheckpointError(path, f"a file torch refuses ({error})", "tensors only") from error


def _torchvision_state(spec: Backbone) -> dict[str, Tensor]:
    from torchvision.models import get_model_weights

    weights = get_model_weights(spec.name).DEFAULT
    return read_state(torchvision_file(weights, spec.name, "--weights"))


def torchvision_file(weights: Any, name: str, option: str) -> Path:
    """The file of a network's torchvision weights, downloaded where it is not there yet.

    weights: a member of one of torchvision's enumerations. name: of the network. option: of the
    command line, that names a local copy.
    Raises CheckpointError, with the file's name, address and place, where there is no internet.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    try:
        if not path.is_file():
            weights.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise CheckpointError(
            f"weights of {name}",
            f"no file, and no download ({error})",
            f"{path.name} of torchvision, from {weights.url}",
            f"Put it into {path.parent}, or give a local copy with {option} FILE.",
        ) from error
    return path


def load_tuned(net: FeatureNet, path: str | Path) -> None:
    """Load a network that `rstan-lite tune` wrote (trunk and classifier)."""
    state = {name: tensor.float() for name, tensor in read_state(Path(path)).items()}
    load_weights(net, state, str(path))


def weights_hash(path: str | Path) -> str:
    """A hash of a weights file, for the keys of what is made with it."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
