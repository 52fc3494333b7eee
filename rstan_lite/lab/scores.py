"""Scores of any system for named clips, and late fusion: their average on the same clips."""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax

from rstan_lite.data.own_clips import clip_name
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import check_regular, disk_errors
from rstan_lite.system.settings import check_choice
from rstan_lite.training import run_folder
from rstan_lite.training.evaluation import confusion, per_class
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
ROUNDED = 0.05  # how far from one the sum of rounded shares may lie; logits are not all there
SHOWN = 5  # names of clips in a complaint
STEPS = 10  # weights are tried in tenths
MOST = 6  # systems whose weights are searched: 3003 combinations of tenths
VALIDATION = "validation"  # chosen there, of weights and of ways to normalise


def read_scores(source: Path, part: str = "test") -> Predictions:
    """A system's scores of a part: any finite numbers, labels UNKNOWN where the file has none.

    source: a run folder, or the file of the test part (.npz of names, scores, classes and perhaps
    labels; CSV with a header `clip,<class>,<class>,...`, with semicolons and decimal commas, too,
    as spreadsheets save it). The validation part's file lies beside it: `test` in its name becomes
    `validation`, else `_validation` is put behind.
    A folder before a clip's name and a video's ending behind it are left out; rows of per cent, and
    rounded shares, become shares of one.
    Raises CheckpointError for a missing or damaged file, a clip or class twice, or a score that is
    not finite, naming it; ConfigError for another kind of file.
    """
    path = _file(source, part)
    is_csv = path.suffix.lower() == ".csv"
    found = _read_csv(path) if is_csv else _read_npz(path, UNLABELLED, NPZ, MAKE_NPZ)
    names = tuple(clip_name(name) or name for name in found.names)
    found = replace(found, names=names, scores=_shares(found.scores))
    for what, names in (("clip", found.names), ("class", found.classes)):
        if names and (most := Counter(names).most_common(1)[0])[1] > 1:
            raise CheckpointError(path, f"the {what} {most[0]} twice", f"each {what} once")
    bad = ~np.isfinite(found.scores).all(1)
    if bad.any():
        name = found.names[int(bad.argmax())]
        raise CheckpointError(path, f"a score of {name} that is not finite", "finite numbers")
    return found


def read_predictions(path: str | Path) -> Predictions:
    """The predictions of a run, with labels. Raises CheckpointError for anything else."""
    found = _read_npz(path, ARRAYS, "the predictions of a run")
    if not np.isfinite(found.scores).all():
        raise CheckpointError(path, "scores that are not finite", "one finite row a clip")
    return found


def _read_npz(
    path: str | Path, needed: Sequence[str], expected: str, hint: str = ""
) -> Predictions:
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


def _shares(scores: np.ndarray) -> np.ndarray:
    """Rows of per cent, or of rounded shares, brought to a sum of one; other scores as they are."""
    sums = scores.astype(np.float64).sum(1, keepdims=True)
    near = any(np.allclose(sums, whole, rtol=ROUNDED, atol=0) for whole in (1, 100))
    if are_probabilities(scores) or not near or (scores < 0).any():
        return scores
    return (scores / sums).astype(scores.dtype)


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


def _read_csv(path: Path) -> Predictions:
    expected = "'clip,<class>,<class>,...', then a name and finite numbers in every line"
    check_regular(path, CheckpointError, expected, most=MAX_ARRAYS)
    try:
        with path.open(encoding="utf-8-sig") as file:
            named = (first := file.readline()).startswith("sep=")  # Excel's line about itself
            first = file.readline() if named else first
        after = re.match(r'"?clip"?([,;\t])', first, re.IGNORECASE)
        # after ; and tabs, a comma may stand in numbers
        separator = after[1] if after else max(",;\t", key=first.count)
        # without a header: pandas would rename a class that stands twice
        how: dict[str, Any] = {"header": None, "dtype": str, "keep_default_na": False}
        how |= {"sep": separator, "encoding": "utf-8-sig", "skiprows": int(named)}
        table = pd.read_csv(path, **how)
        table = table[(table != "").any(axis=1)]  # rows of separators alone
        (head, *classes), texts = table.iloc[0], table.iloc[1:, 1:]
        if head.lower() != "clip" or not classes:
            raise ValueError(f"the header {head!r}")
        numbers = texts.replace({",": "," if separator == "," else ".", "%": ""}, regex=True)
        scores = numbers.to_numpy(np.float32)
    except (OSError, ValueError, IndexError) as error:
        said = str(error).strip()[:280]  # pandas ends some in a new line
        raise CheckpointError(path, f"an unreadable file ({said})", expected) from error
    names = tuple(table[0][1:])
    return Predictions(names, np.full(len(names), UNKNOWN), scores, tuple(classes))


