"""What a sweep is: a description of grids, and the jobs that come of it once all is checked."""

import hashlib
import itertools
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from inspect import formatannotation
from pathlib import Path
from typing import Any, Self

from rstan_lite.classroom.notebook_parameters import (
    Parameter,
    check_parameters,
    load_notebook,
    notebook_parameters,
)
from rstan_lite.lab.paper_rows import ROWS
from rstan_lite.system import settings
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.reading import read_json
from rstan_lite.system.settings import option_words
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.profiles import column, resolve

TRAIN, ABLATIONS = "train", "ablations"  # what the command line calls them
ROW = "row.json"  # in a job's folder: how it ended
DONE, FAILED = "done", "failed"
LONGEST = 100  # letters of a folder's name, before its digest
# Of `train`, as a notebook declares its own.
OPTIONS = [
    Parameter("profile", "str", "course", ""),
    Parameter("variant", "str | None", None, ""),
    *(Parameter(f.name, formatannotation(f.type), f.default, "") for f in fields(TrainConfig)),
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

    def with_values(self, given: Values) -> Self:
        """The same with further values in each grid, in the place of what it has of that name."""
        common = {name: value for name, value in self.common.items() if name not in given}
        grids = tuple({**grid, **given} for grid in self.grids or ({},))
        return replace(self, common=common, grids=grids)


@dataclass(frozen=True)
class Job:
    """One run of a notebook or of `train`.

    name: of its folder. folder: absolute, on a file system that all workers share. notebook: its
    absolute path, "" for `train`. parameters: JSON values. command: what runs the same by hand.
    cwd: where it runs. cache: for RSTAN_CACHE, or "".
    """

    name: str
    folder: str
    parameters: Mapping[str, Any]
    notebook: str = ""
    command: str = ""
    cwd: str = "."
    cache: str = ""


def describe(what: str, pairs: Sequence[str], seeds: str | None = None) -> Description:
    """What a command line asks for; ConfigError.

    what: "train", a notebook or "ablations". pairs: `NAME=V1,V2`, which each grid takes in the
    place of its own. seeds: the same of `seed`.
    """
    words = [*pairs, *([f"seed={seeds}"] if seeds is not None else [])]
    words = [name.replace("-", "_") + equals + text
             for name, equals, text in (word.partition("=") for word in words)]  # fmt: skip
    texts = settings.pairs("-p", words, "NAME=V1,V2,..., for example seed=0,1,2")
    given = {name: split_values(text) for name, text in texts.items()}
    if what == ABLATIONS:
        others = any(column(name) != "jhmdb" for name in given.get("dataset", ()))
        found = ablations(fix=others and "paper" in given.get("profile", ()))
    else:
        found = Description(what)
    return found.with_values(given)


def split_values(text: str) -> list[str]:
    """Values between commas; a list in brackets is one value."""
    return [value.strip() for value in re.split(r",(?![^\[]*\])", text)]


def ablations(fix: bool = False) -> Description:
    """Each run of Tables I to III and Fig. 6 once, on one split; give it seeds of your own.

    fix: name a sharpness of 1, too: for UCF101 and HMDB51 the paper has others.
    """
    rows = [row for row in ROWS if row.paper is not None or row.table == "Fig. 6"]
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
    return Description(TRAIN, grids=tuple(grids.values()))


def plan(description: Description, out: Path) -> list[Job]:
    """The jobs of a sweep, in the order of its grids; each one's folder lies in `out`.

    Raises ConfigError or NotebookError for an unknown parameter, a value that it can't have, and
    for two jobs that would be the same run.
    """
    run = description.run
    if run != TRAIN and not run.endswith(".ipynb"):
        raise ConfigError("rstan-lite sweep", repr(run), "a notebook (.ipynb), train or ablations")
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
        notebook, command = "" if train else str(Path(run).absolute()), ["rstan-lite", *words]
        places = {"cwd": os.getcwd(), "cache": str(Path(cache).absolute()) if cache else ""}
        what = {"notebook": notebook, "command": shlex.join(command), **places}
        jobs[same] = Job(name, str(folder.absolute()), given, **what)
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
