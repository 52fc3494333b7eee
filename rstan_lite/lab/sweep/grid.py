"""Grids of parameters: `NAME=V1,V2` from the command line, or a description in a file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rstan_lite.lab.sweep.ablations import NAME, ablations
from rstan_lite.lab.sweep.description import Description
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import nearest, one_of
from rstan_lite.training.profiles import column

SUFFIXES = (".toml", ".json")
KEYS = ("run", "common", "grid", "seeds")
_OPEN, _CLOSE = "([{", ")]}"


def describe(what: str, pairs: Sequence[str], seeds: str | None = None) -> Description:
    """What a command line asks for.

    what: "train", a notebook, "ablations", or a description's file (.toml, .json). pairs:
    `NAME=V1,V2`; they are put into each of a description's grids, in the place of what these say of
    the same name.
    seeds: `V1,V2`, of the parameter `seed`.
    Raises ConfigError.
    """
    given = dimensions([*pairs, *([f"seed={seeds}"] if seeds is not None else [])])
    if what == NAME:
        others = any(column(name) != "jhmdb" for name in given.get("dataset", ()))
        found = ablations(fix=others and "paper" in given.get("profile", ()))
    else:
        found = read(Path(what)) if what.endswith(SUFFIXES) else Description(what)
    return found.with_values(given)


def dimensions(pairs: Sequence[str]) -> dict[str, list[str]]:
    """`["lr=0.1,0.01", "streams=[appearance,motion],[motion]"]` by name; ConfigError."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise ConfigError("-p", repr(pair), "NAME=V1,V2,...", "For example -p seed=0,1,2.")
        if name in found:
            raise ConfigError("-p", f"{name} twice", "each name once, with all its values")
        found[name] = split_values(pair, text)
    return found


def split_values(where: str, text: str) -> list[str]:
    """Values between commas; those inside brackets belong to a value."""
    values, depth = [""], 0
    for letter in text:
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter == "," and depth == 0:
            values.append("")
        else:
            values[-1] += letter
        if depth < 0:
            break
    if depth:
        hint = "A value with a bracket or comma of its own goes into a description's file."
        raise ConfigError(where, "a bracket without its other half", "pairs of brackets", hint)
    return [value.strip() for value in values]


def read(path: Path) -> Description:
    """A description's file; ConfigError for what is none.

    Keys: `run`, a notebook or "train"; `common`, a table of values; `grid`, a table of lists of
    values or several such tables; `seeds`, a list, put into each grid as `seed`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:  # both parsers' errors are ValueErrors
        raise ConfigError(path, str(error), "a sweep's description") from error
    if not isinstance(found, dict) or not isinstance(found.get("run"), str):
        raise ConfigError(path, "no text `run`", 'run = "train", or run = "<a notebook>.ipynb"')
    for key in found:
        if key not in KEYS:
            raise ConfigError(path, f"the key {key!r}", one_of(KEYS), nearest(key, KEYS))
    common, grids = found.get("common", {}), found.get("grid", {})
    grids = grids if isinstance(grids, list) else [grids]
    for table in (common, *grids):
        if not isinstance(table, dict):
            raise ConfigError(path, repr(table), "tables of names and values")
    lists: list[dict[str, Any]] = [{**grid} for grid in grids]
    for grid in lists:
        if "seeds" in found:
            if "seed" in grid or "seed" in common:
                raise ConfigError(path, "seeds and seed", "one of both")
            grid["seed"] = found["seeds"]
        for name, values in grid.items():
            if not isinstance(values, list) or not values:
                raise ConfigError(path, f"{name} = {values!r}", "a list of values in a grid")
    return Description(found["run"], common, tuple(lists))
