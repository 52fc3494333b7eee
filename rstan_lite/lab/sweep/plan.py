"""From a description to jobs: every parameter is checked before anything starts."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rstan_lite.classroom.notebook import default_output
from rstan_lite.classroom.parameters import (
    Parameter,
    check_parameters,
    load_notebook,
    notebook_parameters,
)
from rstan_lite.lab.sweep.description import Description
from rstan_lite.lab.sweep.jobs import Job, job_name, shown
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import nearest, one_of
from rstan_lite.training.config import TrainConfig, value_types
from rstan_lite.training.profiles import parsed, resolve
from rstan_lite.training.profiles import shown as as_option

TRAIN = "train"
NAMES = ("profile", "variant")  # beside the options of a run
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def plan(description: Description, out: Path) -> list[Job]:
    """The jobs of a sweep, in the order of its grids; each one's folder lies in `out`.

    Raises ConfigError or NotebookError for an unknown parameter, a value that it can't have, and
    for two jobs that would be the same run.
    """
    notebook = description.run != TRAIN
    if notebook and not description.run.endswith(".ipynb"):
        raise ConfigError(
            "rstan-lite sweep", repr(description.run), "a notebook (.ipynb), a file, or train"
        )
    make = _Notebook(description.run) if notebook else _Train()
    jobs: dict[str, Job] = {}
    for varied, values in description.points():
        given = make.checked(values)
        name = job_name({key: given[key] for key in varied}, make.identity(given))
        same = make.effective(given)
        job = Job(
            kind="notebook" if notebook else TRAIN,
            name=name,
            folder=str(out.absolute() / name),
            parameters=given,
            shown={key: shown(value) for key, value in given.items()},
            target=str(Path(description.run).absolute()) if notebook else "",
            command=make.command(given, out / name),
            cwd=os.getcwd(),
            cache=str(Path(os.environ["RSTAN_CACHE"]).absolute())
            if os.environ.get("RSTAN_CACHE")
            else "",
        )
        if same in jobs:
            raise ConfigError(
                "the grid",
                f"{name} and {jobs[same].name}, which are the same run",
                "each run once",
                "A value that is the default may be left out, or stand in one grid alone.",
            )
        jobs[same] = job
    return list(jobs.values())


def notebook_digest(path: str) -> str:
    """A hash of a notebook's code, which its finished jobs depend on."""
    cells = load_notebook(path)["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:12]


class _Notebook:
    """Parameters of a notebook."""

    def __init__(self, path: str):
        self.path, self.declared = path, notebook_parameters(path)

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if "out" in values:
            raise ConfigError("-p", "out", "other names: each job has a folder of its own as `out`")
        found = check_parameters(self.path, self.declared, values)
        return dict(json.loads(json.dumps(found)))

    def identity(self, given: Mapping[str, Any]) -> Any:
        return given

    def effective(self, given: Mapping[str, Any]) -> str:
        defaults = {parameter.name: parameter.default for parameter in self.declared}
        return json.dumps({**defaults, **given}, sort_keys=True)

    def command(self, given: Mapping[str, Any], folder: Path) -> str:
        words = ["rstan-lite", "run", self.path, "--output", str(folder / Path(self.path).name)]
        for name, value in given_out(self.declared, given, folder).items():
            words += ["-p", f"{name}={value}"]
        return shlex.join(words)


def given_out(
    declared: list[Parameter], given: Mapping[str, Any], folder: Path | str
) -> dict[str, Any]:
    """The parameters of a notebook job: those given, and its folder where it has an `out`."""
    takes = any(parameter.name == "out" for parameter in declared)
    return {**given, "out": str(folder)} if takes else dict(given)


def executed_copy(notebook: str, folder: str) -> Path:
    """Where a job's executed notebook lies."""
    return default_output(notebook, {"out": folder})


class _Train:
    """Options of `rstan-lite train`."""

    def __init__(self) -> None:
        self.types = value_types()
        self.places = {f.name for f in fields(TrainConfig) if f.metadata.get("place")}

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        names = (*NAMES, *self.types)
        for name in values:
            if name not in names:
                raise ConfigError(
                    "--grid", f"the option {name!r}", one_of(names), nearest(name, names)
                )
        return {name: self._value(name, value) for name, value in values.items()}

    def _value(self, name: str, value: Any) -> Any:
        """A value as JSON holds it: text of the command line by its option's type."""
        kind = self.types.get(name, str)
        if kind is tuple:
            text = value.strip("()[] ") if isinstance(value, str) else value
            return list(parsed(name, text, tuple)) if isinstance(text, str) else list(text)
        if kind is bool and isinstance(value, str):
            if value.lower() not in _TRUE + _FALSE:
                raise ConfigError("--" + name.replace("_", "-"), repr(value), "true or false")
            return value.lower() in _TRUE
        if isinstance(value, str):
            return parsed(name, value, kind)
        return float(value) if kind is float and type(value) is int else value

    def identity(self, given: Mapping[str, Any]) -> Any:
        return {name: value for name, value in given.items() if name not in self.places}

    def effective(self, given: Mapping[str, Any]) -> str:
        config = asdict(train_config(given))
        return json.dumps(self.identity(config), sort_keys=True)

    def command(self, given: Mapping[str, Any], folder: Path) -> str:
        words = ["rstan-lite", TRAIN]
        for name, value in given.items():
            flag = name.replace("_", "-")
            if isinstance(value, bool):
                words += [f"--{flag}" if value else f"--no-{flag}"]
            else:
                text = as_option(tuple(value) if isinstance(value, list) else value)
                words += [f"--{flag}", "" if value == "" else text]
        return shlex.join([*words, "--out", str(folder)])


def train_config(given: Mapping[str, Any]) -> TrainConfig:
    """The configuration of a train job's parameters; ConfigError."""
    options = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if name not in NAMES
    }
    return resolve(given.get("profile", "course"), options, given.get("variant"))
