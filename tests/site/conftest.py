"""A small site of two notebooks, made once as the whole one is."""

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from rstan_lite.show.style import describe, keep, new_figure
from tests.classroom.made import code, words, write

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
FORMULA = "e_k &= \\mathbf v^\\top \\tanh(\\mathbf a) \\tag{2}"
FIRST = [
    words("# 1. Scores\n\nThe score $e_k$ of a place, with $\\bm{v}$ learnt:", "title"),
    words(f"$$\n\\begin{{aligned}} {FORMULA} \\end{{aligned}}\n$$", "formula"),
    code("from rstan_lite import show\n\nshow.symbols('alpha', 'beta', 'gamma_alpha')", "setup"),
    words("## By hand"),
    code("def scores_by_hand(a):\n    return a", "eq-02"),
    code(DRAW, "fig-bars"),
    code("show.explore(draw, gamma=show.slider(0.0, 3.0, 0.5, 1.0, 'height'))", "explore-bars"),
    code(BOTH, "explore-both"),
    code(NOISE, "noise"),
    code("answer = 42", "blank-1", "blank", hidden=True),
]
SECOND = [words("# 2. Weights\n\nAfter [the scores](01_scores.ipynb)."), code("1 + 1", "one")]
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
    notebooks = [write(home / "01_scores.ipynb", *FIRST), write(home / "02_weights.ipynb", *SECOND)]
    made = Site(home / "site", home / "work", notebooks, write_ledger(home / "ledger"))
    made.work.mkdir()
    assert made.build() == 0
    return made
