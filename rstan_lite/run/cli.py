"""`rstan-lite run NOTEBOOK` executes a notebook; `rstan-lite copies` makes copies to work in."""

from __future__ import annotations

import argparse
from typing import Any

from rstan_lite.errors import ConfigError, NotebookError


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command `run`; its `func` takes the parsed arguments and returns an exit code."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "run",
        help="execute a notebook with parameters, and make a page of it",
        description="Execute a notebook in the working directory. The executed copy and an HTML "
        "page that needs no internet are written; the notebook itself stays as it is.",
    )
    parser.add_argument("notebook", help="the notebook, for example notebooks/00_tour.ipynb")
    parser.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the notebook; may be given several times",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="the executed copy (.ipynb); default: in the folder of the notebook's parameter "
        "`out`, else in runs/NAME",
    )
    parser.add_argument("--no-html", action="store_true", help="write no page")
    parser.add_argument(
        "--list", action="store_true", help="print the notebook's parameters and run nothing"
    )
    parser.set_defaults(func=main)
    return parser


def assignments(pairs: list[str]) -> dict[str, str]:
    """`["split=2", "out=a=b"]` as a dictionary; ConfigError for a pair without a name or twice."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ConfigError("-p", repr(pair), "NAME=VALUE", "For example -p split=2.")
        if name.strip() in values:
            raise ConfigError("-p", f"{name.strip()} twice", "each name once")
        values[name.strip()] = value
    return values


def main(arguments: argparse.Namespace) -> int:
    """Run what `add_parser` parsed; RstanError is the caller's to show."""
    from rstan_lite.run import notebook_parameters, run_notebook

    if arguments.list:
        for parameter in notebook_parameters(arguments.notebook):
            print(parameter)
        return 0
    output = run_notebook(
        arguments.notebook,
        assignments(arguments.parameter),
        arguments.output,
        html=not arguments.no_html,
    )
    print(f"Executed notebook: {output}")
    if not arguments.no_html:
        print(f"Page: {output.with_suffix('.html')}")
    return 0


def add_copies_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the command `copies`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "copies",
        help="copies of notebooks for students, with blanks, or for teachers, with solutions",
        description="Write copies of notebooks into a folder: for students with a blank in each "
        "solution's place, for teachers with the solutions in sight. Nothing is executed.",
    )
    parser.add_argument("kind", help="student or teacher")
    parser.add_argument("folder", metavar="FOLDER", help="where to write them")
    parser.add_argument(
        "notebooks", nargs="*", metavar="NOTEBOOK", help="which ones; default: notebooks/*.ipynb"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace copies that have been worked in"
    )
    parser.set_defaults(func=_copies)
    return parser


def _copies(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from rstan_lite.run.copies import write_copies

    notebooks = arguments.notebooks or sorted(Path("notebooks").glob("*.ipynb"))
    if not notebooks:
        raise NotebookError("notebooks", "no notebook there", "names of notebooks")
    for path in write_copies(arguments.kind, notebooks, arguments.folder, arguments.overwrite):
        print(path)
    return 0
