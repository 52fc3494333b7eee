"""The commands `extract`, `train`, `evaluate`, `fuse`, `predict`. Imports torch when one runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rstan_lite.training.profiles import add_options, from_arguments


def add_parsers(subparsers: Any) -> None:
    """Add the five commands; each one's `func` takes the arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "extract",
        help="make the features that train would make, without training",
        description="Fill the store of features for a configuration. Takes train's options; those "
        "of model and optimiser change nothing. What is stored already is kept.",
    )
    add_options(parser)
    parser.set_defaults(func=_extract)

    parser = subparsers.add_parser(
        "train",
        help="train RSTAN on a data set's split and test it",
        description="Train, choose the epoch on validation clips, test, and write a run folder. "
        "The same command goes on where it was interrupted, and reports where it has finished.",
    )
    parser.add_argument("--out", metavar="RUN", help="run folder (runs/<data set>-<split>-...)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print every setting beside the paper's, and what would be done; do nothing",
    )
    add_options(parser)
    parser.set_defaults(func=_train)

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
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
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

    parser = subparsers.add_parser("predict", help="name the action in any video file")
    parser.add_argument("video", metavar="VIDEO", help="a video file")
    parser.add_argument("--run", required=True, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--out", default=".", help="folder for the answer and the overlay")
    parser.add_argument("--top", type=int, default=5, help="classes to print")
    parser.add_argument("--gif", action="store_true", help="write a GIF instead of a video")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.set_defaults(func=_predict)


def _extract(arguments: argparse.Namespace) -> int:
    config = from_arguments(arguments)
    from rstan_lite.training.features_source import cache_folder, load_parts

    parts = load_parts(config)
    found = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    for name, features in found.items():
        print(f"{name}: {len(features)} clips, {', '.join(features.streams)}")
    if parts.second is not None:
        print(f"{config.second_head}, train: {len(parts.second)} clips")
    print(f"stored in {cache_folder(config)}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    config = from_arguments(arguments)
    name = f"{config.dataset}-{config.split}-{arguments.profile}"
    name += f"-{arguments.variant}" if arguments.variant else ""
    name += f"-with-{config.second_head}" if config.second_head else ""
    out = Path(arguments.out or f"runs/{name}-seed{config.seed}")
    if arguments.dry_run:
        from rstan_lite.training.dry_run import describe

        print(describe(config, out))
        return 0
    from rstan_lite.training.train import train

    metrics = train(config, out, progress=not arguments.quiet)
    if metrics is not None:
        _report(metrics)
    print(f"run folder: {out}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from rstan_lite.training import splits
    from rstan_lite.training.again import evaluate_run

    names = ("part", "frames", "root", "cache", "device", "protocol", "second")
    how = {name: getattr(arguments, name) for name in names}
    given = arguments.runs
    several = len(given) > 1 or arguments.splits is not None or splits.PATTERN in given[0]
    found = splits.find_runs(given, arguments.splits) if several else [Path(given[0])]
    if arguments.table:
        return _table_of_sequences(found[0], arguments)
    if not several:
        metrics, path = evaluate_run(Path(given[0]), **how)
        _report(metrics)
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
    from rstan_lite.show.protocol import sequence_table
    from rstan_lite.training.again import table_of_sequences

    rows, clip = table_of_sequences(
        run, arguments.protocol, arguments.frames, arguments.part, arguments.root
    )
    print(sequence_table(rows, clip))
    return 0


def _fuse(arguments: argparse.Namespace) -> int:
    from rstan_lite.training.fuse import fuse, save_fused

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
    _report(metrics)
    return 0


def _weights(words: list[str]) -> str | list[float]:
    """A way to choose weights, or numbers."""
    try:
        return [float(word) for word in words]
    except ValueError:
        return " ".join(words)  # "equal", "validation", or what the complaint will name


def _predict(arguments: argparse.Namespace) -> int:
    from rstan_lite.training.predict import predict

    answer = predict(
        Path(arguments.video),
        Path(arguments.run),
        Path(arguments.out),
        top=arguments.top,
        gif=arguments.gif,
        device=arguments.device,
    )
    for name, score in answer["classes"].items():
        print(f"{score:6.1%}  {name}")
    for path in (answer["predictions"], *answer["overlays"].values()):
        print(f"written: {path}")
    return 0


def _report(metrics: dict[str, Any]) -> None:
    """Print the numbers that a person looks for first."""
    for part in ("test", "validation"):
        found = metrics.get(f"{part}_accuracy")
        if found is not None:
            clips, ends = metrics.get(f"n_{part}"), metrics.get(f"{part}_interval")
            line = f"{part} accuracy {found:.1%}" + (f" of {clips} clips" if clips else "")
            print(line + (f" (95 %: {ends[0]:.1%} to {ends[1]:.1%})" if ends else ""))
    share, area = metrics.get("attention_on_silhouette"), metrics.get("silhouette_area")
    if share is not None and area is not None:
        print(f"attention on the silhouette {share:.1%} (even attention: {area:.1%})")
    second = metrics.get("second")
    if second:
        found = f"{second['train_accuracy']:.1%} of {second['n_train']} training clips"
        print(f"beside it {second['dataset']}: {found} named rightly in the last epoch")
    if metrics.get("missing_clips"):
        print(f"{len(metrics['missing_clips'])} clips of the lists are missing on this disk")
