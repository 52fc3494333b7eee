"""RSTAN, the recurrent spatial-temporal attention network, step by step.

    from rstan_lite import RSTAN, RSTANConfig, load, losses

`RSTAN` is the network on tensors, `losses` has Eq. 17-19, and `load(run)` opens a finished run.
These names are imported when they are first used: `import rstan_lite` alone loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rstan_lite.lab.library.trained_model import load
    from rstan_lite.model import RSTAN, RSTANConfig, losses

__version__ = "0.1.0"
__all__ = ["RSTAN", "RSTANConfig", "load", "losses"]
_HOMES = {
    "RSTAN": "model",
    "RSTANConfig": "model",
    "losses": "model",
    "load": "lab.library.trained_model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rstan_lite' has no attribute {name!r}")
    return getattr(import_module(f"rstan_lite.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
