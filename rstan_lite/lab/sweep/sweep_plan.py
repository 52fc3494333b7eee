"""What a sweep is: a description of grids, and the jobs that come of it once all is checked."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rstan_lite.classroom.notebook_parameters import (
    Parameter,
    check_parameters,
    load_notebook,
    notebook_parameters,
)
from rstan_lite.lab.paper_rows import ROWS, SHARPNESS, sharper
from rstan_lite.system import settings
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.reading import read_json
from rstan_lite.system.settings import nearest, one_of, option_words
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.profiles import column, resolve

TRAIN, ABLATIONS = "train", "ablations"  # what the command line calls them
SUFFIXES = (".toml", ".json")
KEYS = ("run", "common", "grid", "seeds")
ROW = "row.json"  # in a job's folder: how it ended
DONE, FAILED = "done", "failed"
LONGEST = 100  # letters of a folder's name, before its digest
_OPEN, _CLOSE = "([{", ")]}"
# Of `train`, as a notebook declares its own.
OPTIONS = [
    Parameter("profile", "str", "course", ""),
    Parameter("variant", "str | None", None, ""),
    *(Parameter(spec.name, str(spec.type), spec.default, "") for spec in fields(TrainConfig)),
]
PLACES = {spec.name for spec in fields(TrainConfig) if spec.metadata.get("place")}
Values = Mapping[str, Sequence[Any]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Description:
    """A sweep before its parameters are checked.

    run: "train" or a notebook's path. common: values of all jobs. grids: products that make jobs.
    """

    run: str
    common: Mapping[str, Any] = field(default_factory=dict)
    grids: tuple[Values, ...] = ()

    def points(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """(what varies, all parameters) of each job."""
        for grid in self.grids or ({},):
            for values in itertools.product(*grid.values()):
                varied = dict(zip(grid, values, strict=True))
                yield varied, {**self.common, **varied}

    def with_values(self, given: Values) -> Description:
        """The same with further values in each grid, in the place of what it has of that name."""
        common = {name: value for name, value in self.common.items() if name not in given}
        grids = tuple({**grid, **given} for grid in self.grids or ({},))
        return replace(self, common=common, grids=grids)


@dataclass(frozen=True)
class Job:
    """One notebook run, one training run or one piece of an extraction.

    kind: "notebook", "train" or "extract". name: of its folder. folder: absolute, on a file system
    that all workers share. target: the notebook's absolute path, or "". parameters: JSON values.
    command: what runs the same by hand. cwd: where it runs. cache: for RSTAN_CACHE, or "".
    """

    kind: str
    name: str
    folder: str
    parameters: Mapping[str, Any]
    target: str = ""
    command: str = ""
    cwd: str = "."
    cache: str = ""


def describe(what: str, pairs: Sequence[str], seeds: str | None = None) -> Description:
    """What a command line asks for; ConfigError.

    what: "train", a notebook, "ablations", or a description's file (.toml, .json). pairs:
    `NAME=V1,V2`, which each grid takes in the place of its own. seeds: the same of `seed`.
    """
    words = [*pairs, *([f"seed={seeds}"] if seeds is not None else [])]
    words = [name.replace("-", "_") + equals + text
             for name, equals, text in (word.partition("=") for word in words)]  # fmt: skip
    texts = settings.pairs("-p", words, "NAME=V1,V2,..., for example seed=0,1,2")
    given = {name: split_values(f"{name}={text}", text) for name, text in texts.items()}
    if what == ABLATIONS:
        others = any(column(name) != "jhmdb" for name in given.get("dataset", ()))
        found = ablations(fix=others and "paper" in given.get("profile", ()))
    else:
        found = read_file(Path(what)) if what.endswith(SUFFIXES) else Description(what)
    return found.with_values(given)


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


def read_file(path: Path) -> Description:
    """A description's file; ConfigError for what is none.

    Keys: `run`, a notebook or "train"; `common`, a table of values; `grid`, one or several tables
    of lists of values; `seeds`, a list, put into each grid as `seed`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:  # both parsers' errors are ValueErrors
        raise ConfigError(path, str(error), "a sweep's description") from error
    if not isinstance(found, dict) or not isinstance(found.get("run"), str):
        raise ConfigError(path, "no text `run`", 'run = "train", or run = "<a notebook>.ipynb"')
    if odd := [key for key in found if key not in KEYS]:
        raise ConfigError(path, f"the key {odd[0]!r}", one_of(KEYS), nearest(odd[0], KEYS))
    common, grids = found.get("common", {}), found.get("grid", {})
    grids = grids if isinstance(grids, list) else [grids]
    if wrong := [table for table in (common, *grids) if not isinstance(table, dict)]:
        raise ConfigError(path, repr(wrong[0]), "tables of names and values")
    if "seeds" in found:
        if any("seed" in table for table in (common, *grids)):
            raise ConfigError(path, "seeds and seed", "one of both")
        grids = [{**grid, "seed": found["seeds"]} for grid in grids]
    for name, values in (pair for grid in grids for pair in grid.items()):
        if not isinstance(values, list) or not values:
            raise ConfigError(path, f"{name} = {values!r}", "a list of values in a grid")
    return Description(found["run"], common, tuple(grids))


