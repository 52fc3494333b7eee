"""Files of tensors: read without running anything, checked, and downloaded if public."""

import http.client
import re
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.reading import check_regular, sha256

LARGEST = 2**29  # bytes of a tensor; VGG-16's largest has 411 million
# torch hub's way to name a file: the hexadecimal digits begin the SHA-256 of what is in it
_HASHED = re.compile(r"-([0-9a-f]{8,64})\.pth$")


def load_torch(file: Path | BytesIO, device: str = "cpu") -> Any:
    """What a file of torch.save holds: tensors and plain values, never code.

    Raises ValueError for one that is compressed: torch writes none, and it may unpack to any size.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("a compressed archive")
    if isinstance(file, BytesIO):
        file.seek(0)
    return torch.load(file, map_location=device, weights_only=True)


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a safetensors file, or from a torch file (weights only, no code).

    A torch file whose name holds a hash, as those of torch hub do, must have that hash.
    Raises CheckpointError for a file that is missing, damaged, or holds anything else.
    """
    check_regular(path, CheckpointError, "a file of weights (.safetensors or .pth)")
    named = _HASHED.search(path.name)
    if named and (found := sha256([path])[: len(named[1])]) != named[1]:
        said = f"a file whose SHA-256 begins with {found}"
        hint = "Download it again; where the name means something else, rename the file."
        raise CheckpointError(path, said, f"{named[1]}, as its name says", hint)
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
        said = f"other things ({(', '.join(keys) or type(state).__name__)[:100]})"
        raise CheckpointError(path, said, "tensors by name", "Save the state_dict alone.")
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


def load_weights(
    module: nn.Module, state: Mapping[str, Tensor], where: str, network: str = ""
) -> None:
    """Make a state's tensors the module's own, in single precision.

    module: may lie on the device "meta", where building it draws no random numbers. where, network:
    the file and the name of the module, for the complaint.
    Raises CheckpointError for other tensors.
    """
    own = dict(state)
    if {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in module.state_dict().items()}:
        own = {k: v.float().contiguous() if v.is_floating_point() else v for k, v in own.items()}
    try:
        module.load_state_dict(own, strict=True, assign=True)
    except RuntimeError as error:
        found = f"other tensors ({' '.join(str(error).split())[:300]})"
        expected = f"those of {network or type(module).__name__}"
        raise CheckpointError(where, found, expected) from error


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
        found = f"no file, and no download ({error})"
        hint = f"Get it from {url} and put it into {path.parent}, or name a copy with {options}."
        raise CheckpointError(f"weights of {network}", found, name, hint) from error
    return path


def weights_hash(path: str | Path) -> str:
    """A hash of a weights file, for the keys of what is made with it."""
    return sha256([Path(path)])[:12]
