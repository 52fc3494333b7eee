"""A small site of two notebooks, made once as the whole one is."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest

from rstan_lite.show.style import describe, keep, new_figure

DRAW = """\
from rstan_lite.show.style import describe, new_figure

def draw(gamma):
    figure = new_figure(3, 2)
    figure.subplots().bar(range(3), [gamma, 1, 2])
    return describe(figure, f"Three bars, the first {gamma:g} high.")

show.keep(draw(1.0), "figures/bars.png")"""
BOTH = """\
show.explore(lambda gamma, times: draw(gamma * times), gamma=show.slider(0, 2, 1, 1, 'height'),
             times=show.choice((1, 2), 1, 'times'))"""
NOISE = """\
import sys
from pathlib import Path
print("read from", Path.cwd() / "clips.npz")
print("noise of a library", file=sys.stderr)"""
FIRST = [
    "# 1. Scores\n\nThe score $e_k$ of a place, with $\\bm{v}$ learnt:",
    "$$\n\\begin{aligned} e_k &= \\mathbf v^\\top \\tanh(\\mathbf a) \\tag{2} \\end{aligned}\n$$",
    ("setup", "from rstan_lite import show\n\nshow.symbols('alpha', 'beta', 'gamma_alpha')"),
    "## By hand",
    ("eq-02", "def scores_by_hand(a):\n    return a"),
    ("fig-bars", DRAW),
    ("explore-bars", "show.explore(draw, gamma=show.slider(0.0, 3.0, 0.5, 1.0, 'height'))"),
    ("explore-both", BOTH),
    ("noise", NOISE),
    ("blank-1", "answer = 42"),
]
SECOND = ["# 2. Weights\n\nAfter [the scores](01_scores.ipynb).", ("one", "1 + 1")]
LEDGER = (
    "# Ledger: puppets\n\nMade of /some/where/puppets.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
)
ENTRY = {
    "equation": 2, "what": "location scores", "notebook": "01_scores", "cell": "eq-02",
    "by_hand": "scores_by_hand", "package": "rstan_lite.model.location_scores",
    "figure": "fig-bars",
}  # fmt: skip
MODULES = ["rstan_lite.model", "rstan_lite.model.rstan", "rstan_lite.show.widgets"]


class Site(NamedTuple):
    """A site that was made: its first folder, the folder of work, and how to make it again."""

    out: Path
    work: Path
    notebooks: list[Path]
    ledger: Path

    def build(self) -> int:
        """Make it, from paths as a command line has them; Sphinx's exit code."""
        from website.__main__ import build

        out, work = (Path(os.path.relpath(path)) for path in (self.out, self.work))
        return build(out, work, self.notebooks, [ENTRY], MODULES, (), self.ledger)


def write_notebook(path: Path, cells: list[Any]) -> Path:
    """Write Markdown where a cell is a text, code where it is a pair of id and text."""
    made = []
    for cell in cells:
        if isinstance(cell, str):
            made.append(nbformat.v4.new_markdown_cell(cell))
        else:
            made.append(nbformat.v4.new_code_cell(cell[1], id=cell[0]))
            if cell[0].startswith("blank"):
                made[-1].metadata = {"jupyter": {"source_hidden": True}, "tags": ["blank"]}
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


def write_ledger(folder: Path) -> Path:
    """Files like those of `rstan-lite ledger`."""
    folder.mkdir()
    (folder / "ledger.md").write_text(LEDGER, encoding="utf-8")
    figure = describe(new_figure(2, 1), "Two rows of a ledger.")
    for name in ("ledger", "claims"):
        (folder / f"{name}.csv").write_text("a,b\n1,2\n", encoding="utf-8")
        keep(figure, folder / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The small site, made."""
    home = tmp_path_factory.mktemp("some where")  # a path with a space
    notebooks = [
        write_notebook(home / "01_scores.ipynb", FIRST),
        write_notebook(home / "02_weights.ipynb", SECOND),
    ]
    made = Site(home / "site", home / "work", notebooks, write_ledger(home / "ledger"))
    made.work.mkdir()
    assert made.build() == 0
    return made
