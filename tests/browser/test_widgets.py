"""Each widget of the notebooks in a real JupyterLab: moved by keyboard, read by its text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from rstan_lite.puppets import generate
from rstan_lite.show.widgets import TEXT_CLASS
from tests.browser.lab import CELLS, Lab, run_all, running

FOLDER = Path(__file__).parents[2] / "notebooks"
PICTURE = """async () => {
    const shown = await fetch(document.querySelector('img.widget-image').src);
    return Array.from(new Uint8Array(await shown.arrayBuffer())).join();
}"""


def page_of(begins: str) -> pytest.MarkDecorator:
    """A page for the first cell of code whose id begins so."""
    found = [
        (path, cell.id)
        for path in sorted(FOLDER.glob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and cell.id.startswith(begins)
    ]
    return pytest.mark.parametrize("page", found[:1], ids=[begins], indirect=True)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Lab]:
    """A running JupyterLab, where there is a Chromium to look at it, and a few clips."""
    with running(tmp_path_factory.mktemp("lab")) as made:
        small: Any = {"size": (96, 128), "workers": 1, "progress": False}
        generate(made.folder / "clips", 3, ("golf", "sit", "wave"), **small)
        yield made


@pytest.fixture
def page(chromium: Any, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page with the cells down to the widget run on few clips, the widget the last of them."""
    path, cell_id = request.param
    notebook = nbformat.read(path, as_version=4)
    (last,) = (i for i, cell in enumerate(notebook.cells) if cell.id == cell_id)
    notebook.cells = notebook.cells[: last + 1]
    (given,) = (cell for cell in notebook.cells if cell.id == "parameters")
    given.source += "\nroot, iterations = 'clips', 2"
    nbformat.write(notebook, lab.folder / f"{path.stem}-{cell_id}.ipynb")
    tab = chromium.new_page()
    tab.goto(lab.page(f"{path.stem}-{cell_id}.ipynb"))
    run_all(tab)
    tab.wait_for_selector(
        f".{TEXT_CLASS} p, [data-mime-type*='error'], .jp-mod-error", timeout=CELLS
    )
    yield tab
    tab.close()


def text_of(page: Any) -> str:
    return page.locator(f".{TEXT_CLASS} p").inner_text().strip()


def wait_for_other_text(page: Any, before: str) -> str:
    page.wait_for_function(
        "([name, before]) => document.querySelector(name).innerText.trim() !== before",
        arg=[f".{TEXT_CLASS} p", before],
        timeout=60_000,
    )
    return text_of(page)


@page_of("explore-")
def test_keys_move_the_control_and_the_figure_follows(page: Any) -> None:
    first = text_of(page)
    assert len(first) > 20
    assert page.locator(f".{TEXT_CLASS} [role=alert]").count() == 0
    assert page.get_by_text("javascript error").count() == 0
    drawn = page.locator(".widget-vbox img")
    assert drawn.count() == 1
    assert drawn.evaluate("node => node.complete && node.naturalWidth > 100")
    labels = page.locator(".widget-slider .widget-label, .widget-hslider .widget-label")
    assert labels.count() >= 1
    assert all(label.strip() for label in labels.all_inner_texts())
    control = page.locator(".widget-vbox [role=slider]").first
    now, end = (control.get_attribute(f"aria-value{name}") for name in ("now", "max"))
    there, back = ("ArrowLeft", "ArrowRight") if now == end else ("ArrowRight", "ArrowLeft")
    assert control.evaluate("node => node.tabIndex") >= 0
    control.focus()
    page.keyboard.press(there)
    moved = wait_for_other_text(page, first)
    page.keyboard.press(back)
    assert wait_for_other_text(page, moved) == first  # the same values, the same figure


@page_of("explorer")
def test_the_explorer_follows_keys_and_survives_a_bad_file(page: Any) -> None:
    first, picture = text_of(page), page.evaluate(PICTURE)
    names = page.locator(".widget-hslider .widget-label").all_inner_texts()
    assert names == ["time step", "clip", "view", "checkpoint"]
    sliders = page.locator(".widget-vbox [role=slider]")
    sliders.first.focus()
    page.keyboard.press("ArrowRight")
    second = wait_for_other_text(page, first)
    assert "step 1 of" in first
    assert "step 2 of" in second
    moved = page.evaluate(PICTURE)
    assert moved != picture
    with page.expect_file_chooser() as chooser:
        page.locator("button.widget-upload").press("Enter")
    broken = {"name": "broken.mp4", "mimeType": "video/mp4", "buffer": b"no video"}
    chooser.value.set_files(broken)
    page.wait_for_selector("[role=alert] >> text=broken.mp4", timeout=60_000)
    assert text_of(page) == second  # of the picture that stays
    assert page.evaluate(PICTURE) == moved
    sliders.first.focus()
    page.keyboard.press("ArrowLeft")
    assert wait_for_other_text(page, second) == first
    assert page.evaluate(PICTURE) == picture
    sliders.nth(2).focus()
    page.keyboard.press("ArrowRight")
    assert wait_for_other_text(page, first).startswith("Fig. 1")
    page.locator("button", has_text="save as PNG").press("Enter")
    page.wait_for_selector("text=saved:", timeout=60_000)
