"""The command `puppets`. Imports neither NumPy nor OpenCV until it is run."""

import argparse
from typing import Any


def add_parsers(subparsers: Any) -> None:
    """Add the command; `func` takes the arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "puppets",
        help="generate clips of jointed people, in JHMDB's layout",
        description="Write generated clips that every other command can use in JHMDB's place.",
    )
    parser.add_argument("root", metavar="FOLDER", help="where to write them")
    parser.add_argument("--clips-per-class", type=int, default=16, metavar="N")
    parser.add_argument("--classes", help="class names, comma separated (all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(240, 320), metavar=("HEIGHT", "WIDTH"),
        help="of the frames, in pixels (240 320)",
    )  # fmt: skip
    parser.add_argument(
        "--rivals", type=int, nargs=2, default=(0, 0), metavar=("FEWEST", "MOST"),
        help="people beside the actor who act too; the actor wears a vest then (0 0)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(func=_puppets)


def _puppets(arguments: argparse.Namespace) -> int:
    from rstan_lite.puppets import generate

    values = vars(arguments)
    chosen = values["classes"]
    how = {name: values[name] for name in ("root", "clips_per_class", "seed", "workers")}
    how |= {name: tuple(values[name]) for name in ("size", "rivals")}
    how |= {"classes": [c.strip() for c in chosen.split(",")] if chosen else None}
    print(f"generated clips: {generate(**how, progress=not arguments.quiet)}")
    return 0
