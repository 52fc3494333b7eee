"""Each notebook runs offline, from any folder, at another seed, within its time and memory.

What the text of some says of their run is checked in it, and what the README promises of the tour.

The lessons share a cache that holds their clips and features, as a reader's does from the first
lesson on that needs them. What runs is the teacher copy, in whose kernel the student copy's
exercises are tried as well. At its own parameters nbval runs each notebook.
"""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from lesson_features import make_features
from measured import Measured, check_attempt, offline, python, run_measured, with_attempt
from PIL import Image

from rstan_lite.lab.scores import read_predictions
from rstan_lite.puppets import generate
from rstan_lite.show.charts import RESULT_COLUMNS
from tests.site.crawl import DESK, LOOK, PHONE

FOLDER = Path(__file__).parents[2] / "notebooks"
TOUR, *LESSONS = sorted(FOLDER.glob("*.ipynb"))
CAPSTONE = FOLDER / "rstan_from_scratch.ipynb"  # without exercises that are checked
SECONDS, MEBIBYTES = 60, 2048  # of a lesson
TOUR_SECONDS, TOUR_MEBIBYTES = 240, 3072  # of a whole run; the small one here needs far less
SEED = 1  # every lesson has a seed; nbval runs them at 0
ACTIONS = ("jump", "pullup", "sit", "wave")
MODELS = ["two-stream LSTM", "+ attention", "+ fusion by max", "+ silhouettes"]
FIGURES = {"clip", "step", "training", "attention"}
CUT_OFF = """() => [...document.querySelectorAll("main *")].filter((e) =>
    e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "hidden"
).map((e) => e.className)"""
# What the text says of a run, whatever its seed: a cell, and its percentages in their order.
SAID: dict[str, tuple[str, Callable[..., bool]]] = {
    "01_clips_and_features": (
        "fig-receptive",
        lambda middle, other, corner: 2 * max(middle, other) < corner,
    ),
    "04_spatial_attention": ("maps", lambda right, even, motion: motion > 1.5 * even),
    "08_actor_attention": (
        "shares",
        lambda even, without, _, with_, __: without < 2 * even and with_ > 1.3 * without,
    ),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[Measured, Path]]:
    """Runs a notebook once: what it took, and its executed copy. The tour has a few clips."""

    @functools.cache
    def home(tour: bool) -> Path:
        made = tmp_path_factory.mktemp("some where")  # a path with a space
        (made / "copies").mkdir()
        if tour:
            generate(made / "clips", clips_per_class=6, classes=ACTIONS, progress=False)
        else:
            make_features()
        return made

    @functools.cache
    def run(path: Path) -> tuple[Measured, Path]:
        tour = path == TOUR
        small = {"root": "clips", "out": "made/tour", "iterations": 10, "seed": 3}
        copy = path if path == CAPSTONE else with_attempt(path, home(tour) / "copies")
        return run_measured(copy, small if tour else {"seed": SEED}, home(tour), html=tour)

    return run


@pytest.fixture(params=[TOUR, *LESSONS], ids=lambda path: path.stem)
def run(request: pytest.FixtureRequest, ran: Any) -> tuple[Measured, Path]:
    return ran(request.param)


@pytest.fixture
def folder(ran: Any) -> Path:
    """The folder that a run of the tour leaves."""
    output = ran(TOUR)[1]
    assert output.parts[-3:] == ("made", "tour", "00_tour.ipynb")
    return output.parent


def test_within_time_and_memory(run: tuple[Measured, Path]) -> None:
    took, output = run
    tour = output.stem == TOUR.stem
    assert took.seconds < (TOUR_SECONDS if tour else SECONDS)
    assert took.mebibytes < (TOUR_MEBIBYTES if tour else MEBIBYTES)


def test_a_student_copy_fails_in_its_blanks_alone(run: tuple[Measured, Path]) -> None:
    if run[1].stem != CAPSTONE.stem:
        check_attempt(run[1])


def test_sliders_are_drawn_beforehand(run: tuple[Measured, Path]) -> None:
    """A lesson's widget of more positions than a page may hold would be missing from it."""
    for cell in nbformat.read(run[1], as_version=4).cells:
        if cell.cell_type == "code" and cell.id.startswith("explore-"):
            assert "rstan-positions" in cell.outputs[-1].data["text/html"], cell.id


@pytest.mark.parametrize("lesson", SAID)
def test_the_text_says_what_came_out(lesson: str, ran: Any) -> None:
    id_, agrees = SAID[lesson]
    cells = nbformat.read(ran(FOLDER / f"{lesson}.ipynb")[1], as_version=4).cells
    (cell,) = (cell for cell in cells if cell.id == id_)
    texts = [o.get("text") or o.data.get("text/plain", "") for o in cell.outputs]
    shares = [int(share) for share in re.findall(r"(\d+)%", "".join(texts))]
    assert agrees(*shares), shares


def test_numbers_are_those_of_the_four_models_and_agree_with_the_predictions(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert list(metrics["models"]) == MODELS
    assert metrics["test_accuracy"] == metrics["models"]["+ silhouettes"]["test_accuracy"]
    assert metrics["seed"] == 3
    assert metrics["peak_memory"] < TOUR_MEBIBYTES
    for name, run in metrics["models"].items():
        assert set(run["per_class"]) == set(ACTIONS)
        assert (run["attention_on_silhouette"] is None) == (name == "two-stream LSTM")
    found = read_predictions(folder / "predictions.npz")
    assert found.classes == ACTIONS
    assert len(found.names) == metrics["n_test"] > 0
    right = found.scores.argmax(axis=1) == found.labels
    assert np.isclose(right.mean(), metrics["test_accuracy"])


def test_figures_are_kept_with_their_descriptions(folder: Path) -> None:
    kept = list((folder / "figures").glob("*.png"))
    assert {path.stem for path in kept} == FIGURES
    for path in kept:
        with Image.open(path) as image:
            assert len(image.info["Description"]) > 20
            assert image.width > 400


def test_table_and_page_show_everything_without_internet(folder: Path) -> None:
    cells = nbformat.read(folder / "00_tour.ipynb", as_version=4).cells
    (cell,) = [cell for cell in cells if "results" in cell.metadata.get("tags", [])]
    for word in (*RESULT_COLUMNS, *MODELS, "puppets, split 1, profile tiny, seed 3"):
        assert word in cell.outputs[-1].data["text/plain"]
    text = (folder / "00_tour.html").read_text(encoding="utf-8")
    images = re.findall(r"<img [^>]*>", text)
    assert len(images) == len(FIGURES)
    for image in images:
        assert re.search(r"""alt=("[^"]{20}|'[^']{20})""", image)
        assert 'src="data:image/png;base64,' in image
    assert "<script" not in text


def test_page_is_readable_by_night_and_on_a_phone(folder: Path, chromium: Any) -> None:
    tab = chromium.new_page()
    tab.goto((folder / "00_tour.html").as_uri())
    grounds = set()
    for size in (PHONE, DESK):
        tab.set_viewport_size(size)
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            seen = tab.evaluate(LOOK)
            assert seen["texts"] > 500
            assert seen["pale"] == []
            assert seen["scroll"] == 0, seen["wide"]
            assert tab.evaluate(CUT_OFF) == []
            grounds.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2
    tab.close()


def test_a_run_reaches_no_network() -> None:
    """The guard that the runs above start with does what it says."""
    for code in (
        "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
        "import urllib.request; urllib.request.urlopen('http://example.invalid')",
    ):
        done = python("-c", code, env=offline())
        assert done.returncode
        assert "no network here" in done.stderr
