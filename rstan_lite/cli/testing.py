"""The commands `evaluate`, `fuse` and `idt`. Imports torch when one runs."""

import argparse
from pathlib import Path
from typing import Any

from rstan_lite.cli.training import add_fields, damage_lines, given, report, values_of
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import check_count, default_cache, parsed

# of TrainConfig's options, those of iDT-FV
SHARED = ("split", "missing", "damaged", "validation", "cache")


def add_parsers(subparsers: Any) -> None:
    """Add the commands; each one's `func` takes the arguments and returns an exit code."""
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

    parser = subparsers.add_parser(
        "idt",
        help="train and test iDT-FV, the hand-crafted system to fuse RSTAN with",
        description="Improved dense trajectories, Fisher vectors and linear SVMs on a split: "
        "extract, choose settings on validation clips, test, and write a run folder whose scores "
        "`rstan-lite fuse` takes. The same command goes on where it was interrupted. Needs the "
        "extra `idt`: pip install scikit-image.",
    )
    add_fields(parser, SHARED)
    add = parser.add_argument
    add("--root", required=True, help="folder of the clips, in JHMDB's layout")
    add("--out", metavar="RUN", help="run folder (runs/idt-<split>)")
    add("--length", type=int, help="steps of a trajectory (15)")
    add("--height", type=int, help="shrink taller clips to so many pixels (240)")
    add("--step", type=int, help="pixels between sampled points (5)")
    add("--scales", type=int, help="spatial scales at most (8)")
    add("--camera", help="camera motion: homography, or none to leave it in")
    add("--components", default="64,128,256", help="Gaussians to choose from (64,128,256)")
    add("--costs", default="0.1,1,10,100", help="the SVM's C to choose from (0.1,1,10,100)")
    add("--samples", type=int, help="trajectories to fit mixtures to (100000)")
    add("--seed", type=int, help="of samples and mixtures (0)")
    add("--workers", type=int, default=2, help="processes that read clips (2)")
    add("--quiet", action="store_true", help="no progress of the encoding")
    parser.set_defaults(func=_idt)


def _evaluate(arguments: argparse.Namespace) -> int:
    from rstan_lite.lab import over_splits as splits
    from rstan_lite.lab.protocols import evaluate_run

    names = ("part", "frames", "root", "cache", "device", "protocol", "second")
    how = {name: getattr(arguments, name) for name in names}
    runs = arguments.runs
    several = len(runs) > 1 or arguments.splits is not None or splits.PATTERN in runs[0]
    found = splits.find_runs(runs, arguments.splits) if several else [Path(runs[0])]
    if arguments.table and arguments.second:
        raise ConfigError("--table", "--second with it", "one of both: all clips are seen alike")
    if arguments.table:
        from rstan_lite.lab.protocols import table_of_sequences

        same = {name: how[name] for name in ("protocol", "frames", "part", "root")}
        print(table_of_sequences(found[0], **same))
        return 0
    if not several:
        metrics, path = evaluate_run(Path(runs[0]), **how)
        report(metrics)
        print(f"written: {path}")
        return 0
    out = Path(arguments.out or Path(runs[0]).parent)
    summary, path = splits.evaluate_splits(found, out, **how)
    for row in summary["runs"]:
        lacking = f", {row['missing_clips']} missing" if row["missing_clips"] else ""
        said = f"{row['accuracy']:.1%} of {row['clips']} clips{lacking}"
        print(f"split {row['split']}, seed {row['seed']}: {said}  {row['run']}")
    print(f"mean over {len(summary['splits'])} splits: {summary['accuracy']:.1%}")
    print(f"written: {path}")
    return 0


def _fuse(arguments: argparse.Namespace) -> int:
    from rstan_lite.lab.scores import fuse, save_fused

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


def _idt(arguments: argparse.Namespace) -> int:
    from rstan_lite.lab.idt.classification import IdtConfig, run
    from rstan_lite.lab.idt.encoding import EncodingSettings
    from rstan_lite.lab.idt.trajectories import TrackSettings

    check_count("--workers", arguments.workers, 0)
    shared = values_of(arguments, SHARED)
    cache = shared.pop("cache") or default_cache()
    hint = "Give numbers, comma separated."
    counts = parsed("--components", "tuple[int, ...]", arguments.components, hint=hint)
    costs = parsed("--costs", "tuple[float, ...]", arguments.costs, hint=hint)
    tracks = TrackSettings(**given(arguments, "length", "height", "step", "scales", "camera"))
    encoding = EncodingSettings(**given(arguments, "samples", "seed"))
    chosen = {"components": counts, "costs": costs, "tracks": tracks, "encoding": encoding}
    config = IdtConfig(arguments.root, **shared, **chosen)
    out = Path(arguments.out or f"runs/idt-{config.split}")
    metrics = run(config, out, cache, arguments.workers, progress=not arguments.quiet)
    test, n_test = metrics["test_accuracy"], metrics["n_test"]
    if test is not None:
        print(f"test accuracy {test:.1%} of {n_test} clips")
    best = f"{metrics['components']} components, C {metrics['cost']:g}"
    print(f"validation accuracy {metrics['validation_accuracy']:.1%}, the best: {best}")
    if bare := metrics["clips_without_trajectories"]:
        print(f"{len(bare)} clips without a trajectory, as zero vectors: {', '.join(bare[:5])}")
    for line in damage_lines(metrics.get("damaged_clips") or {}):
        print(line)
    print(f"run folder: {out}")
    return 0
