"""iDT-FV on a split: linear SVMs on Fisher vectors, and a run folder ready to be fused."""

import importlib.metadata
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.svm import SVC

from rstan_lite.data.clips import Clip
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.lab.idt.descriptors import NAMES, descriptor_store, fill_descriptors
from rstan_lite.lab.idt.encoding import LIBRARIES, EncodingSettings, check_libraries, fisher_kernel
from rstan_lite.lab.idt.trajectories import TrackSettings
from rstan_lite.lab.scores import write_csv
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.files import alone, clear_parts
from rstan_lite.system.reading import read_json
from rstan_lite.training import run_folder
from rstan_lite.training.evaluation import accuracy, confusion, per_class
from rstan_lite.training.run_folder import Predictions

LOG_TEMPERATURE = (-6.0, 4.0)  # where it is sought
CSV = {"test": "predictions.csv", "validation": "predictions_validation.csv"}


def margins(
    kernel: np.ndarray, labels: np.ndarray, rows: np.ndarray, classes: Sequence[str], c: float
) -> np.ndarray:
    """Each class's margins, float64 (m, C), by linear SVMs of one against the rest, in the dual.

    kernel: (n, n), dot products of the training clips. labels: int (n,). rows: (m, n), of the clips
    in question with these. c: weight of the errors. DataError for a class of no or all training
    clips.
    """
    found = np.zeros((len(rows), len(classes)))
    for label, name in enumerate(classes):
        own = labels == label
        if own.all() or not own.any():
            clips = f"{own.sum()} of the {len(own)} training clips"
            raise DataError(name, clips, "some, but not all")
        if len(rows):
            machine = SVC(C=c, kernel="precomputed").fit(kernel, own)
            found[:, label] = machine.decision_function(rows)
    return found


def fit_temperature(margin: np.ndarray, labels: np.ndarray) -> float:
    """The temperature at which the margins' softmax gives labels (n,) the highest likelihood.

    Guo et al., On calibration of modern neural networks (ICML 2017), with margins (n, C) for
    logits, of clips that the SVMs were not fitted to.
    """

    def loss(log_temperature: float) -> float:
        scores = log_softmax(margin / np.exp(log_temperature), axis=1)
        return -float(scores[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURE, method="bounded").x))


