"""Weights of the two-stream networks: files, published ImageNet weights, and tuned networks."""

from __future__ import annotations

import hashlib
import http.client
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm.auto import tqdm

from rstan_lite.features import bninception
from rstan_lite.features.backbones import FeatureNet, build
from rstan_lite.features.first_convolution import rescale, to_motion
from rstan_lite.features.spec import Backbone
from rstan_lite.features.torch_file import load_torch
from rstan_lite.features.uninitialised import Uninitialised
from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.reading import check_regular

POSITIONS = "encoder.pos_embedding"  # of a vision transformer
LARGEST = 2**29  # bytes of a tensor; VGG-16's largest has 411 million
# torch hub's way to name a file: the hexadecimal digits begin the SHA-256 of what is in it
_HASHED = re.compile(r"-([0-9a-f]{8,64})\.pth$")


def load_start(net: FeatureNet, weights: str | Path) -> None:
    """Give a network that is to be tuned its first weights.

    weights: "none" (they stay random), "torchvision" (the published ImageNet weights, see
    `published_file`), a file of ImageNet weights, or a tuned network of the same backbone and
    stream, whose classifier is left behind.
    Raises CheckpointError for a missing, damaged or unlike file.
    """
    if weights == "none":
        return
    if weights == "torchvision":
        load_imagenet(net, None)
        return
    state = read_state(Path(weights))
    trunk = {k.removeprefix("trunk."): v for k, v in state.items() if k.startswith("trunk.")}
    if trunk:
        load_weights(net.trunk, for_side(trunk, net.side, str(weights)), str(weights))
    else:
        load_imagenet(net, weights)


def check_start(spec: Backbone, weights: str) -> None:
    """Raise CheckpointError where `load_start` would find no file; fetch published weights."""
    if weights == "torchvision":
        published_file(spec)
    elif weights != "none":
        check_regular(Path(weights), CheckpointError, "weights to start from")


def load_imagenet(net: FeatureNet, weights: str | Path | None) -> None:
    """Start a FeatureNet's trunk from ImageNet weights, for RGB or flow.

    weights: a safetensors or torch file of the whole network's state; None for the published ones.
    What a file of BN-Inception holds and the trunk does not need is named on standard error.
    Raises CheckpointError for a missing, damaged or unlike file.
    """
    path = published_file(net.spec) if weights is None else Path(weights)
    state = read_state(path)
    with Uninitialised():
        full = build(net.spec, net.side)
    if net.spec.name == bninception.NAME:
        state, out = bninception.mend(state, full.state_dict())
        if out:
            said = "; ".join(f"{reason}: {_some(names)}" for reason, names in out.items())
            tqdm.write(f"{path.name}: not taken over: {said}", file=sys.stderr)
        state |= {k: v for k, v in full.state_dict().items() if bninception.needless(k)}
    load_weights(full, for_side(state, net.side, str(path)), str(path))
    if net.stream == "motion":
        full = to_motion(full, net.inputs)
    if net.spec.homogeneous:
        rescale(full)
    whole = full.state_dict()
    load_weights(net.trunk, {k: whole[k] for k in net.trunk.state_dict()}, str(path))


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def for_side(state: Mapping[str, Tensor], side: int, where: str) -> dict[str, Tensor]:
    """A state with a vision transformer's positions interpolated to images of a side in pixels.

    Other networks' states are returned as they are. where: the file, for the complaint.
    Raises CheckpointError for positions that fill no square.
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
        raise CheckpointError(
            where, found, "one of a class token and a square of patches"
        ) from error


def load_weights(
    module: nn.Module, state: Mapping[str, Tensor], where: str, network: str = ""
) -> None:
    """Make a state's tensors the module's own, in single precision.

    where, network: the file and the name of the module, for the complaint.
    Raises CheckpointError for other tensors.
    """
    own = dict(state)
    if {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in module.state_dict().items()}:
        own = {k: v.float().contiguous() if v.is_floating_point() else v for k, v in own.items()}
    try:
        module.load_state_dict(own, strict=True, assign=True)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise CheckpointError(
            where, f"other tensors ({first})", f"those of {network or type(module).__name__}"
        ) from error


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a safetensors file, or from a torch file (weights only, no code).

    A torch file whose name holds a hash, as those of torch hub do, must have that hash.
    """
    check_regular(path, CheckpointError, "a file of weights (.safetensors or .pth)")
    named = _HASHED.search(path.name)
    if named and (found := _sha256(path)[: len(named[1])]) != named[1]:
        raise CheckpointError(
            path,
            f"a file whose SHA-256 begins with {found}",
            f"{named[1]}, as its name says",
            "Download it again; where the name means something else, rename the file.",
        )
    try:
        state = load_file(str(path)) if path.suffix == ".safetensors" else load_torch(path)
    except (SafetensorError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise CheckpointError(path, f"an unreadable file ({error})", "a file of weights") from error
    except Exception as error:  # torch.load refuses pickled code with its own type
        raise CheckpointError(path, f"a file torch refuses ({error})", "tensors only") from error
    named_tensors = isinstance(state, Mapping) and all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    )
    if not named_tensors:
        keys = [k for k in state if isinstance(k, str)] if isinstance(state, Mapping) else []
        held = ", ".join(keys) or type(state).__name__
        raise CheckpointError(
            path, f"other things ({held[:100]})", "tensors by name", "Save the state_dict alone."
        )
    for name, tensor in state.items():
        _check_tensor(path, name, tensor)
    return dict(state)


