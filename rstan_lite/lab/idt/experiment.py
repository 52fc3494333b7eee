"""iDT-FV on a data set's split: trajectories to numbers in a run folder, ready to be fused."""

from __future__ import annotations

import importlib.metadata
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rstan_lite.data.jhmdb import JHMDB, Clip
from rstan_lite.features.store import Store
from rstan_lite.lab.idt.classify import fit_temperature, margins, probabilities
from rstan_lite.lab.idt.descriptors import NAMES
from rstan_lite.lab.idt.encoding import EncodingSettings
from rstan_lite.lab.idt.extract import descriptor_store, fill_descriptors
from rstan_lite.lab.idt.fisher_store import fill_fisher, fisher_store, vectors
from rstan_lite.lab.idt.libraries import MODULES, check_libraries
from rstan_lite.lab.idt.trajectories import TrackSettings
from rstan_lite.lab.scores import write_csv
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import alone, clear_parts, write_atomically
from rstan_lite.system.reading import read_json
from rstan_lite.training import run_folder as runs
from rstan_lite.training.evaluation import accuracy, confusion, per_class
from rstan_lite.training.run_folder import Predictions

CSV = {"test": "predictions.csv", "validation": "predictions_validation.csv"}


@dataclass(frozen=True)
class IdtConfig:
    """Everything that a run's numbers depend on, besides the clips' bytes.

    split, missing, damaged, validation: see `JHMDB`. components, costs: the numbers of Gaussians
    and the weights of the SVM's errors among which the validation part chooses. tracks, encoding:
    of trajectories and Fisher vectors; components stand in for those of `encoding`.
    Raises ConfigError.
    """

    root: str
    split: int = 1
    missing: str = "error"
    damaged: str = "error"
    validation: float = 0.1
    components: tuple[int, ...] = (64, 128, 256)
    costs: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0)
    tracks: TrackSettings = field(default_factory=TrackSettings)
    encoding: EncodingSettings = field(default_factory=EncodingSettings)

    def __post_init__(self) -> None:
        if self.validation == 0:
            raise ConfigError("--validation", "0", "clips to choose the settings on")
        for name in ("components", "costs"):
            values = getattr(self, name)
            if not values or min(values) <= 0:
                raise ConfigError(f"--{name}", repr(values), "one positive number or more")


@dataclass(frozen=True)
class Choice:
    """What validation chose: K, the SVM's C, and the accuracy there."""

    components: int
    cost: float
    accuracy: float


def run(
    config: IdtConfig, out: Path, cache: str | Path, workers: int = 2, progress: bool = True
) -> dict[str, Any]:
    """Extract, encode, choose on validation, test, and write a run folder.

    The same call goes on where an interrupted one stopped, and only reports where one finished.
    Codebooks and the SVMs that choose are fitted to the training part; the SVMs that are tested,
    with the chosen settings, to the whole training list.
    Returns the content of metrics.json.
    Raises ConfigError (libraries, a folder of another run), BusyError (another process works in
    it), DataError (clips), StoreError (disk).
    """
    check_libraries()
    _check(out, config)
    done = runs.read_metrics(out)
    if done is not None:
        return done
    with alone(out, "an iDT-FV run"):
        clear_parts(out)
        return _run(config, out, cache, workers, progress)


