"""The optional libraries of this subpackage: the extra `idt`."""

from __future__ import annotations

import importlib.util

from rstan_lite.errors import ConfigError

MODULES = {"scikit-image": "skimage", "scikit-learn": "sklearn"}


def check_libraries() -> None:
    """Raise ConfigError, saying how to install them, where a library is not there."""
    absent = [name for name, module in MODULES.items() if not importlib.util.find_spec(module)]
    if absent:
        raise ConfigError(
            "iDT-FV",
            f"no {' and no '.join(absent)} installed",
            " and ".join(MODULES),
            "Install them: pip install rstan-lite[idt]",
        )