def _check_tensor(path: Path, name: str, tensor: Tensor) -> None:
    """Raise CheckpointError for a huge tensor of few numbers that repeat, or numbers not finite."""
    whole = tensor.layout is torch.strided and tensor.device.type == "cpu"
    if not whole or tensor.nbytes > max(LARGEST, tensor.untyped_storage().nbytes()):
        found = f"{name[:100]}, a tensor of {tuple(tensor.shape)} that the file does not hold"
        raise CheckpointError(path, found, "tensors with all their numbers")
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
        raise CheckpointError(path, f"{name[:100]} with numbers not finite", "finite weights")


def published_file(spec: Backbone) -> Path:
    """The file of a network's published ImageNet weights, see `hub_file`."""
    return hub_file(
        _url(spec),
        spec.name,
        "--weights FILE of `rstan-lite tune`, or --appearance-weights FILE and "
        "--motion-weights FILE",
    )


def hub_file(url: str, network: str, options: str) -> Path:
    """A file of weights in torch hub's folder; it is downloaded where it is not there yet.

    network: what the weights are of. options: of the command line, that name a local copy.
    Raises CheckpointError, with the address and the folder, where that fails.
    """
    name = url.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if path.is_file():
        return path
    named = _HASHED.search(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), named[1] if named else None)
    except (OSError, RuntimeError, http.client.HTTPException) as error:  # RuntimeError: its hash
        raise CheckpointError(
            f"weights of {network}",
            f"no file, and no download ({error})",
            name,
            f"Get it from {url} and put it into {path.parent}, or name a copy with {options}.",
        ) from error
    return path


def _url(spec: Backbone) -> str:
    from torchvision.models import get_model_weights

    if spec.name == bninception.NAME:
        return bninception.URL
    try:
        return get_model_weights(spec.name).DEFAULT.url
    except ValueError as error:
        raise CheckpointError(
            f"weights of {spec.name}",
            f"none that are published ({error})",
            "a network of torchvision or bninception",
            "Name a file, or start from random weights: --weights none.",
        ) from error


def load_tuned(net: FeatureNet, path: str | Path) -> None:
    """Load a network that `rstan-lite tune` wrote (trunk and classifier)."""
    state = read_state(Path(path))
    trunk = {k.removeprefix("trunk."): v for k, v in state.items() if k.startswith("trunk.")}
    moved = {"trunk." + name: v for name, v in for_side(trunk, net.side, str(path)).items()}
    load_weights(net, {**state, **moved}, str(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_hash(path: str | Path) -> str:
    """A hash of a weights file, for the keys of what is made with it."""
    return _sha256(Path(path))[:12]
