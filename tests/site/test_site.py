"""A small site in a browser without internet: every page, every link, search and controls.

It has two notebooks, and is made once as the whole one is.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rstan_lite.classroom.page import write_page
from rstan_lite.show.style import describe, keep, new_figure
from rstan_lite.system.errors import NotebookError
from tests.classroom.made import code, words, write
from tests.site.crawl import Seen, crawl

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


SCORES = "notebooks/01_scores.html"


@pytest.fixture(scope="module")
def seen(chromium: Any, site: Site) -> Seen:
    """What a crawl of the small site found."""
    return crawl(chromium, site.out)


@pytest.fixture
def tab(chromium: Any, site: Site) -> Iterator[Any]:
    """A page in a browser that is offline; addresses begin at the site's folder."""
    context = chromium.new_context(offline=True, base_url=f"{site.out.as_uri()}/")
    yield context.new_page()
    context.close()


def test_nothing_is_wrong_on_any_page(seen: Seen) -> None:
    assert not seen.wrong, str(seen)
    assert seen.pages > 10
    assert len(seen.links) > 50
    assert seen.images == 5  # three figures, two of them movable, and two of the ledger
    assert seen.formulas == 3
    assert seen.texts > 500


def test_search_finds_by_files_alone(tab: Any) -> None:
    tab.goto("search.html?q=hand")
    tab.wait_for_selector("#search-results li a")
    found = tab.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    assert any(SCORES in address for address in found)


@pytest.mark.parametrize("made_by", ["the site", "rstan-lite run"])
def test_each_of_two_controls_moves_by_keyboard_without_a_kernel(made_by, tab, site, tmp_path):
    page = (site.out / SCORES).resolve()
    if made_by == "rstan-lite run":  # it executes, as the site does, and then writes this page
        page = write_page(site.work / "executed" / "01_scores.ipynb", tmp_path / "page.html")
    tab.goto(page.as_uri())
    figure = tab.locator(".rstan-positions").nth(1)
    text, image = figure.locator("figcaption"), figure.locator("img")
    seen = [image.get_attribute("src")]
    for label, key, height, alt in (
        ("times", "ArrowRight", 2, "height: 1, times: 2"),
        ("height", "ArrowRight", 4, "height: 2, times: 2"),
        ("times", "ArrowLeft", 2, "height: 2, times: 1"),
        ("height", "Home", 0, "height: 0, times: 1"),
    ):
        figure.get_by_label(label).press(key)
        assert text.inner_text() == f"Three bars, the first {height} high."
        assert image.get_attribute("alt") == alt
        seen.append(image.get_attribute("src"))
    assert len({*seen}) == 4  # 2 high are twice 1 and once 2
    assert figure.locator("output").all_inner_texts() == ["0", "1"]


def test_an_equation_leads_to_its_cell_figure_function_and_code(tab: Any) -> None:
    tab.goto("equations.html")
    links = tab.eval_on_selector_all("tbody a", "all => all.map(a => a.href)")
    assert len(links) == 4
    shown = []
    for link in links:
        tab.goto(link)
        place = tab.locator(f"[id='{link.partition('#')[2]}']")
        assert place.count() == 1
        shown.append(place.evaluate("e => (e.innerText || e.nextElementSibling.innerText).trim()"))
    assert "def scores_by_hand(a)" in shown[0]
    assert "def draw(gamma)" in shown[1]
    assert shown[2].startswith("location_scores(")
    assert "def location_scores(" in shown[3]


def test_a_notebook_page_shows_what_it_should(tab: Any) -> None:
    tab.goto(SCORES)
    text = tab.locator("article").inner_text()
    assert "read from /path/to/clips.npz" in text
    assert "noise of a library" not in "".join(tab.locator(".cell_output").all_inner_texts())
    assert "show.explore(draw" in text
    assert "every_position" not in text
    solution = tab.locator("details", has_text="Solution")
    assert not solution.get_by_text("answer = 42").is_visible()
    assert tab.get_by_role("img", name="Three bars, the first 1 high.").count() == 1
    assert "when the notebook is open in Jupyter" not in text
    tab.evaluate("document.fonts.ready")
    fonts = tab.evaluate("[...document.fonts].map(f => [f.family.replaceAll('\"', ''), f.status])")
    assert fonts == [["STIX Two Math", "loaded"]]


def test_what_has_not_changed_is_not_executed_again_and_a_failing_cell_ends_the_build(site):
    first, second = (site.work / "executed" / path.name for path in site.notebooks)
    times = [path.stat().st_mtime_ns for path in (first, second)]
    write(site.notebooks[1], words("# 2. Weights"), code("print(6 * 7)", "one"))
    assert site.build() == 0
    assert first.stat().st_mtime_ns == times[0]
    assert second.stat().st_mtime_ns > times[1]
    assert "42" in (site.out / "notebooks" / "02_weights.html").read_text(encoding="utf-8")
    write(site.notebooks[1], words("# 2. Weights"), code("1 / 0", "one"))
    with pytest.raises(NotebookError, match=r"02_weights.*ZeroDivisionError"):
        site.build()
