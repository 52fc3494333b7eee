"""The device that a command computes on, and the memory it took."""

import re
from pathlib import Path

import psutil
import torch

from rstan_lite.system.errors import DeviceError


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one. Raises DeviceError where `cuda` is absent."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        found = "no CUDA device" if torch.version.cuda else "a PyTorch built without CUDA"
        hint = "Use --device cpu (or auto), or install a CUDA build of PyTorch and its driver."
        raise DeviceError("--device cuda", found, "an NVIDIA GPU that PyTorch can use", hint)
    return torch.device(name)


def peak_memory() -> int:
    """Largest resident memory of this process so far, MiB; on macOS, what is resident now."""
    status = Path("/proc/self/status")
    if status.exists() and (
        found := re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"), re.M)
    ):
        return int(found[1]) >> 10
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss)) >> 20


def peak_gpu_memory() -> int | None:
    """Largest memory that tensors took on the GPU so far, MiB; None without one."""
    return torch.cuda.max_memory_allocated() >> 20 if torch.cuda.is_available() else None
