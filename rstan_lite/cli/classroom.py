"""`rstan-lite run` executes a notebook; `copies` and `assignments` make what a class works in."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rstan_lite.system.errors import NotebookError
from rstan_lite.system.interruption import Interrupted
from rstan_lite.system.settings import pairs, require_libraries

ADVICE = (
    "the same command begins at the first cell again, with the clips and features that are stored; "
    "the tour's finished models are kept with -p resume=true (make tour TOUR='-p resume=true'). "
    "Until it has run to its end, the files that it leaves may be of different runs."
)


def add_parsers(subparsers: Any) -> None:
    """Add the three commands; each one's `func` takes the arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "run",
        help="execute a notebook with parameters, and make a page of it",
        description="Execute a notebook in the working directory. The executed copy and an HTML "
        "page that needs no internet are written; the notebook itself stays as it is.",
    )
    add = parser.add_argument
    add("notebook", help="the notebook, for example notebooks/00_tour.ipynb")
    add(
        "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE",
        help="a parameter of the notebook; may be given several times",
    )  # fmt: skip
    add("--output", metavar="FILE", help="the executed copy (in the parameter `out`, or runs/NAME)")
    add("--no-html", action="store_true", help="write no page")
    add("--list", action="store_true", help="print the notebook's parameters and run nothing")
    parser.set_defaults(func=main)

    copies = subparsers.add_parser(
        "copies",
        help="copies of notebooks for students, with blanks, or for teachers, with solutions",
        description="Write copies of notebooks into a folder: for students with a blank in each "
        "solution's place, for teachers with the solutions in sight. Nothing is executed.",
    )
    copies.add_argument("kind", help="student or teacher")
    copies.set_defaults(func=_copies)
    course = subparsers.add_parser(
        "assignments",
        help="the lessons as nbgrader assignments, with points and hidden tests",
        description="Write an nbgrader course folder: a source and a student version of each "
        "lesson, the gradebook and nbgrader's configuration. Needs the extra `class`.",
    )
    course.set_defaults(func=_assignments)
    for parser in (copies, course):
        add = parser.add_argument
        add("folder", metavar="FOLDER", help="where to write them; it is made")
        add("notebooks", nargs="*", metavar="NOTEBOOK", help="which (notebooks/*.ipynb)")
        add("--overwrite", action="store_true", help="replace files, but no source handed in")
    course.add_argument(
        "--try", action="store_true", dest="trial",
        help="also grade a full-mark and an empty submission of each, which runs it twice",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> int:
    """Run a notebook; RstanError is the caller's to show."""
    from rstan_lite.classroom import notebook_parameters, run_notebook

    if arguments.list:
        for parameter in notebook_parameters(arguments.notebook):
            print(parameter)
        return 0
    values = pairs("-p", arguments.parameter, "NAME=VALUE, for example split=2")
    try:
        output = run_notebook(
            arguments.notebook, values, arguments.output, html=not arguments.no_html
        )
    except Interrupted as interrupted:
        interrupted.advice = ADVICE
        raise
    print(f"Executed notebook: {output}")
    if not arguments.no_html:
        print(f"Page: {output.with_suffix('.html')}")
    return 0


def _copies(arguments: argparse.Namespace) -> int:
    from rstan_lite.classroom.copies import write_copies

    notebooks = _notebooks(arguments.notebooks)
    print(*write_copies(arguments.kind, notebooks, arguments.folder, arguments.overwrite), sep="\n")
    return 0


def _notebooks(given: list[str]) -> list[str | Path]:
    """The notebooks that were named, or those of the folder `notebooks`."""
    notebooks: list[str | Path] = [*given] or [*sorted(Path("notebooks").glob("*.ipynb"))]
    if not notebooks:
        raise NotebookError("notebooks", "no notebook there", "names of notebooks")
    return notebooks


def _assignments(arguments: argparse.Namespace) -> int:
    from rstan_lite.classroom.assignments import graded_cells, release, trial, write_course

    require_libraries("rstan-lite assignments", {"nbgrader": "nbgrader"}, "class")
    folder = Path(arguments.folder)
    graded = [path for path in _notebooks(arguments.notebooks) if graded_cells(path)]
    names = write_course(graded, folder, arguments.overwrite)
    for path in release(folder, names, arguments.overwrite):
        print(path, flush=True)
    wrong = []
    for tried in trial(folder, names) if arguments.trial else ():
        got, most = tried.total
        print(
            f"{tried.assignment:<28} {tried.student:<10} {got:g} of {most:g} points, "
            f"{tried.seconds:.0f} s, {tried.cpu:.0f} s of processor",
            flush=True,
        )
        wrong += [f"{tried.assignment} {cell} ({tried.student})" for cell in tried.wrong]
    if wrong:
        expected = "all points for the full-mark submissions and none for the empty ones"
        raise NotebookError(folder, f"other points in {', '.join(wrong)}", expected)
    return 0
