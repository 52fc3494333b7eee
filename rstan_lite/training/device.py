"""The devices and arithmetic of a run, as Lightning Fabric wants them."""

from __future__ import annotations

from typing import Any, Literal

import torch

from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import DeviceError
from rstan_lite.system.ranks import ALONE, SILENCE, Ranks

try:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
except ImportError:  # the same library inside the package `lightning`
    from lightning.fabric import Fabric  # type: ignore[no-redef]
    from lightning.fabric.strategies import DDPStrategy  # type: ignore[no-redef]

_PRECISION: dict[str, Literal["32-true", "bf16-mixed"]] = {"32": "32-true", "bf16": "bf16-mixed"}


def make_fabric(device: str, precision: str, ranks: Ranks = ALONE) -> Any:
    """This process on its device, connected with the training's others (NCCL; CPUs: gloo).

    Raises DeviceError where the device is absent, or there are fewer of them than processes.
    """
    accelerator = choose_device(device).type
    if ranks.size == 1:
        return Fabric(accelerator=accelerator, devices=1, precision=_PRECISION[precision])
    if accelerator == "cuda" and torch.cuda.device_count() < ranks.here:
        raise DeviceError(
            "torchrun",
            f"{ranks.here} processes for {torch.cuda.device_count()} GPUs",
            "a GPU for each process",
            "Give torchrun a smaller --nproc-per-node.",
        )
    # A mini-batch's graph never changes, so that what takes no part in it is found once; and a
    # second data set's forward pass may precede the backward pass of both.
    strategy = DDPStrategy(static_graph=True, timeout=SILENCE)
    fabric = Fabric(
        accelerator=accelerator,
        strategy=strategy,
        devices=ranks.here,
        num_nodes=ranks.size // ranks.here,
        precision=_PRECISION[precision],
    )
    fabric.launch()
    return fabric
