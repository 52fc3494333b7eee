"""The site in a browser without internet: every page, every link, search and controls."""

from collections.abc import Iterator
from typing import Any

import pytest

from rstan_lite.system.errors import NotebookError
from tests.classroom.made import code, words, write
from tests.site.conftest import Site
from tests.site.crawl import Seen, crawl

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


def test_each_of_two_controls_moves_by_keyboard_without_a_kernel(tab: Any) -> None:
    tab.goto(SCORES)
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
