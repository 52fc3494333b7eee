"""The device that a command computes on."""

from __future__ import annotations

import torch

from rstan_lite.system.errors import DeviceError


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
