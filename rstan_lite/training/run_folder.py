"""The run folder: what it holds, and how it is begun, continued and read."""

import csv
import io
import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

import rstan_lite
from rstan_lite.model import RSTAN, RSTANConfig
from rstan_lite.system import machine
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import MOST, check_regular, disk_errors, read_json
from rstan_lite.system.settings import check_count
from rstan_lite.system.tensor_files import load_weights, read_state
from rstan_lite.training.checkpoint import RESUME, EpochLog, Versions
from rstan_lite.training.config import TrainConfig, differences, read_config

CONFIG, METRICS, CONFUSION, LOG = "config.json", "metrics.json", "confusion.csv", "log.csv"
WEIGHTS, DESCRIPTION = "checkpoint.safetensors", "checkpoint.json"
PREDICTIONS = {"test": "predictions.npz", "validation": "predictions_validation.npz"}
_PACKAGES = ("torch", "torchvision", "numpy", "av", "opencv-contrib-python-headless",
             "safetensors", "scikit-learn")  # fmt: skip


def check(folder: Path, config: TrainConfig) -> None:
    """Raise ConfigError where a folder holds work of other settings, naming those that differ.

    A folder in which nothing was saved yet, say after a wrong path, may still be begun anew.
    """
    path = folder / CONFIG
    results = any((folder / name).exists() for name in (METRICS, WEIGHTS))
    if not results and not Versions(folder / RESUME).exists():
        return
    if not path.exists():
        raise ConfigError(folder, f"results without {CONFIG}", "an empty folder or a run's")
    if differing := differences(read_config(path), config):
        found = "a run with " + ", ".join(f"{k} {old!r}" for k, (old, _) in differing.items())
        expected = ", ".join(f"{k} {new!r}" for k, (_, new) in differing.items())
        hint = "Give another --out folder, or the settings that this run began with."
        raise ConfigError(folder, found, expected, hint)


def write_config(folder: Path, config: TrainConfig) -> None:
    """Write config.json, which makes the folder a run's. See `check` for what may be there."""
    write_atomically(folder / CONFIG, f"{json.dumps(asdict(config), indent=2)}\n".encode())


def write_json(path: Path, value: Any) -> None:
    """A JSON file, whole or not at all."""
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """What a finished run measured; None where it is not finished. CheckpointError if damaged."""
    path = folder / METRICS
    with disk_errors(CheckpointError, path, "a run folder"):
        if not path.exists():
            return None
    metrics = read_json(path, CheckpointError, "the metrics of a run")
    if not isinstance(metrics, dict):
        raise CheckpointError(path, f"a {type(metrics).__name__}", "the metrics of a run")
    return metrics


@dataclass(frozen=True)
class Predictions:
    """Scores of n named clips, (n, C) float32; a run's rows sum to one.

    labels: (n,) int64, indices into classes; -1 where another system's file does not say it.
    """

    names: tuple[str, ...]
    labels: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]


def write_predictions(path: Path, predictions: Predictions) -> None:
    """An .npz of arrays names, labels, scores, classes, without pickled objects."""
    buffer = io.BytesIO()
    names, classes = (np.array(x, np.str_) for x in (predictions.names, predictions.classes))
    labels, scores = predictions.labels.astype(np.int64), predictions.scores.astype(np.float32)
    np.savez(buffer, names=names, labels=labels, scores=scores, classes=classes)
    write_atomically(path, buffer.getvalue())


def write_confusion(path: Path, counts: torch.Tensor, classes: Sequence[str]) -> None:
    """The confusion matrix: a row for each true class, a column for each predicted one."""
    rows = ([name, *row] for name, row in zip(classes, counts.tolist(), strict=True))
    _write_csv(path, [["true class", *classes], *rows])


def _write_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_atomically(path, text.getvalue().encode())


