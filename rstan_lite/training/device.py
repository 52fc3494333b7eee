"""The device and arithmetic of a run, as Lightning Fabric wants them."""

from __future__ import annotations

from typing import Any, Literal

import torch

from rstan_lite.errors import DeviceError

try:
    from lightning_fabric import Fabric
except ImportError:  # the same library inside the package `lightning`
    from lightning.fabric import Fabric  # type: ignore[no-redef]

_PRECISION: dict[str, Literal["32-true", "bf16-mixed"]] = {"32": "32-true", "bf16": "bf16-mixed"}


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one. Raises DeviceError where `cuda` is absent."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda is not None
        raise DeviceError(
            "--device cuda",
            "no CUDA device" if built else "a PyTorch built without CUDA",
            "an NVIDIA GPU that PyTorch can use",
            "Use --device cpu (or auto), or install a CUDA build of PyTorch and its driver.",
        )
    return torch.device(name)


def make_fabric(device: str, precision: str) -> Any:
    """One process on one device. Raises DeviceError where that device is absent."""
    accelerator = choose_device(device).type
    return Fabric(accelerator=accelerator, devices=1, precision=_PRECISION[precision])