def probabilities(margin: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of margins (n, C) over a temperature, float32; rows sum to one."""
    return softmax(margin / temperature, axis=1).astype(np.float32)


@dataclass(frozen=True)
class IdtConfig:
    """Everything that a run's numbers depend on, besides the clips' bytes; raises ConfigError.

    split, missing, damaged, validation: see `JHMDB`. components, costs: the numbers of Gaussians
    (in the place of `encoding`'s) and the SVM's C among which the validation part chooses.
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
            if not values or not all(0 < value < np.inf for value in values):
                raise ConfigError(f"--{name}", repr(values), "one positive number or more")


def run(
    config: IdtConfig, out: Path, cache: str | Path, workers: int = 2, progress: bool = True
) -> dict[str, Any]:
    """Extract, encode, choose on validation, test, and write a run folder.

    The same call continues an interrupted one, and only reports where one finished. Codebooks and
    the SVMs that choose are fitted to the training part; the SVMs that are tested, with the chosen
    settings, to the whole training list.
    Returns the content of metrics.json. Raises ConfigError (libraries, a folder of another run),
    BusyError (another process works in it), DataError (clips), StoreError (disk).
    """
    check_libraries()
    _check(out, config)
    if (done := run_folder.read_metrics(out)) is not None:
        return done
    with alone(out, "an iDT-FV run"):
        clear_parts(out)
        return _run(config, out, cache, workers, progress)


def _run(
    config: IdtConfig, out: Path, cache: str | Path, workers: int, progress: bool
) -> dict[str, Any]:
    began = time.monotonic()
    given = config.split, config.missing, config.validation
    data = JHMDB(config.root, *given, damaged=config.damaged)
    data.check_training()
    if not data.validation:
        raise ConfigError("--validation", "no clip in that part", "a larger share")
    clips = data.train + data.validation + data.test
    descriptors = descriptor_store(data, cache, config.tracks)
    fill_descriptors(descriptors, data, clips, workers, progress)
    clips = data.train + data.validation + data.test  # without those that were left out
    run_folder.write_json(out / run_folder.CONFIG, asdict(config))
    chosen = {count: replace(config.encoding, components=count) for count in config.components}
    how = data.train, clips
    kernels = {k: fisher_kernel(descriptors, *how, one, progress) for k, one in chosen.items()}
    right, components, cost, margin = _choose(config, kernels, data)
    temperature = fit_temperature(margin, _labels(data.validation))
    kernel, n = kernels[components], len(data.train) + len(data.validation)  # then the test clips
    test = margins(kernel[:n, :n], _labels(clips[:n]), kernel[n:, :n], data.classes, cost)
    parts = {"validation": (data.validation, margin), "test": (data.test, test)}
    for part, (found, values) in parts.items():
        names, scores = tuple(clip.name for clip in found), probabilities(values, temperature)
        predictions = Predictions(names, _labels(found), scores, data.classes)
        run_folder.write_predictions(out / run_folder.PREDICTIONS[part], predictions)
        write_csv(out / CSV[part], predictions)
    counts = {clip.name: len(descriptors.read(clip, NAMES[0])) for clip in clips}
    tested, labels = torch.from_numpy(test), torch.from_numpy(_labels(data.test))
    run_folder.write_confusion(out / run_folder.CONFUSION, confusion(tested, labels), data.classes)
    metrics = {
        "test_accuracy": accuracy(tested, labels),
        "per_class": per_class(tested, labels, data.classes),
        "n_test": len(data.test),
        "validation_accuracy": right,
        "n_validation": len(data.validation),
        "n_train": len(data.train),
        "missing_clips": list(data.missing),
        "damaged_clips": data.damaged,
        "components": components,
        "cost": cost,
        "temperature": temperature,
        "trajectories_a_clip": float(np.mean(list(counts.values()))),
        "clips_without_trajectories": [name for name, count in counts.items() if not count],
        "seconds": round(time.monotonic() - began, 1),
        "seed": config.encoding.seed,
        "versions": run_folder.versions() | {n: importlib.metadata.version(n) for n in LIBRARIES},
    }
    run_folder.write_json(out / run_folder.METRICS, metrics)
    return metrics


def _check(out: Path, config: IdtConfig) -> None:
    """Raise ConfigError where a folder holds results of another run."""
    path = out / run_folder.CONFIG
    if path.exists():
        found = read_json(path, ConfigError, "a run's config.json")
        wanted = json.loads(json.dumps(asdict(config)))
        if found != wanted:
            hint = "Give another --out folder, or the settings that this run began with."
            raise ConfigError(path, f"{found}", f"{wanted}", hint)


def _labels(clips: Sequence[Clip]) -> np.ndarray:
    return np.array([clip.label for clip in clips], dtype=np.int64)


def _choose(
    config: IdtConfig, kernels: dict[int, np.ndarray], data: JHMDB
) -> tuple[float, int, float, np.ndarray]:
    """The best validation accuracy, the K and C that gave it, and their margins there, (n, C).

    Ties go to fewer components, then to the smaller weight of errors.
    """
    n, m = len(data.train), len(data.validation)
    labels, truth = _labels(data.train), torch.from_numpy(_labels(data.validation))
    tried = []
    for components, cost in product(sorted(kernels), sorted(config.costs)):
        kernel = kernels[components]
        margin = margins(kernel[:n, :n], labels, kernel[n : n + m, :n], data.classes, cost)
        right = accuracy(torch.from_numpy(margin), truth) or 0.0
        tried.append((right, components, cost, margin))
    return max(tried, key=lambda found: found[0])  # the first of equals