@dataclass(frozen=True)
class Description:
    """What stands beside a model's weights: what it is, what it was fed, what it names.

    model: the RSTANConfig. head, classes: the classifier that predicts, and its names; second_*:
    those of a second data set. scales: see ClipFeatures.
    networks: each stream's weights file and its hash. best_epoch: the epoch that was chosen.
    short_side: of the training clips' frames in pixels, at which a video's flow is computed; 0:
    not known. data: the data set's identity. code: see `FeatureSettings.code_of`. replaced: the
    network's functions in whose place the user put others, see `settings.replaced`.
    """

    model: dict[str, Any]
    head: str
    classes: tuple[str, ...]
    scales: dict[str, tuple[float, float]]
    networks: dict[str, tuple[str, str]]
    best_epoch: int
    versions: dict[str, str]
    second_head: str = ""
    second_classes: tuple[str, ...] = ()
    short_side: int = 0
    data: str = ""
    code: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)


def save_model(folder: Path, model: RSTAN, description: Description) -> None:
    """Write `checkpoint.safetensors` and `checkpoint.json` into a run folder."""
    weights = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    write_atomically(folder / WEIGHTS, save(weights))
    write_json(folder / DESCRIPTION, asdict(description))


def load_model(folder: Path) -> tuple[RSTAN, Description]:
    """The chosen model of a finished run, in evaluation mode; CheckpointError if damaged."""
    for name in (DESCRIPTION, WEIGHTS):
        if not (folder / name).is_file():
            hint = "Finish it with the `rstan-lite train` command that began it."
            raise CheckpointError(folder, f"no {name}", "the folder of a finished run", hint)
    values = read_json(folder / DESCRIPTION, CheckpointError, "a model's description")
    try:
        values["classes"] = tuple(values["classes"])
        values["second_classes"] = tuple(values.get("second_classes", ()))
        values["scales"] = {k: (float(a), float(b)) for k, (a, b) in values["scales"].items()}
        for name in ("code", "replaced"):
            values[name] = {k: str(v) for k, v in values.get(name, {}).items()}
        values["networks"] = {k: (str(a), str(b)) for k, (a, b) in values["networks"].items()}
        description = Description(**values)
        _check(description)
        with torch.device("meta"):  # sizes alone: whatever they are, they take no memory
            model = RSTAN(RSTANConfig(**description.model))
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, ConfigError) as error:
        found = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise CheckpointError(folder / DESCRIPTION, found, "a model's description") from error
    load_weights(model, read_state(folder / WEIGHTS), str(folder / WEIGHTS), "this run's model")
    return model.eval(), description


def _check(description: Description) -> None:
    """Raise ValueError where the parts of a description do not fit each other."""
    heads, second = description.model["heads"], description.second_head
    pairs = (description.head, description.classes), (second, description.second_classes)
    for head, classes in pairs:
        named = all(isinstance(name, str) for name in classes)
        if not named or len(set(classes)) < len(classes):
            raise ValueError("classes that are no different names")
        if (head or classes) and heads.get(head) != len(classes):
            raise ValueError(f"{len(classes)} classes of {head!r}, and heads {heads}")
    check_count("short_side", description.short_side, 0)
    if not all(0 < x < float("inf") for pair in description.scales.values() for x in pair):
        raise ValueError(f"scales {description.scales}")


def write_log(path: Path, rows: Sequence[EpochLog]) -> None:
    """All epochs so far, replacing the file; an absent value is an empty cell."""
    _write_csv(path, [[spec.name for spec in fields(EpochLog)], *map(astuple, rows)])


def read_log(path: Path) -> list[EpochLog]:
    """The epochs of a run's log.csv; CheckpointError where it is not one."""
    kinds: dict[str, Any] = {"epoch": int, "iteration": int}
    rows: list[EpochLog] = []
    check_regular(path, CheckpointError, "the log.csv of a run", most=MOST)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                values: dict[str, Any] = {k: kinds.get(k, float)(v) for k, v in row.items() if v}
                rows.append(EpochLog(**{**dict.fromkeys(row), **values}))
        return rows
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise CheckpointError(path, str(error), "the log.csv of a run") from error


def versions() -> dict[str, str]:
    """Versions of Python, the package and what its numbers depend on."""
    found = {"python": platform.python_version(), "rstan_lite": rstan_lite.__version__}
    return found | {name: known for name, known in machine.versions(_PACKAGES).items() if known}
