"""The device and arithmetic of a run, as Lightning Fabric wants them."""

from __future__ import annotations

from typing import Any, Literal

from rstan_lite.devices import choose_device

try:
    from lightning_fabric import Fabric
except ImportError:  # the same library inside the package `lightning`
    from lightning.fabric import Fabric  # type: ignore[no-redef]

_PRECISION: dict[str, Literal["32-true", "bf16-mixed"]] = {"32": "32-true", "bf16": "bf16-mixed"}


def make_fabric(device: str, precision: str) -> Any:
    """One process on one device. Raises DeviceError where that device is absent."""
    accelerator = choose_device(device).type
    return Fabric(accelerator=accelerator, devices=1, precision=_PRECISION[precision])
