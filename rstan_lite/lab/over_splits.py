"""One accuracy over a data set's three splits, from a run of each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rstan_lite.data.splits import part_name
from rstan_lite.lab.protocols import evaluate_run
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import option_words
from rstan_lite.training import run_folder
from rstan_lite.training.config import TrainConfig, differences, read_config

PATTERN = "{split}"  # stands for the split's number in a run's name
# What runs of one table may differ in: a network is tuned anew for each split.
FREE = ("split", "seed", "appearance_weights", "motion_weights")


def find_runs(given: Sequence[str], splits: Sequence[int] | None = None) -> list[Path]:
    """The finished runs of some splits, in the order of the splits.

    given: run folders, or one name that holds `{split}`. splits: which to expect; None for those
    that the runs have (of a pattern: 1, 2 and 3).
    Raises ConfigError for runs that differ in more than FREE, a run twice, and splits without a
    finished run, with the commands that make them.
    """
    pattern = next((name for name in given if PATTERN in name), None)
    if pattern is not None:
        if len(given) > 1:
            raise ConfigError("evaluate", f"{len(given)} runs", f"one name that holds {PATTERN}")
        splits = splits or (1, 2, 3)
        folders = {Path(pattern.replace(PATTERN, str(k))): k for k in splits}
    else:
        folders = dict.fromkeys(map(Path, given), 0)
    there = {path: read_config(path / run_folder.CONFIG) for path in folders if _begun(path)}
    if pattern is None and len(there) < len(given):
        lost = next((name for name in given if not _begun(Path(name))), "a run twice")
        raise ConfigError("evaluate", lost, f"different run folders, each with {run_folder.CONFIG}")
    _check_alike(there)
    for path, config in there.items():
        if folders[path] not in (0, config.split):
            raise ConfigError(path, f"a run of split {config.split}", f"split {folders[path]}")
    wanted = sorted(set(splits or (config.split for config in there.values())))
    chosen = {path: config for path, config in there.items() if config.split in wanted}
    done = {path for path in chosen if (path / run_folder.METRICS).exists()}
    absent = [k for k in wanted if k not in {config.split for config in chosen.values()}]
    if absent or len(done) < len(chosen):
        raise _missing(absent, [path for path in chosen if path not in done], folders, there)
    return sorted(chosen, key=lambda path: (chosen[path].split, chosen[path].seed))


def over_splits(accuracies: Sequence[Sequence[float]]) -> tuple[list[float], float, float | None]:
    """Average over splits, each of which counts alike, however many seeds it has.

    accuracies: of each split or fold, those of its seeds, in one order of seeds.
    Returns each split's mean, the mean of these, and the standard deviation over seeds of the mean
    over splits (None where splits differ in the number of seeds, or have a single one).
    """
    by_split = [mean(of_one) for of_one in accuracies]
    seeds = {len(of_one) for of_one in accuracies}
    spread = None
    if len(seeds) == 1 and max(seeds) > 1:
        spread = stdev([mean(of_seed) for of_seed in zip(*accuracies, strict=True)])
    return by_split, mean(by_split), spread


def evaluate_splits(found: Iterable[Path], out: Path, **how: Any) -> tuple[dict[str, Any], Path]:
    """Evaluate the runs of several splits and write `splits-<protocol>-<part>-<frames>.json`.

    found: see `find_runs`. out: folder for the file. how: as for `evaluate_run`.
    Returns the file's content and its path: accuracy (see `over_splits`), runs (a row each) and
    splits (number -> mean accuracy and clips). ConfigError for a split without clips of the part.
    """
    rows: list[dict[str, Any]] = []
    accuracies: dict[int, list[float]] = {}  # by split
    clips: dict[int, int] = {}
    for folder in found:
        config = read_config(folder / run_folder.CONFIG)
        split = config.split
        if config.fold:
            found_run = f"a run of {part_name(split, config.fold)}"
            hint = "rstan-lite ledger --pool puts folds together."
            raise ConfigError(folder, found_run, "runs of test lists", hint)
        metrics, path = evaluate_run(folder, **how)
        part = metrics["part"]
        n, accuracy = metrics[f"n_{part}"], metrics[f"{part}_accuracy"]
        if not n:
            raise ConfigError(folder, f"no {part} clips in split {split}", "some to judge by")
        row = {"run": str(folder), "split": split, "seed": config.seed, "accuracy": accuracy}
        row |= {"clips": n, "evaluation": str(path)}
        rows.append(row | {"missing_clips": len(metrics["missing_clips"])})
        accuracies.setdefault(split, []).append(accuracy)
        clips.setdefault(split, n)
    means, average, _ = over_splits(list(accuracies.values()))
    by_split = zip(clips.items(), means, strict=True)
    summary = {
        "accuracy": average,
        "splits": {k: {"accuracy": accuracy, "clips": n} for (k, n), accuracy in by_split},
        "runs": rows,
        **{name: metrics[name] for name in ("protocol", "part", "frames")},
        "versions": run_folder.versions(),
    }
    name = f"splits-{metrics['protocol']}-{metrics['part']}-{metrics['frames']}.json"
    run_folder.write_json(out / name, summary)
    return summary, out / name


def command(config: TrainConfig, out: Path) -> str:
    """The `rstan-lite train` command of a configuration, with every option that is no default."""
    values = asdict(config)
    changed = {f.name: values[f.name] for f in fields(config) if values[f.name] != f.default}
    return shlex.join(["rstan-lite", "train", *option_words(changed), "--out", str(out)])


def _begun(folder: Path) -> bool:
    return (folder / run_folder.CONFIG).is_file()


def _check_alike(there: Mapping[Path, TrainConfig]) -> None:
    kept: dict[tuple[int, int], Path] = {}
    for path, config in there.items():
        first = next(iter(there))
        differing = {k: v for k, v in differences(there[first], config).items() if k not in FREE}
        if differing:
            old, new = (", ".join(f"{k} {v[i]!r}" for k, v in differing.items()) for i in (0, 1))
            hint = "Runs of one table differ in the split, and in the seed at most."
            raise ConfigError(path, new, f"{old} as in {first}", hint)
        twin = kept.setdefault((config.split, config.seed), path)
        if twin != path:
            found = f"split {config.split}, seed {config.seed} again"
            raise ConfigError(path, found, f"once: {twin}")


def _missing(
    absent: Sequence[int], unfinished: Sequence[Path], folders: Mapping[Path, int],
    there: Mapping[Path, TrainConfig],
) -> ConfigError:  # fmt: skip
    """The complaint about absent and unfinished runs, with the commands that make them."""
    splits = sorted({*absent, *(there[path].split for path in unfinished)})
    hint = "Make them with `rstan-lite train --split N --out RUN`."
    if there:
        path, model = next(iter(there.items()))
        commands = [command(there[path], path) for path in unfinished]
        for k in absent:  # beside a run whose name may hold its split
            here = rf"(?<=split){model.split}(?!\d)|(?<=-){model.split}(?=-|$)"
            name = re.sub(here, str(k), path.name, count=1)
            beside = path.with_name(name if name != path.name else f"{name}-split{k}")
            named = next((p for p, wanted in folders.items() if wanted == k), beside)
            commands.append(command(replace(model, split=k), named))
        hint = "Make them: " + "; ".join(f"`{line}`" for line in commands)
        if absent and (model.appearance_weights or model.motion_weights):
            hint += " (with the networks of that split, where they were tuned on one)"
    found = f"no finished run of split {', '.join(map(str, splits))}"
    return ConfigError("--splits", found, "finished runs of each split", hint)
