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
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="folder of a finished run; for several splits their folders, or one name with "
        "{split} in it, for example 'runs/rstan-{split}'",
    )
    parser.add_argument(
        "--splits", type=int, nargs="+", help="splits to average over (those of the runs)"
    )
    parser.add_argument(
        "--protocol",
        default="centre",
        help="centre: one centre crop; 22: the average of ten crops and, over three extents and "
        "two scales, twelve centre crops (centre)",
    )
    parser.add_argument(
        "--table", action="store_true", help="print the protocol's sequences and test nothing"
    )
    parser.add_argument("--out", help="folder for a result over splits (beside the first run)")
    parser.add_argument("--part", default="test", help="test or validation")
    parser.add_argument(
        "--frames", type=int, help="frames a sequence (centre: those of the run; 22: 32)"
    )
    parser.add_argument(
        "--second", action="store_true", help="the second data set's classifier, on its test part"
    )
    parser.add_argument("--root", help="folder of the clips, where they have moved")
    parser.add_argument("--cache", help="folder of stored features, where it has moved")
    add_fields(parser, ("device",))
    parser.set_defaults(func=_evaluate)

    parser = subparsers.add_parser(
        "fuse",
        help="average the scores of finished runs and of other systems",
        description="Late fusion. Clips are matched by name, classes by theirs. Scores of the test "
        "clips choose nothing.",
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run folders, or files of any system's scores of the test clips: .npz (names, scores, "
        "classes) or .csv (clip,<class>,<class>,...); those of the validation clips lie beside, "
        "with test in the name replaced by validation, or _validation behind it",
    )
    parser.add_argument("--out", required=True, help="folder for the fused result")
    parser.add_argument(
        "--weights",
        nargs="+",
        default=["equal"],
        help="equal; validation: chosen on the validation clips; or a number a system (equal)",
    )
    parser.add_argument(
        "--normalise",
        default="softmax",
        help="what becomes of scores that are no probabilities: softmax (of logits), standardise "
        "(softmax of each clip's scores at mean 0, deviation 1: for margins), none, or "
        "validation: chosen there (softmax)",
    )
    parser.add_argument(
        "--clips", default="same", help="same: all have the same; common: those that all have"
    )
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
        return _table_of_sequences(found[0], arguments)
    if not several:
        metrics, path = evaluate_run(Path(given[0]), **how)
        report(metrics)
        print(f"written: {path}")
        return 0
    out = Path(arguments.out or Path(given[0]).parent)
    summary, path = splits.evaluate_splits(found, out, **how)
    for row in summary["runs"]:
        lacking = f", {row['missing_clips']} missing" if row["missing_clips"] else ""
        print(
            f"split {row['split']}, seed {row['seed']}: {row['accuracy']:.1%} of {row['clips']} "
            f"clips{lacking}  {row['run']}"
        )
    print(f"mean over {len(summary['splits'])} splits: {summary['accuracy']:.1%}")
    print(f"written: {path}")
    return 0


def _table_of_sequences(run: Path, arguments: argparse.Namespace) -> int:
    """Print what the sequences of a protocol are, for the first clip of the part."""
    from rstan_lite.lab.protocols import table_of_sequences
    from rstan_lite.show.preparation import sequence_table

    rows, clip = table_of_sequences(
        run, arguments.protocol, arguments.frames, arguments.part, arguments.root
    )
    print(sequence_table(rows, clip))
    return 0


def _fuse(arguments: argparse.Namespace) -> int:
    from rstan_lite.lab.late_fusion import fuse, save_fused

    sources = [Path(run) for run in arguments.runs]
    weights = _weights(arguments.weights)
    fused = fuse(sources, weights, arguments.normalise, arguments.clips)
    metrics = save_fused(Path(arguments.out), fused, sources, weights)
    for source, weight, scores in zip(sources, fused.weights, fused.scores, strict=True):
        left_out = len(fused.left_out.get(str(source), ()))
        print(
            f"{weight:6.2f}  {source} ({scores})"
            + (f", {left_out} clips left out" if left_out else "")
        )
    report(metrics)
    return 0


def _weights(words: list[str]) -> str | list[float]:
    """A way to choose weights, or numbers."""
    try:
        return [float(word) for word in words]
    except ValueError:
        return " ".join(words)  # "equal", "validation", or what the complaint will name
