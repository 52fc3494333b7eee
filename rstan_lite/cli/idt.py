"""The command `idt`. Imports neither torch nor OpenCV until it is run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rstan_lite.cli.training import add_fields, damage_lines, given, values_of
from rstan_lite.system.settings import default_cache, parsed

SHARED = ("split", "missing", "damaged", "validation", "cache")


def add_parsers(subparsers: Any) -> None:
    """Add the command; `func` takes the arguments and returns an exit code."""
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


def _idt(arguments: argparse.Namespace) -> int:
    from rstan_lite.lab.idt.classification import IdtConfig, run
    from rstan_lite.lab.idt.encoding import EncodingSettings
    from rstan_lite.lab.idt.trajectories import TrackSettings

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
