"""The optional libraries of this subpackage: the extra `idt`."""

from __future__ import annotations

from rstan_lite.system.settings import require_libraries

MODULES = {"scikit-image": "skimage"}


def check_libraries() -> None:
    """Raise ConfigError, saying how to install them, where a library is not there."""
    require_libraries("iDT-FV", MODULES, "idt")
