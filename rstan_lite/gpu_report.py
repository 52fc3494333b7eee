"""`rstan-lite gpu`, or `python -m rstan_lite.gpu_report`: check and time this machine's GPU."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command `gpu`; its `func` takes the arguments and returns an exit code."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "gpu", help="agreement with the CPU, training, speed and memory of a GPU, on one page"
    )
    return _with_options(parser)


def _with_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--out", default="runs/gpu", help="folder of the report")
    parser.add_argument("--root", default="", help="JHMDB folder (none: clips are generated)")
    parser.add_argument("--dataset", help="jhmdb or puppets (jhmdb where --root is given)")
    parser.add_argument("--profile", default="course", help="profile of the trainings")
    parser.add_argument("--backbone", help="network of the features (puppetnet for puppets)")
    parser.add_argument("--appearance-weights", default="", help="its weights file, appearance")
    parser.add_argument("--motion-weights", default="", help="its weights file, motion")
    parser.add_argument("--missing", default="error", help="error, or skip clips not on the disk")
    parser.set_defaults(func=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Measure, and write report.md and report.json. Raises DeviceError without a GPU."""
    from rstan_lite.system.devices import choose_device
    from rstan_lite.training.gpu_checks import gpu_report, report_config

    choose_device("cuda")
    config = report_config(
        arguments.profile,
        dataset=arguments.dataset or ("jhmdb" if arguments.root else "puppets"),
        root=arguments.root,
        backbone=arguments.backbone,
        appearance_weights=arguments.appearance_weights,
        motion_weights=arguments.motion_weights,
        missing=arguments.missing,
    )
    report, path = gpu_report(Path(arguments.out), config)
    print(path.read_text(encoding="utf-8"))
    print(f"written: {path}")
    return 0 if report["agrees"] else 1


def main(argv: list[str] | None = None) -> int:
    """The command line of this module alone: 0, 1 where the GPU disagrees, 2 for a complaint."""
    from rstan_lite.system.errors import RstanError

    parser = argparse.ArgumentParser(prog="python -m rstan_lite.gpu_report", description=__doc__)
    arguments = _with_options(parser).parse_args(argv)
    try:
        return run(arguments)
    except RstanError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
