"""One accuracy over a data set's three splits, from a run of each."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rstan_lite.data.splits import part_name
from rstan_lite.lab.protocols import evaluate_run
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import option_words, whole_paths
from rstan_lite.training import run_folder
from rstan_lite.training.config import FOLDERS, TrainConfig, differences, read_config

PATTERN = "{split}"  # stands for the split's number in a run's name
# What runs of one table may differ in: a network is tuned anew for each split.
FREE = ("split", "seed", "appearance_weights", "motion_weights", "input_weights")


def find_runs(given: Sequence[str], splits: Sequence[int] | None = None) -> list[Path]:
    """The finished runs of some splits, in the order of the splits.

    given: run folders, or one name that holds `{split}`. splits: which to expect; None for those
    that the runs have (of a pattern: 1, 2 and 3).
    Raises ConfigError for runs that differ in more than FREE, a run twice, and splits without a
    finished run.
    """
    wanted = set(splits or ())
    if len(given) == 1 and PATTERN in given[0]:
        wanted = wanted or {1, 2, 3}
        given = [given[0].replace(PATTERN, str(split)) for split in sorted(wanted)]
    folders = list(map(Path, given))
    done = [folder for folder in folders if (folder / run_folder.METRICS).is_file()]
    read = {folder: read_config(folder / run_folder.CONFIG) for folder in done}
    configs = {folder: whole_paths(config, FOLDERS) for folder, config in read.items()}
    absent = [f"split {k}" for k in sorted(wanted - {config.split for config in configs.values()})]
    absent += [str(folder) for folder in folders if folder not in configs]
    if absent:
        hint = "Make them: rstan-lite train --split N --out RUN."
        found = f"no finished run of {', '.join(absent)}"
        raise ConfigError("evaluate", found, "finished runs of each split", hint)
    first, kept = configs[done[0]], set()
    for folder in done:
        config = configs[folder]
        for name, (old, new) in differences(first, config).items():
            if name not in FREE:
                hint = "Runs of one table differ in the split, and in the seed at most."
                expected = f"{name} {old!r} as in {done[0]}"
                raise ConfigError(folder, f"{name} {new!r}", expected, hint)
        if (config.split, config.seed) in kept:
            raise ConfigError(folder, f"split {config.split}, seed {config.seed} again", "it once")
        kept.add((config.split, config.seed))
    chosen = [folder for folder in done if not wanted or configs[folder].split in wanted]
    return sorted(chosen, key=lambda folder: (configs[folder].split, configs[folder].seed))


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
