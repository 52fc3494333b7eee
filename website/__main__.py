"""`python -m website`: execute the notebooks, write the pages and let Sphinx make the site."""

from __future__ import annotations

import argparse
import pkgutil
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from sphinx.cmd.build import main as sphinx

import rstan_lite
from rstan_lite.cli.experiments import write_files as write_ledger_files
from rstan_lite.lab.ledger.ledger_runs import open_plan, read
from rstan_lite.system.errors import RstanError
from website.execute import execute
from website.pages import (
    write_documents,
    write_equations,
    write_ledger,
    write_notebook,
    write_reference,
)

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    "README.md", "notebooks/README.md", "docs/teaching.md", "docs/commands.md",
    "docs/recipes.md", "docs/public.md", "docs/data-sets.md", "docs/networks.md", "docs/puppets.md",
    "docs/running.md", "docs/larger-machines.md",
    "docs/results.md", "docs/selection.md", "docs/ledger-jhmdb-tuned/pooled.md",
    "docs/ledger-jhmdb-course/pooled.md",
    "docs/ledger-jhmdb-split-1/ledger.md",
    "docs/ledger-jhmdb-folds/pooled.md", "docs/ledger-puppets/ledger.md", "docs/limits.md",
    "docs/security.md", "docs/install.md", "docs/doors.md", "benchmarks/README.md",
    "tests/README.md", "CONTRIBUTING.md", "CHANGELOG.md",
)  # fmt: skip
LEDGER_NOTEBOOK = "10_ablations"  # makes a small one on generated clips


def build(
    out: Path,
    work: Path,
    notebooks: Sequence[Path],
    entries: Sequence[dict[str, Any]],
    modules: Sequence[str],
    documents: Sequence[str] = (),
    ledger: Path | None = None,
) -> int:
    """Make the site in the folder out; return Sphinx's exit code, which is 1 after any warning.

    work: a folder for executed notebooks and Sphinx's sources, used again by the next build.
    notebooks: none for the reference alone. entries: of equations.yml. modules: of the reference.
    ledger: a folder of `rstan-lite ledger`; None: the one that the lesson of it made. Raises
    NotebookError where a cell fails.
    """
    out, work = out.resolve(), work.resolve()  # notebooks run in a folder of their own
    source = work / "source"
    executed = execute(notebooks, work)
    shutil.rmtree(source, ignore_errors=True)
    for path in executed:
        here = [entry for entry in entries if entry["notebook"] == path.stem]
        cells = {entry[kind] for entry in here for kind in ("cell", "figure")}
        write_notebook(path, source / "notebooks" / path.name, sorted(cells))
    write_documents(ROOT, documents, source)
    write_reference(modules, source / "reference")
    look_up = ["reference/index", "genindex"]
    if notebooks:
        write_equations(entries, source / "equations.md")
        if ledger is None:
            ledger = work / "runs" / LEDGER_NOTEBOOK / "ledger"
            write_ledger_files(read(open_plan(ledger)), ledger)
        write_ledger(ledger, source)
        look_up = ["equations", "ledger/index", *look_up]
    write_index(source, [path.stem for path in notebooks], look_up, documents)
    arguments = ["-W", "--keep-going", "-q", "-b", "html", "-c", str(ROOT / "website")]
    arguments += ["-d", str(work / "doctrees"), str(source), str(out)]
    return int(sphinx(arguments))


def write_index(
    source: Path, notebooks: Sequence[str], look_up: Sequence[str], documents: Sequence[str]
) -> None:
    """Write the first page, with all others in the order of the menu."""

    def menu(caption: str, names: Sequence[str]) -> list[str]:
        if not names:
            return []
        return ["```{toctree}", ":maxdepth: 1", f":caption: {caption}", "", *names, "```", ""]

    lines = [
        "# rstan-lite",
        "",
        "A recurrent network that names the action in a video and shows what it looked at: RSTAN, "
        "step by step. These pages need no internet."
        + " Every figure and number in the notebooks was made when the site was, on generated "
        "clips unless a notebook says otherwise." * bool(notebooks),
        "",
        *menu("Notebooks", [f"notebooks/{name}" for name in notebooks]),
        *menu("Look up", look_up),
        *menu("Documents", [name.removesuffix(".md") for name in documents]),
    ]
    (source / "index.md").write_text("\n".join(lines), encoding="utf-8")


def modules_of_the_package() -> list[str]:
    """All modules of rstan_lite, packages before what is in them."""
    found = pkgutil.walk_packages(rstan_lite.__path__, "rstan_lite.")
    return ["rstan_lite", *(module.name for module in found)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(prog="python -m website", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", metavar="FOLDER")
    parser.add_argument(
        "--ledger", type=Path, help="a folder of `rstan-lite ledger` (default: a small one)"
    )
    parser.add_argument(
        "--reference", action="store_true", help="the reference alone: no notebook is executed"
    )
    given = parser.parse_args(arguments)
    entries = yaml.safe_load((ROOT / "equations.yml").read_text(encoding="utf-8"))
    try:
        code = build(
            given.out,
            given.out.with_name(f"{given.out.name}-work"),
            [] if given.reference else sorted((ROOT / "notebooks").glob("*.ipynb")),
            entries,
            modules_of_the_package(),
            () if given.reference else DOCUMENTS,
            given.ledger,
        )
    except RstanError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not code:
        print(f"The site: {given.out / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
