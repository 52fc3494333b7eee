"""Scores of any system for named clips, from .npz or CSV, and what makes them comparable."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from rstan_lite.data.video import VIDEOS
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import check_regular, disk_errors
from rstan_lite.system.settings import check_choice
from rstan_lite.training import run_folder
from rstan_lite.training.run_folder import Predictions

UNKNOWN = -1  # the label of a clip whose file does not say it
ENDINGS = (".npz", ".csv")
UNLABELLED = ("names", "scores", "classes")
ARRAYS = ("names", "labels", "scores", "classes")
NPZ = "arrays names (n,), scores (n, C) and classes (C,), without objects"
MAKE_NPZ = "Make them by np.savez(file, names=[...], scores=np.stack([...]), classes=[...])."
MAX_ARRAYS = 2**30  # bytes of a file of predictions: a million clips of a hundred classes take half
# What becomes of scores that are no probabilities; those that are stay as they are.
NORMALISE = ("softmax", "standardise", "none")


def read_scores(source: Path, part: str = "test") -> Predictions:
    """A system's scores of a part: any finite numbers, labels UNKNOWN where the file has none.

    source: a run folder, or the file of the test part (.npz of names, scores, classes and perhaps
    labels; CSV with a header `clip,<class>,<class>,...`, with semicolons and decimal commas, too,
    as spreadsheets save it). The validation part's file lies beside it: `test` in its name becomes
    `validation`, else `_validation` is put behind.
    A folder before a clip's name and a video's ending behind it are left out; rows of per cent
    become shares of one.
    Raises CheckpointError for a missing or damaged file, a clip or class twice, or a score that is
    not finite, naming it; ConfigError for another kind of file.
    """
    path = _file(source, part)
    is_csv = path.suffix.lower() == ".csv"
    found = _read_csv(path) if is_csv else _read_npz(path, UNLABELLED, NPZ, MAKE_NPZ)
    names = tuple(_clip_name(name) for name in found.names)
    scores = found.scores / 100 if are_probabilities(found.scores / 100) else found.scores
    found = replace(found, names=names, scores=scores)
    for what, names in (("clip", found.names), ("class", found.classes)):
        if names and (most := Counter(names).most_common(1)[0])[1] > 1:
            raise CheckpointError(path, f"the {what} {most[0]} twice", f"each {what} once")
    bad = ~np.isfinite(found.scores).all(1)
    if bad.any():
        name = found.names[int(bad.argmax())]
        raise CheckpointError(path, f"a score of {name} that is not finite", "finite numbers")
    return found


def read_predictions(path: Path) -> Predictions:
    """The predictions of a run, with labels. Raises CheckpointError for anything else."""
    found = _read_npz(path, ARRAYS, "the predictions of a run")
    if not np.isfinite(found.scores).all():
        raise CheckpointError(path, "scores that are not finite", "one finite row a clip")
    return found


def _read_npz(path: Path, needed: Sequence[str], expected: str, hint: str = "") -> Predictions:
    """Predictions from an .npz file without pickled objects; CheckpointError where unfit."""
    check_regular(path, CheckpointError, expected)
    try:
        with np.load(path, allow_pickle=False) as file:
            size = sum(entry.file_size for entry in file.zip.infolist())
            if size > MAX_ARRAYS:
                raise ValueError(f"{size} bytes once unpacked, more than {MAX_ARRAYS}")
            arrays = {name: file[name] for name in file.files}
        if lacking := sorted(set(needed) - arrays.keys()):
            raise ValueError(f"no array {', '.join(lacking)}")
    except Exception as error:  # zipfile and zlib raise their own kinds for damaged archives
        raise CheckpointError(path, f"an unfit file ({error})", expected, hint) from error
    arrays.setdefault("labels", np.full(arrays["names"].size, UNKNOWN))
    names, labels, scores, classes = (arrays[name] for name in ARRAYS)
    for name in ("names", "classes"):
        if arrays[name].ndim != 1 or arrays[name].dtype.kind != "U":
            found = f"{name} of shape {arrays[name].shape}, type {arrays[name].dtype}"
            raise CheckpointError(path, found, f"{name} as a row of texts")
    fits = scores.shape == (len(names), len(classes)) and labels.shape == (len(names),)
    if not fits or labels.dtype.kind != "i" or scores.dtype.kind != "f":
        found = f"scores {scores.shape} for {len(names)} names and {len(classes)} classes"
        raise CheckpointError(path, found, "one row a clip, one column a class")
    if len(labels) and not -1 <= labels.min() <= labels.max() < len(classes):
        found = f"labels from {labels.min()} to {labels.max()}"
        raise CheckpointError(path, found, f"indices of {len(classes)} classes, or -1: not known")
    return Predictions(tuple(names.tolist()), labels, scores, tuple(classes.tolist()))


def write_csv(path: Path, predictions: Predictions) -> None:
    """Scores as CSV, `clip,<class>,...`, for other programs; labels are left out."""
    columns, names = list(predictions.classes), list(predictions.names)
    table = pd.DataFrame(predictions.scores, names, columns)
    text = table.to_csv(index_label="clip", float_format="%.9g", lineterminator="\n")
    write_atomically(path, text.encode())


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether every row of (n, C) is one of probabilities."""
    sums = scores.astype(np.float64).sum(1)
    return bool((scores >= 0).all() and np.allclose(sums, 1, atol=1e-3))


