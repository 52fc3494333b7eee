"""The explorer, whose panel `explore` has too, in a real JupyterLab: keys move it."""

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


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Lab]:
    """A running JupyterLab, where there is a Chromium to look at it, and a few clips."""
    with running(tmp_path_factory.mktemp("lab")) as made:
        small: Any = {"size": (96, 128), "workers": 1, "progress": False}
        generate(made.folder / "clips", 3, ("golf", "sit", "wave"), **small)
        yield made


@pytest.fixture
def page(chromium: Any, lab: Lab) -> Iterator[Any]:
    """A page with the cells down to the explorer run on few clips."""
    notebook = nbformat.read(FOLDER / "12_attention_explorer.ipynb", as_version=4)
    (last,) = (i for i, cell in enumerate(notebook.cells) if cell.id == "explorer")
    notebook.cells = notebook.cells[: last + 1]
    (given,) = (cell for cell in notebook.cells if cell.id == "parameters")
    given.source += "\nroot, iterations = 'clips', 2"
    nbformat.write(notebook, lab.folder / "explorer.ipynb")
    tab = chromium.new_page()
    tab.goto(lab.page("explorer.ipynb"))
    run_all(tab)
    ends = f".{TEXT_CLASS} p, [data-mime-type*='error'], .jp-mod-error"
    tab.wait_for_selector(ends, timeout=CELLS)
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


def test_the_explorer_follows_keys_and_survives_a_bad_file(page: Any) -> None:
    first, picture = text_of(page), page.evaluate(PICTURE)
    assert page.get_by_text("javascript error").count() == 0
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