@dataclass(frozen=True)
class Fused:
    """Fused test scores and their accuracy.

    weights: of each system, summing to one. scores: of each, "probabilities" (left as they were) or
    one of NORMALISE. validation_accuracy: None where it was not asked. left_out: clips that not all
    systems have, by system.
    """

    predictions: Predictions
    weights: tuple[float, ...]
    accuracy: float | None
    scores: tuple[str, ...] = ()
    validation_accuracy: float | None = None
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)


def fuse(
    sources: Sequence[Path], weights: str | Sequence[float] = "equal", scores: str = "softmax",
    clips: str = "same",
) -> Fused:  # fmt: skip
    """Average the test scores of systems, matched by the names of clips and classes.

    sources: run folders, or files of scores of any method, see `scores.read_scores`. weights:
    "equal"; a number a source; or "validation": the best ones on the validation part, of equally
    good ones those nearest to equal. scores: what becomes of scores that are no probabilities: one
    of NORMALISE, or "validation": the one with the best validation accuracy. clips: "same" refuses
    sources of other clips, "common" takes those that all have. ConfigError for fewer than two
    sources or unknown choices, CheckpointError for damaged files and where clips, labels or classes
    differ, naming clips.
    """
    how = _check(sources, weights, scores, clips)
    chosen: list[Predictions] = []  # on what validation chooses, where it does
    right = None
    if VALIDATION in (weights, scores):
        chosen = aligned(sources, VALIDATION, clips)[0]
        if not chosen[0].names:
            raise ConfigError("--weights", "no validation clips", "sources that have some")
        found, labels = [], chosen[0].labels
        for name in NORMALISE if scores == VALIDATION else (scores,):
            comparable = _comparable(chosen, name)
            tried = how or _best_weights(comparable, labels)
            found.append((_accuracy(_mixed(comparable, tried), labels) or 0.0, tried, name))
        right, how, scores = max(found, key=lambda one: one[0])  # the first of equally good ones
    parts, left_out = aligned(sources, "test", clips)
    for source, seen, tested in zip(sources, chosen, parts, strict=bool(chosen)):
        _check_parts(source, seen, tested)
    mixed, first = _mixed(_comparable(parts, scores), how or ()), parts[0]
    fused = replace(first, scores=mixed.astype(np.float32))
    kept = tuple("probabilities" if are_probabilities(p.scores) else scores for p in parts)
    return Fused(fused, how or (), _accuracy(mixed, first.labels), kept, right, left_out)


def save_fused(
    out: Path, fused: Fused, sources: Sequence[Path], weights: str | Sequence[float]
) -> dict[str, Any]:
    """Write predictions, confusion matrix and metrics.json, which is returned."""
    found = fused.predictions
    scores, labels = torch.from_numpy(found.scores), torch.from_numpy(found.labels)
    metrics = {
        "test_accuracy": fused.accuracy,
        "per_class": per_class(scores, labels, found.classes),
        "n_test": len(labels),
        "runs": [str(source) for source in sources],
        "weights": list(fused.weights),
        "weights_from": weights if isinstance(weights, str) else "given",
        "scores": list(fused.scores),
        "validation_accuracy": fused.validation_accuracy,
        "left_out": {name: list(clips) for name, clips in fused.left_out.items()},
        "versions": run_folder.versions(),
    }
    run_folder.write_predictions(out / run_folder.PREDICTIONS["test"], found)
    counts = confusion(scores, labels)
    run_folder.write_confusion(out / run_folder.CONFUSION, counts, found.classes)
    run_folder.write_json(out / run_folder.METRICS, metrics)
    return metrics


def _check(
    sources: Sequence[Path], weights: str | Sequence[float], scores: str, clips: str
) -> tuple[float, ...] | None:
    """The weights where they are known before any score is read, None where validation decides."""
    n = len(sources)
    if n < 2:
        raise ConfigError("fuse", f"{n} run", "two runs or more")
    check_choice("--normalise", scores, (*NORMALISE, VALIDATION))
    check_choice("--clips", clips, ("same", "common"))
    if weights == VALIDATION and n > MOST:
        raise ConfigError("--weights validation", f"{n} runs", f"at most {MOST}")
    if isinstance(weights, str):
        check_choice("--weights", weights, ("equal", VALIDATION))
        return (1 / n,) * n if weights == "equal" else None
    given = [float(weight) for weight in weights]
    total = sum(given)
    if len(given) != n or not all(np.isfinite(given)) or min(given) < 0 or total == 0:
        shown = " ".join(f"{weight:g}" for weight in given)
        raise ConfigError("--weights", shown, f"{n} numbers of at least 0, not all 0")
    return tuple(weight / total for weight in given)