def ablations(
    sharpness: Sequence[float] = SHARPNESS, fix: bool = False, **common: Any
) -> Description:
    """Each run of Tables I to III and Fig. 6 once, on one split; give it seeds of your own.

    sharpness: values of gamma_alpha (gamma_beta at 1) and of gamma_beta (gamma_alpha at 1).
    fix: name the 1, too: for UCF101 and HMDB51 the paper has others. common: options of train for
    all runs, and `profile`.
    """
    rows = [row for row in ROWS if row.paper is not None]
    rows += [sharper(f"gamma_{name}", value) for name in ("alpha", "beta") for value in sharpness]
    grids: dict[tuple[str, ...], dict[str, list[Any]]] = {}
    for row in rows:  # rows that name the same options make a grid
        point: dict[str, Any] = {"variant": row.variant}
        for name, value in row.beside.items():
            if fix or value != 1.0:
                point[name] = list(value) if isinstance(value, tuple) else value
        grid = grids.setdefault(tuple(point), {name: [] for name in point})
        for name, value in point.items():
            if value not in grid[name]:
                grid[name].append(value)
    return Description(TRAIN, common, tuple(grids.values()))


def plan(description: Description, out: Path) -> list[Job]:
    """The jobs of a sweep, in the order of its grids; each one's folder lies in `out`.

    Raises ConfigError or NotebookError for an unknown parameter, a value that it can't have, and
    for two jobs that would be the same run.
    """
    run = description.run
    if run != TRAIN and not run.endswith(".ipynb"):
        raise ConfigError("rstan-lite sweep", repr(run), "a notebook (.ipynb), a file, or train")
    train, cache = run == TRAIN, os.environ.get("RSTAN_CACHE")
    declared = OPTIONS if train else notebook_parameters(run)
    hint = "See rstan-lite train --help." if train else "Their types: rstan-lite run --list."
    jobs: dict[str, Job] = {}
    for varied, values in description.points():
        if not train and "out" in values:
            raise ConfigError("-p", "out", "others: each job has a folder of its own as `out`")
        checked = check_parameters(run, declared, values, hint)
        given = identity = dict(json.loads(json.dumps(checked)))
        every = {parameter.name: parameter.default for parameter in declared} | given
        if train:  # where data lie makes no other job
            options = given, asdict(train_config(given))
            identity, every = ({k: one[k] for k in one if k not in PLACES} for one in options)
        same = json.dumps(every, sort_keys=True)
        name = job_name({key: given[key] for key in varied}, identity)
        folder = out / name
        if train:
            words = [TRAIN, *option_words(given), "--out", str(folder)]
        else:
            words = ["run", run, "--output", str(folder / Path(run).name)]
            for key, value in notebook_values(declared, given, folder).items():
                words += ["-p", f"{key}={value}"]
        if same in jobs:
            found = f"{name} and {jobs[same].name}, which are the same run"
            hint = "A value that is the default may be left out, or stand in one grid alone."
            raise ConfigError("the grid", found, "each run once", hint)
        kind, target = (TRAIN, "") if train else ("notebook", str(Path(run).absolute()))
        places = {"cwd": os.getcwd(), "cache": str(Path(cache).absolute()) if cache else ""}
        command = shlex.join(["rstan-lite", *words])
        jobs[same] = Job(kind, name, str(folder.absolute()), given, target, command, **places)
    return list(jobs.values())


def train_config(given: Mapping[str, Any]) -> TrainConfig:
    """The configuration of a train job's parameters; ConfigError."""
    options = dict(given)
    profile, variant = options.pop("profile", "course"), options.pop("variant", None)
    return resolve(profile, options, variant)


def notebook_values(
    declared: Sequence[Parameter], given: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """The parameters of a notebook job: those given, and its folder where it has an `out`."""
    return {**given, **{one.name: str(folder) for one in declared if one.name == "out"}}


def notebook_digest(path: str) -> str:
    """A hash of a notebook's code, which its finished jobs depend on."""
    cells = load_notebook(path)["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:12]


def job_name(varied: Mapping[str, Any], all_of: Mapping[str, Any]) -> str:
    """A folder's name from parameters: those that vary, to be read, and a digest of all.

    Letters that a file system or a shell may stumble over become `_`.
    """
    said = ",".join(f"{name}={shown(value)}" for name, value in varied.items()) or "job"
    said = re.sub(r"[^A-Za-z0-9._+=,-]", "_", said)[:LONGEST].lstrip(".-")
    text = json.dumps(all_of, sort_keys=True)
    return f"{said}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def shown(value: Any) -> Any:
    """A parameter as one cell of a table: a list as `a+b`, all else as it is."""
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else value


def read_row(folder: Path) -> Row | None:
    """What a job left; None where it has not ended. CheckpointError for a damaged file."""
    path, hint = folder / ROW, "Remove the file to run the job again."
    if not path.exists():
        return None
    row = read_json(path, CheckpointError, "a job's row", hint)
    if not isinstance(row, dict) or row.get("status") not in (DONE, FAILED):
        raise CheckpointError(path, "JSON of something else", "a job's row", hint)
    return row
