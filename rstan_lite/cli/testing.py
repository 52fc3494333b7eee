"""The commands `evaluate` and `fuse`, of finished runs. Imports torch when one runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rstan_lite.cli.training import add_fields, report
from rstan_lite.system.errors import ConfigError


def add_parsers(subparsers: Any) -> None:
    """Add the two commands; each one's `func` takes the arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "evaluate",
        help="test finished runs again: other protocols, several splits",
        description="Test a finished run again, or the runs of several splits, whose mean is "
        "printed and written. Nothing is chosen here.",
    )
    add = parser.add_argument
    add(
        "runs", nargs="+", metavar="RUN",
        help="folders of finished runs, or one name with {split} in it, as 'runs/rstan-{split}'",
    )  # fmt: skip
    add("--splits", type=int, nargs="+", help="splits to average over (those of the runs)")
    add("--protocol", default="centre", help="one crop, or 22 sequences: centre, 22 (centre)")
    add("--table", action="store_true", help="print the protocol's sequences and test nothing")
    add("--out", help="folder for a result over splits (beside the first run)")
    add("--part", default="test", help="test or validation")
    add("--frames", type=int, help="frames a sequence (centre: those of the run; 22: 32)")
    add("--second", action="store_true", help="test the second data set's classifier on its clips")
    add("--root", help="folder of the clips, where they have moved")
    add("--cache", help="folder of stored features, where it has moved")
    add_fields(parser, ("device",))
    parser.set_defaults(func=_evaluate)

    parser = subparsers.add_parser(
        "fuse",
        help="average the scores of finished runs and of other systems",
        description="Late fusion. Clips are matched by name, classes by theirs. Scores of the test "
        "clips choose nothing. A system is a run folder, or a file of any system's scores of the "
        "test clips: .npz (names, scores, classes) or .csv (clip,<class>,<class>,...). Those of "
        "the validation clips lie beside, with test in the name replaced by validation, or "
        "_validation behind it.",
    )
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="run folders, or files of scores")
    add("--out", required=True, help="folder for the fused result")
    add("--weights", nargs="+", default=["equal"], help="equal, validation, or a number a system")
    add(
        "--normalise", default="softmax",
        help="of scores that are no probabilities: softmax (of logits), standardise (before the "
        "softmax, for margins), none, or validation, which chooses (softmax)",
    )  # fmt: skip
    add("--clips", default="same", help="same: all have the same; common: those that all have")
    parser.set_defaults(func=_fuse)


def _evaluate(arguments: argparse.Namespace) -> int:
    from rstan_lite.lab import over_splits as splits
    from rstan_lite.lab.protocols import evaluate_run

    names = ("part", "frames", "root", "cache", "device", "protocol", "second")
    how = {name: getattr(arguments, name) for name in names}
    given = arguments.runs
    several = len(given) > 1 or arguments.splits is not None or splits.PATTERN in given[0]
    found = splits.find_runs(given, arguments.splits) if several else [Path(given[0])]
    if arguments.table and arguments.second:
        raise ConfigError("--table", "--second with it", "one of both: all clips are seen alike")
    if arguments.table:
        from rstan_lite.lab.protocols import sequence_table, table_of_sequences

        same = {name: how[name] for name in ("protocol", "frames", "part", "root")}
        print(sequence_table(*table_of_sequences(found[0], **same)))
        return 0
    if not several:
        metrics, path = evaluate_run(Path(given[0]), **how)
        report(metrics)
        print(f"written: {path}")
        return 0
    out = Path(arguments.out or Path(given[0]).parent)
    summary, path = splits.evaluate_splits(found, out, **how)
    for row in summary["runs"]:
        lacking = f", {row['missing_clips']} missing" if row["missing_clips"] else ""
        said = f"{row['accuracy']:.1%} of {row['clips']} clips{lacking}"
        print(f"split {row['split']}, seed {row['seed']}: {said}  {row['run']}")
    print(f"mean over {len(summary['splits'])} splits: {summary['accuracy']:.1%}")
    print(f"written: {path}")
    return 0


def _fuse(arguments: argparse.Namespace) -> int:
    from rstan_lite.lab.late_fusion import fuse, save_fused

    sources = [Path(run) for run in arguments.runs]
    try:
        weights: str | list[float] = [float(word) for word in arguments.weights]
    except ValueError:
        weights = " ".join(arguments.weights)  # a way to choose, or what the complaint will name
    fused = fuse(sources, weights, arguments.normalise, arguments.clips)
    metrics = save_fused(Path(arguments.out), fused, sources, weights)
    for source, weight, scores in zip(sources, fused.weights, fused.scores, strict=True):
        left_out = len(fused.left_out.get(str(source), ()))
        said = f", {left_out} clips left out" if left_out else ""
        print(f"{weight:6.2f}  {source} ({scores}){said}")
    report(metrics)
    return 0
