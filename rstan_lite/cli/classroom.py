"""`rstan-lite run` and `tour` execute notebooks; `lab`, `copies`, `assignments` are for a class."""

import argparse
from pathlib import Path
from typing import Any

from rstan_lite.system.errors import NotebookError
from rstan_lite.system.interruption import Interrupted
from rstan_lite.system.reading import check_root
from rstan_lite.system.settings import pairs, require_libraries

ADVICE = (
    "the same command begins at the first cell again, with the clips and features that are stored; "
    "the tour's finished models are kept with -p resume=true. "
    "Until it has run to its end, the files that it leaves may be of different runs."
)
COPIES = Path("build")


def add_parsers(subparsers: Any) -> None:
    """Add the commands; each one's `func` takes the arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "run",
        help="execute a notebook with parameters, and make a page of it",
        description="Execute a notebook in the working directory. The executed copy and an HTML "
        "page that needs no internet are written; the notebook itself stays as it is.",
    )
    parser.add_argument("notebook", help="the notebook, for example notebooks/00_tour.ipynb")
    parser.set_defaults(func=main)
    tour = subparsers.add_parser(
        "tour",
        help="the whole system once, as a page to look at",
        description="Execute the notebook 00_tour on generated clips, into runs/tour, "
        "or on JHMDB, into runs/tour-jhmdb.",
    )
    tour.add_argument("--root", default="", metavar="DIR", help="a copy of JHMDB")
    tour.set_defaults(func=_tour)
    for one in (parser, tour):
        add = one.add_argument
        add(
            "-p", "--parameter", action="append", default=[], metavar="NAME=VALUE",
            help="a parameter of the notebook; may be given several times",
        )  # fmt: skip
        add("--output", metavar="FILE", help="the executed copy (in the notebook's `out`)")
        add("--no-html", action="store_true", help="write no page")
        add("--list", action="store_true", help="print the notebook's parameters and run nothing")
    lab = subparsers.add_parser(
        "lab",
        help="JupyterLab with copies of the lessons to work in; `lab teacher`: with the solutions",
        description=f"Open JupyterLab in {COPIES / 'student'}, with a blank in each solution's "
        f"place, or by `lab teacher` in {COPIES / 'teacher'}. Copies are made if they are absent, "
        "and renewed if a lesson has changed and nobody has worked in its copy. "
        "All other options are JupyterLab's, such as --no-browser.",
    )
    lab.set_defaults(func=_lab, others=[])

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
        add("notebooks", nargs="*", default=(), metavar="NOTEBOOK", help="which (all lessons)")
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
    check_root(values.get("dataset", "puppets"), values.get("root"))
    html = not arguments.no_html
    try:
        output = run_notebook(arguments.notebook, values, arguments.output, html)
    except Interrupted as interrupted:
        interrupted.advice = ADVICE
        raise
    print(f"Executed notebook: {output}")
    if html:
        print(f"Page: {output.with_suffix('.html')}")
    return 0


def _tour(arguments: argparse.Namespace) -> int:
    given = {"dataset": "puppets"}
    if arguments.root:
        given = {"dataset": "jhmdb", "root": arguments.root, "out": "runs/tour-jhmdb"}
    given |= pairs("-p", arguments.parameter, "NAME=VALUE, for example split=2")
    arguments.parameter = [f"{name}={value}" for name, value in given.items()]
    arguments.notebook = _notebooks("00_tour.ipynb")[0]
    return main(arguments)


def _lab(arguments: argparse.Namespace) -> int:
    from rstan_lite.classroom.copies import KINDS, refresh_copies

    require_libraries("rstan-lite lab", {"jupyterlab": "jupyterlab"}, "notebooks")
    words: list[str] = list(arguments.others)
    kind = words.pop(0) if words and words[0] in KINDS else KINDS[0]
    folder = COPIES / kind
    for path in refresh_copies(kind, _notebooks(), folder):
        print(f"{path}: the lesson has changed since this copy was made. You worked in the copy,")
        print("  so it stays. Move the copy away to get the new one.", flush=True)
    from jupyterlab.labapp import main as jupyter_lab

    jupyter_lab([str(folder), *words])
    return 0


def _copies(arguments: argparse.Namespace) -> int:
    from rstan_lite.classroom.copies import write_copies

    notebooks = arguments.notebooks or _notebooks()
    print(*write_copies(arguments.kind, notebooks, arguments.folder, arguments.overwrite), sep="\n")
    return 0


def _notebooks(pattern: str = "*.ipynb") -> list[Path]:
    """The notebooks of the working folder's checkout, or else the package's own."""
    from rstan_lite.classroom.copies import lessons

    return lessons(pattern, (Path(),))


def _assignments(arguments: argparse.Namespace) -> int:
    from rstan_lite.classroom.assignments import graded_cells, release, trial, write_course

    require_libraries("rstan-lite assignments", {"nbgrader": "nbgrader"}, "class")
    folder = Path(arguments.folder)
    graded = [path for path in arguments.notebooks or _notebooks() if graded_cells(path)]
    names = write_course(graded, folder, arguments.overwrite)
    for path in release(folder, names):
        print(path, flush=True)
    wrong = []
    for tried in trial(folder, names) if arguments.trial else ():
        got, most = tried.total
        said = f"{got:g} of {most:g} points"
        print(f"{tried.assignment:<28} {tried.student:<10} {said}", flush=True)
        wrong += [f"{tried.assignment} {cell} ({tried.student})" for cell in tried.wrong]
    if wrong:
        expected = "all points for the full-mark submissions and none for the empty ones"
        raise NotebookError(folder, f"other points in {', '.join(wrong)}", expected)
    return 0
