"""Write puppet clips into a folder, in JHMDB's layout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rstan_lite.puppets import CLASSES, generate
from rstan_lite.system.interruption import run_command


def main() -> int:
    """Read the command line, generate, and return the exit code."""
    parser = argparse.ArgumentParser(description="Generate puppet clips in JHMDB's layout.")
    parser.add_argument("root", type=Path, help="folder to write")
    parser.add_argument("--clips-per-class", type=int, default=16)
    parser.add_argument(
        "--classes", nargs="+", metavar="NAME", help=f"default: all of {', '.join(CLASSES)}"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--size", type=int, nargs=2, default=(240, 320), metavar=("HEIGHT", "WIDTH")
    )
    parser.add_argument("--rivals", type=int, nargs=2, default=(0, 0), metavar=("FEWEST", "MOST"))
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return run_command(lambda: _generate(parser.parse_args()))


def _generate(a: argparse.Namespace) -> int:
    generate(
        a.root, a.clips_per_class, a.classes, a.seed, a.workers, tuple(a.size), not a.quiet,
        rivals=tuple(a.rivals),
    )  # fmt: skip
    print(f"{a.root}: puppets complete")
    return 0


if __name__ == "__main__":
    sys.exit(main())
