"""`python -m benchmarks.keys [NAME=VALUE ...]`: from a key to the explorer's new picture.

The lesson's cells down to the explorer are run in JupyterLab under Chromium, with parameters as
given. Then arrow keys walk through the steps of one clip after the other, each press once the
picture before is there: to the last step, which draws new pictures, and back. A picture counts as
there once the browser has loaded it and its text names the step.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # as pytest's settings do

from chromium import NoChromiumError, launched

from tests.browser.lab import CELLS, run_all, running

LESSON = Path(__file__).parents[1] / "notebooks" / "12_attention_explorer.ipynb"
ROUNDS = 3  # clips walked through with each pause
PAUSES = {"at once": (0.0, 0.0), "after 0.1 to 0.4 s": (0.1, 0.4)}  # seconds until the next press
TEXT, SLIDER = ".rstan-figure-text p", ".widget-vbox [role=slider]"
# Note when a key goes down, and when a picture of another address has been loaded.
WATCH = """() => {
    const image = document.querySelector("img.widget-image");
    window.marks = {};
    const down = () => { window.marks = { down: performance.now() }; };
    document.addEventListener("keydown", down, true);
    image.addEventListener("load", () => { window.marks.there ??= performance.now(); });
}"""
THERE = """([name, step]) => {
    const { down, there } = window.marks;
    const said = document.querySelector(name).innerText.includes(`step ${step} of`);
    return down && there && said && { milliseconds: there - down };
}"""


def main(parameters: list[str]) -> int:
    """Measure, and print a line for each kind of press."""
    notebook = nbformat.read(LESSON, as_version=4)
    (last,) = (i for i, cell in enumerate(notebook.cells) if cell.id == "explorer")
    notebook.cells = notebook.cells[: last + 1]
    (given,) = (cell for cell in notebook.cells if cell.id == "parameters")
    given.source += "".join(f"\n{name} = {value!r}" for name, _, value in map(_parts, parameters))
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as home, running(Path(home)) as lab:
        nbformat.write(notebook, lab.folder / LESSON.name)
        with launched() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 1400})
            page.goto(lab.page(LESSON.name))
            run_all(page)
            page.wait_for_selector(TEXT, timeout=CELLS)
            page.wait_for_timeout(3000)
            page.evaluate(WATCH)
            for number in range(ROUNDS * len(PAUSES)):
                if number:
                    _next_clip(page)
                pause = list(PAUSES)[number % len(PAUSES)]
                for way, milliseconds in _walk(page, PAUSES[pause]):
                    found.setdefault((way, pause), []).append(milliseconds)
                    found.setdefault(("all", ""), []).append(milliseconds)
    print(
        "load of the machine:",
        *(f"{x:.1f}" for x in psutil.getloadavg()),
        f"{os.cpu_count()} cores",
    )
    print(f"{'':>42} presses  median  95th %  most (ms)")
    for (way, pause), times in sorted(found.items()):
        middle, most, top = np.percentile(times, [50, 95, 100])
        print(f"{way + ' ' + pause:>42} {len(times):7} {middle:7.0f} {most:7.0f} {top:5.0f}")
    return 0


def _parts(text: str) -> tuple[str, str, Any]:
    name, equals, value = text.partition("=")
    return name, equals, int(value) if value.isdigit() else value


def _walk(page: Any, pause: tuple[float, float]) -> list[tuple[str, float]]:
    """Press through the steps of the shown clip and back; what each press was, and what it took."""
    slider, taken = page.locator(SLIDER).first, []
    slider.focus()
    steps = int(float(slider.get_attribute("aria-valuemax")))
    ways = [("ArrowRight", step) for step in range(2, steps + 1)]
    ways += [("ArrowLeft", step) for step in range(steps - 1, 0, -1)]
    for key, step in ways:
        page.wait_for_timeout(1000 * random.uniform(*pause))
        page.keyboard.press(key)
        there = page.wait_for_function(THERE, arg=[TEXT, step], timeout=60_000).json_value()
        kind = "new step," if key == "ArrowRight" else "step drawn before,"
        taken.append((kind, there["milliseconds"]))
    return taken


def _next_clip(page: Any) -> None:
    """Choose the next clip, whose scene is computed first, and wait for its picture."""
    before = page.locator(TEXT).inner_text()
    page.locator(SLIDER).nth(1).press("ArrowRight")
    page.wait_for_function(
        "([name, before]) => document.querySelector(name).innerText !== before",
        arg=[TEXT, before],
        timeout=60_000,
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except NoChromiumError as missing:
        print(f"error: {missing}", file=sys.stderr)
        sys.exit(2)