def _run(
    config: IdtConfig, out: Path, cache: str | Path, workers: int, progress: bool
) -> dict[str, Any]:
    """`run`, once no other process can be in the folder."""
    began = time.monotonic()
    data = JHMDB(
        config.root, config.split, config.missing, config.validation, damaged=config.damaged
    )
    if not data.validation:
        raise ConfigError("--validation", "no clip in that part", "a larger share")
    clips = data.train + data.validation + data.test
    descriptors = descriptor_store(data, cache, config.tracks)
    fill_descriptors(descriptors, data, clips, workers)
    clips = data.train + data.validation + data.test  # without those that were left out
    write_atomically(out / runs.CONFIG, _json(config))
    kernels = {
        count: _kernel(config, count, descriptors, cache, data, progress)
        for count in config.components
    }
    choice, margin = _choose(config, kernels, data)
    kernel = kernels[choice.components]
    truth = _labels(data.validation)
    temperature = fit_temperature(margin, truth)
    listed = len(data.train) + len(data.validation)  # rows of the kernel: train, validation, test
    test = margins(
        kernel[:listed, :listed],
        _labels(clips[:listed]),
        kernel[listed:, :listed],
        data.classes,
        choice.cost,
    )
    parts = {"validation": (data.validation, margin), "test": (data.test, test)}
    for part, (found, values) in parts.items():
        _write(out, part, found, probabilities(values, temperature), data.classes)
    counts = {clip.name: len(descriptors.read(clip, NAMES[0])) for clip in clips}
    scores, labels = torch.from_numpy(test), torch.from_numpy(_labels(data.test))
    runs.write_confusion(out / runs.CONFUSION, confusion(scores, labels), data.classes)
    metrics = {
        "test_accuracy": accuracy(scores, labels),
        "per_class": per_class(scores, labels, data.classes),
        "n_test": len(data.test),
        "validation_accuracy": choice.accuracy,
        "n_validation": len(data.validation),
        "n_train": len(data.train),
        "missing_clips": list(data.missing),
        "damaged_clips": data.damaged,
        "components": choice.components,
        "cost": choice.cost,
        "temperature": temperature,
        "trajectories_a_clip": float(np.mean(list(counts.values()))),
        "clips_without_trajectories": [name for name, count in counts.items() if not count],
        "seconds": round(time.monotonic() - began, 1),
        "seed": config.encoding.seed,
        "versions": runs.versions() | {n: importlib.metadata.version(n) for n in MODULES},
    }
    runs.write_json(out / runs.METRICS, metrics)
    return metrics


def _json(config: IdtConfig) -> bytes:
    return (json.dumps(asdict(config), indent=2) + "\n").encode()


def _check(out: Path, config: IdtConfig) -> None:
    """Raise ConfigError where a folder holds results of another run, naming what differs."""
    path = out / runs.CONFIG
    if not path.exists():
        return
    found = read_json(path, ConfigError, "a run's config.json")
    if not isinstance(found, dict):
        raise ConfigError(path, type(found).__name__, "an object of options")
    wanted = json.loads(_json(config))
    found = {"damaged": "error"} | found  # earlier versions knew no other way
    names = sorted(n for n in {*found, *wanted} if found.get(n) != wanted.get(n))
    if names:
        raise ConfigError(
            out,
            "a run with " + ", ".join(f"{name} {found.get(name)!r}" for name in names),
            ", ".join(f"{name} {wanted.get(name)!r}" for name in names),
            "Give another --out folder, or the settings that this run began with.",
        )


def _labels(clips: Sequence[Clip]) -> np.ndarray:
    return np.array([clip.label for clip in clips], dtype=np.int64)


def _kernel(
    config: IdtConfig,
    components: int,
    descriptors: Store,
    cache: str | Path,
    data: JHMDB,
    progress: bool,
) -> np.ndarray:
    """Dot products of all clips' Fisher vectors, float64 (n, n): train, validation, test.

    The kinds of descriptors are concatenated, so their dot products add up.
    """
    clips = data.train + data.validation + data.test
    settings = replace(config.encoding, components=components)
    store = fisher_store(descriptors, cache, data.train, settings)
    fill_fisher(store, descriptors, data.train, clips, settings, progress)
    kernel = np.zeros((len(clips), len(clips)))
    for name in NAMES:
        rows = vectors(store, clips, name)
        kernel += rows @ rows.T
    return kernel


def _choose(
    config: IdtConfig, kernels: dict[int, np.ndarray], data: JHMDB
) -> tuple[Choice, np.ndarray]:
    """The settings with the best validation accuracy, and their margins there, (n, C).

    Ties go to fewer components, then to the smaller weight of errors.
    """
    n, m = len(data.train), len(data.validation)
    truth = torch.from_numpy(_labels(data.validation))
    tried = []
    for components in sorted(kernels):
        kernel = kernels[components]
        for cost in sorted(config.costs):
            margin = margins(
                kernel[:n, :n], _labels(data.train), kernel[n : n + m, :n], data.classes, cost
            )
            right = accuracy(torch.from_numpy(margin), truth) or 0.0
            tried.append((Choice(components, cost, right), margin))
    return max(tried, key=lambda pair: pair[0].accuracy)  # the first of equals


def _write(
    out: Path, part: str, clips: Sequence[Clip], scores: np.ndarray, classes: tuple[str, ...]
) -> None:
    """Predictions of a part, as an archive and as a table."""
    names = tuple(clip.name for clip in clips)
    predictions = Predictions(names, _labels(clips), scores, classes)
    runs.write_predictions(out / runs.PREDICTIONS[part], predictions)
    write_csv(out / CSV[part], predictions)