def _check_parts(source: Path, chosen: Predictions, tested: Predictions) -> None:
    """Raise CheckpointError where validation and test are no two parts of one system's scores."""
    if both := sorted(set(chosen.names) & set(tested.names)):
        found = f"{len(both)} clips both in the validation and in the test part, as {both[0]}"
        raise CheckpointError(source, found, "clips of one part alone")
    if are_probabilities(chosen.scores) != are_probabilities(tested.scores):
        expected = "probabilities in both the validation and the test part, or in none"
        raise CheckpointError(source, "probabilities in one part alone", expected)


def _comparable(parts: Sequence[Predictions], how: str) -> np.ndarray:
    """The systems' scores (systems, n, C), float64; probabilities stay as they are."""
    ways = ("none" if are_probabilities(p.scores) else how for p in parts)
    return np.stack([normalise(p.scores, way) for p, way in zip(parts, ways, strict=True)])


def _mixed(scores: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    return np.tensordot(np.asarray(weights), scores, axes=1)


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float | None:
    return float((scores.argmax(1) == labels).mean()) if len(labels) else None


def _best_weights(scores: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """Weights in tenths with the highest accuracy; ties go to the most equal ones."""
    n, tried = len(scores), []
    for tenths in itertools.product(range(STEPS + 1), repeat=n):
        if sum(tenths) == STEPS:
            weights = tuple(k / STEPS for k in tenths)
            right = _accuracy(_mixed(scores, weights), labels) or 0.0
            uneven = sum((w - 1 / n) ** 2 for w in weights)
            tried.append((-right, round(uneven, 9), weights))
    return min(tried)[2]


def aligned(
    sources: Sequence[Path], part: str, clips: str
) -> tuple[list[Predictions], dict[str, tuple[str, ...]]]:
    """The scores of several systems with the first one's order of clips and classes.

    sources, part: see `read_scores`; clips: see `fuse`. Labels are those of the sources that know
    them. Returns the scores, and which clips were left out of which source.
    Raises CheckpointError where clips, classes or labels differ, naming them.
    """
    found = [read_scores(source, part) for source in sources]
    first, left_out = found[0], {}
    common = set(first.names).intersection(*(one.names for one in found))
    for source, one in zip(sources, found, strict=True):
        if set(one.classes) != set(first.classes):
            raise CheckpointError(source, f"classes {one.classes}", f"{first.classes}")
    for source, one in zip(sources, found, strict=True):
        if rest := tuple(name for name in one.names if name not in common):
            left_out[str(source)] = rest
            if clips == "same":
                said = f"{len(rest)} {part} clips that another system lacks: "
                said += ", ".join(rest[:SHOWN])
                hint = "Take the clips that all systems have by --clips common."
                raise CheckpointError(source, said, "the same clips in all systems", hint)
    names = tuple(name for name in first.names if name in common)
    if first.names and not names:
        raise CheckpointError(sources[1], f"no {part} clip of {sources[0]}", "common clips")
    labels, scores = np.full(len(names), UNKNOWN), []
    for source, one in zip(sources, found, strict=True):
        rows = pd.Index(one.names).get_indexer(pd.Index(names))
        columns = [one.classes.index(name) for name in first.classes]
        to_first = np.array([*(first.classes.index(name) for name in one.classes), UNKNOWN])
        own = to_first[one.labels[rows]]  # the label -1 finds the last entry, -1
        differs = (labels != UNKNOWN) & (own != UNKNOWN) & (labels != own)
        if differs.any():
            said = f"another label of {names[int(differs.argmax())]}"
            raise CheckpointError(source, said, "equal labels")
        labels = np.where(labels == UNKNOWN, own, labels)
        scores.append(one.scores[np.ix_(rows, columns)])
    if (labels == UNKNOWN).any():
        lacking = f"no label of {names[int((labels == UNKNOWN).argmax())]} in any source"
        hint = "Fuse with a run's folder, whose predictions hold them."
        raise CheckpointError(sources[0], lacking, "one source that knows the labels", hint)
    return [Predictions(names, labels, one, first.classes) for one in scores], left_out
