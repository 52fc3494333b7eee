"""The device that a command computes on, the memory it took, and a training's Lightning Fabric."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import psutil
import torch

from rstan_lite.system.errors import DeviceError
from rstan_lite.system.ranks import ALONE, SILENCE, Ranks

_PRECISION: dict[str, Literal["32-true", "bf16-mixed"]] = {"32": "32-true", "bf16": "bf16-mixed"}


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one. Raises DeviceError where `cuda` is absent."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        found = "no CUDA device" if torch.version.cuda else "a PyTorch built without CUDA"
        hint = "Use --device cpu (or auto), or install a CUDA build of PyTorch and its driver."
        raise DeviceError("--device cuda", found, "an NVIDIA GPU that PyTorch can use", hint)
    return torch.device(name)


def make_fabric(device: str, precision: str, ranks: Ranks = ALONE) -> Any:
    """This process on its device, connected with the training's others (NCCL; CPUs: gloo).

    Raises DeviceError where the device is absent.
    """
    from lightning_fabric import Fabric  # here: whoever only chooses a device need not wait for it
    from lightning_fabric.strategies import DDPStrategy

    accelerator = choose_device(device).type
    if ranks.size == 1:
        return Fabric(accelerator=accelerator, devices=1, precision=_PRECISION[precision])
    # static: what takes no part is found once, and two forward passes may precede a backward pass
    strategy = DDPStrategy(static_graph=True, timeout=SILENCE)
    shape: dict[str, Any] = {"devices": ranks.here, "num_nodes": ranks.size // ranks.here}
    fabric = Fabric(
        accelerator=accelerator, strategy=strategy, precision=_PRECISION[precision], **shape
    )
    fabric.launch()
    return fabric


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
