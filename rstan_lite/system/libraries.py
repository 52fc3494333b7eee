"""Libraries that only a part of the package needs, and how to install them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from rstan_lite.system.errors import ConfigError


def require_libraries(title: str, modules: Mapping[str, str], extra: str) -> None:
    """Raise ConfigError, saying how to install them, where a library is not there.

    title: what needs them. modules: distribution -> module. extra: of the package, that has them.
    """
    absent = [name for name, module in modules.items() if not importlib.util.find_spec(module)]
    if absent:
        raise ConfigError(
            title,
            f"no {' and no '.join(absent)} installed",
            " and ".join(modules),
            f"Install them: pip install rstan-lite[{extra}]",
        )