def normalise(scores: np.ndarray, how: str) -> np.ndarray:
    """Rows (n, C) made comparable with probabilities, float64, each by itself.

    how: "softmax" for logits; "standardise" for margins of any size, as of an SVM: each row is
    brought to mean 0 and standard deviation 1 before the softmax; "none" leaves them as they are.
    """
    x = scores.astype(np.float64)
    check_choice("--normalise", how, NORMALISE)
    if how == "none":
        return x
    if how == "standardise":
        spread = x.std(1, keepdims=True)
        x = (x - x.mean(1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(softmax(x, axis=1))


def _file(source: Path, part: str) -> Path:
    """The file of a part; CheckpointError where there is none."""
    with disk_errors(CheckpointError, source, "a run folder or a file of scores"):
        if source.is_dir() or not source.suffix:
            stem = Path(run_folder.PREDICTIONS[part]).stem
            for ending in ENDINGS:
                if (path := source / f"{stem}{ending}").is_file():
                    return path
            found = f"no {stem}.npz nor {stem}.csv"
            raise CheckpointError(source, found, "the folder of a finished run")
        if source.suffix.lower() not in ENDINGS:
            raise ConfigError("fuse", str(source), "a run folder, an .npz or a .csv file of scores")
        path, hint = source, ""
        if part != "test":
            name, times = re.subn(r"(?<![a-z])test(?![a-z])", part, source.stem)
            path = source.with_name((name if times else f"{name}_{part}") + source.suffix)
            hint = f"It stands beside {source.name}, which is of the test."
        if not path.is_file():
            raise CheckpointError(path, "no such file", f"scores of the {part} clips", hint)
        return path


def _clip_name(text: str) -> str:
    """The name of a clip as lists have it, of `<class>/<clip>.avi` as other programs write it."""
    name = text.replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    return (stem if f"{dot}{ending.lower()}" in VIDEOS else name) or text


def _read_csv(path: Path) -> Predictions:
    expected = "'clip,<class>,<class>,...', then a name and finite numbers in every line"
    check_regular(path, CheckpointError, expected, most=MAX_ARRAYS)
    try:
        with path.open(encoding="utf-8-sig") as file:
            excel = file.read(5) == "clip;"  # then a comma may stand in the numbers
        # without a header: pandas would rename a class that stands twice
        how: dict[str, Any] = {"header": None, "dtype": str, "keep_default_na": False}
        table = pd.read_csv(path, sep=";" if excel else ",", encoding="utf-8-sig", **how)
        (head, *classes), texts = table.iloc[0], table.iloc[1:, 1:]
        if head != "clip" or not classes:
            raise ValueError(f"the header {head!r}")
        numbers = texts.replace({",": "." if excel else ",", "%": ""}, regex=True)
        scores = numbers.to_numpy(np.float32)
    except (OSError, ValueError) as error:
        raise CheckpointError(path, f"an unreadable file ({error})"[:300], expected) from error
    names = tuple(table[0][1:])
    return Predictions(names, np.full(len(names), UNKNOWN), scores, tuple(classes))
