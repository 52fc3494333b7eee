"""Checks of settings and of the libraries that they need; the cache's place. Imports no torch."""

import ast
import difflib
import importlib.util
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

from platformdirs import user_cache_dir

from rstan_lite.system.errors import ConfigError, RstanError

T = TypeVar("T")
OURS = ("rstan_lite", "torch", "dataclasses", "typing")  # where the network's functions come from
OTHER_CACHE = "Choose another folder with --cache DIR, or with RSTAN_CACHE."
LONGEST = 36  # characters of a value in a printed table
TYPES = "bool, int, float, str, list[X], tuple[X, ...], X | None"
_BOOLS = dict.fromkeys(("true", "yes", "on", "1"), True)
_BOOLS |= dict.fromkeys(("false", "no", "off", "0"), False)


def default_cache() -> str:
    """Where clips, stores and tuned networks lie: $RSTAN_CACHE, or the user's folder of caches."""
    return os.environ.get("RSTAN_CACHE") or user_cache_dir("rstan-lite", appauthor=False)


def one_of(names: Iterable[str], quantity: str = "one") -> str:
    """`one of a, b, c`, for an error message."""
    return f"{quantity} of {', '.join(names)}"


def nearest(name: str, names: Iterable[str]) -> str:
    """`Did you mean ...?` for a name that is nearly one of `names`, else an empty text."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"Did you mean {close[0]}?" if close else ""


def check_choice(where: str, found: object, known: Sequence[str]) -> None:
    """Raise ConfigError where `found` is none of the known names. where: of the setting."""
    if not isinstance(found, str) or found not in known:
        hint = nearest(found, known) if isinstance(found, str) else ""
        raise ConfigError(where, repr(found)[:200], one_of(known), hint)


def check_class(where: str, found: str, known: Sequence[str]) -> None:
    """Raise ConfigError for what is neither a known name nor `module:Class`."""
    module, colon, name = found.partition(":")
    if not (colon and name.isidentifier() and all(map(str.isidentifier, module.split(".")))):
        check_choice(where, found, known)


def check_names(where: str, found: object, known: Sequence[str] = ()) -> None:
    """Raise ConfigError unless `found` is a tuple of different names, one or more, of the known."""
    expected = f"{one_of(known, 'some') if known else 'one name or more'}, each once"
    if not isinstance(found, tuple) or not all(isinstance(name, str) for name in found):
        raise ConfigError(where, repr(found)[:200], f"a tuple of names: {expected}")
    if not found or len(set(found)) < len(found) or (known and not set(found) <= set(known)):
        raise ConfigError(where, ",".join(found) or "nothing", expected)


def check_count(where: str, found: object, low: int | None = 1, high: int | None = None) -> None:
    """Raise ConfigError unless `found` is a whole number from low to high."""
    fits = isinstance(found, int) and not isinstance(found, bool)
    _check_range(where, found, fits, "a whole number", low, high)


def check_real(
    where: str, found: object, low: float | None = None, high: float | None = None,
    below: float | None = None,
) -> None:  # fmt: skip
    """Raise ConfigError unless `found` is a finite number from low to high, or below `below`."""
    fits = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    _check_range(where, found, fits, "a number", low, high, below)


def _check_range(
    where: str, found: object, fits: bool, what: str, low: float | None, high: float | None,
    below: float | None = None,
) -> None:  # fmt: skip
    if fits and isinstance(found, int | float):
        fits = (low is None or found >= low) and (high is None or found <= high)
        fits = fits and (below is None or found < below)
    if not fits:
        span = "" if low is None else f" of {low:g} or more"
        span = f" from {low:g} to {high}" if low is not None and high is not None else span
        span += "" if below is None else f" and below {below:g}"
        raise ConfigError(where, repr(found)[:200], what + span)


def imported(where: str, module: str, name: str, expected: str) -> Any:
    """What a module of the user's has under a name. Raises ConfigError where it has nothing."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "It must be installed, or lie in the working folder or one that PYTHONPATH names."
        raise ConfigError(where, str(error), expected, hint) from error


def replaced(module: ModuleType) -> dict[str, str]:
    """Functions of a module in whose place a user put others, {name: the other's name}."""
    found = {name: one for name, one in vars(module).items() if isfunction(one)}
    homes = {name: (one.__module__ or "").partition(".")[0] for name, one in found.items()}
    return {name: found[name].__qualname__ for name, home in homes.items() if home not in OURS}


def whole_paths(options: T, names: Sequence[str], named: str = "") -> T:
    """A dataclass of options with paths that hold in any folder. named: its NAME=PATH field."""
    given = {name: getattr(options, name) for name in names}
    whole: dict[str, Any] = {k: str(Path(v).absolute()) for k, v in given.items() if v}
    files = pairs(named, getattr(options, named)).items() if named else ()
    whole |= {named: tuple(f"{k}={Path(v).absolute()}" for k, v in files)} if files else {}
    changed: T = replace(cast("Any", options), **whole)
    return changed


def require_libraries(title: str, modules: Mapping[str, str], extra: str) -> None:
    """Raise ConfigError, saying how to install them, where a library is not there.

    title: what needs them. modules: distribution -> module. extra: of the package, that has them.
    """
    absent = [name for name, module in modules.items() if not importlib.util.find_spec(module)]
    if absent:
        found, hint = f"no {' and no '.join(absent)} installed", f"pip install {' '.join(absent)}"
        raise ConfigError(title, found, " and ".join(modules), f"{hint} (the extra {extra})")


def shown(value: Any) -> str:
    """A value as the command line takes it; `none` for an empty text."""
    return (",".join(value) if isinstance(value, tuple) else str(value)) or "none"


def short(value: Any) -> str:
    """`shown`, cut to LONGEST characters for a cell of a table."""
    text = shown(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def pairs(option: str, given: Iterable[str], example: str = "NAME=VALUE") -> dict[str, str]:
    """Of each `NAME=TEXT` the text by name; ConfigError for one without a name, or a name twice."""
    found: dict[str, str] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ConfigError(option, repr(pair), example)
        if name in found:
            raise ConfigError(option, f"{name} twice", "each name once")
        found[name] = text
    return found


def parsed(
    where: str, annotation: str, value: Any, read_text: bool = True,
    kind: type[RstanError] = ConfigError, hint: str = "",
) -> Any:  # fmt: skip
    """A value as a declared type, which may be any of TYPES.

    read_text: read a string for a type that is not str (`"0.5"` for a float, `"1,2"` or `"[1, 2]"`
    for a list, `"none"` for an optional one); other values must be of the type already.
    Raises `kind` for a value that does not fit, and for a type that is none of TYPES.
    """
    try:
        return _read(ast.parse(annotation, mode="eval").body, value, read_text)
    except NotImplementedError:
        raise kind(where, f"the type {annotation}", f"one of {TYPES}") from None
    except (LookupError, ValueError, TypeError, SyntaxError, ArithmeticError, RecursionError,
            MemoryError):  # fmt: skip
        raise kind(where, repr(value)[:200], f"a value of type {annotation}", hint) from None


def _read(kind: ast.expr, value: Any, read_text: bool) -> Any:
    text = value.strip() if read_text and isinstance(value, str) else None
    match kind:
        case ast.BinOp(op=ast.BitOr(), left=inner, right=ast.Constant(value=None)):
            none = value is None or (text or "").lower() in ("none", "null")
            return None if none else _read(inner, value, read_text)
        case ast.Name(id="str") if isinstance(value, str):
            return value
        case ast.Name(id="bool" | "int" | "float" | "str" as name):
            scalar: Any = {"bool": bool, "int": int, "float": float, "str": str}[name]
            if text is not None:
                return _BOOLS[text.lower()] if scalar is bool else scalar(text)
            if type(value) is not scalar and (scalar, type(value)) != (float, int):
                raise TypeError(value)  # True is no int here
            return scalar(value)
        case ast.Subscript(value=ast.Name(id="list" | "tuple" as name), slice=inner):
            if name == "tuple":
                if not isinstance(inner, ast.Tuple) or ast.unparse(inner.elts[-1]) != "...":
                    raise NotImplementedError
                inner = inner.elts[0]
            if text is not None:
                text = text.strip("[]() ")
                value = [part.strip() for part in text.split(",")] if text else []
            elif not isinstance(value, list if name == "list" else (list, tuple)):
                raise TypeError(value)
            items = [_read(inner, item, read_text) for item in value]
            return items if name == "list" else tuple(items)
    raise NotImplementedError


def option_words(values: Mapping[str, Any]) -> list[str]:
    """Words of a command line that say values of options."""
    words = []
    for name, value in values.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            text = shown(tuple(value) if isinstance(value, list) else value)
            words += [f"--{flag}", text if value or value == 0 else ""]
    return words
