"""The tour runs from any folder at any size, and leaves what the README promises."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from measured import PROPERTY, Measured, check_attempt, run_measured, with_attempt
from PIL import Image

from rstan_lite.classroom import run_notebook
from rstan_lite.puppets import generate
from rstan_lite.show.results import RESULT_COLUMNS
from rstan_lite.system.errors import NotebookError
from rstan_lite.training.run_folder import read_predictions
from tests.site.crawl import DESK, LOOK, PHONE

TOUR = Path(__file__).parents[2] / "notebooks" / "00_tour.ipynb"
ACTIONS = ("jump", "pullup", "sit", "wave")
MODELS = ["two-stream LSTM", "+ attention", "+ fusion by max", "+ silhouettes"]
FIGURES = {"clip", "target", "step", "training", "attention", "fusion", "frames", "confusion"}
CUT_OFF = """() => [...document.querySelectorAll("main *")].filter((e) =>
    e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "hidden"
).map((e) => e.className)"""
SECONDS, MEBIBYTES = 240, 3072  # of a whole run on two cores; this small one needs far less


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measured, Path]:
    """A small run of the tour's teacher copy, on a few clips of four actions."""
    home = tmp_path_factory.mktemp("some where")  # a path with a space
    generate(home / "clips", clips_per_class=6, classes=ACTIONS, progress=False)
    small = {"root": "clips", "out": "made/tour", "iterations": 10, "seed": 3}
    (home / "copies").mkdir()
    return run_measured(with_attempt(TOUR, home / "copies"), small, home, html=True)


@pytest.fixture(scope="module")
def folder(run: tuple[Measured, Path]) -> Path:
    """The folder that the run leaves."""
    assert run[1].parts[-3:] == ("made", "tour", "00_tour.ipynb")
    return run[1].parent


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_every_cell_ran(folder: Path) -> None:
    cells = nbformat.read(folder / "00_tour.ipynb", as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert "error" not in kinds


def test_within_time_and_memory(run: tuple[Measured, Path], record_property) -> None:
    took, _ = run
    record_property(PROPERTY, ["00_tour", "4 actions, 6 clips", *took])
    assert took.seconds < SECONDS
    assert took.mebibytes < MEBIBYTES


def test_a_student_copy_fails_in_its_blanks_alone(folder: Path) -> None:
    check_attempt(folder / "00_tour.ipynb")


def test_numbers_are_those_of_the_four_models(folder: Path) -> None:
    found = metrics(folder)
    assert list(found["models"]) == MODELS
    assert found["test_accuracy"] == found["models"]["+ silhouettes"]["test_accuracy"]
    assert found["seed"] == 3
    assert found["peak_memory"] < MEBIBYTES
    for name, run in found["models"].items():
        assert 0 <= run["test_accuracy"] <= 1
        assert set(run["per_class"]) == set(ACTIONS)
        assert (run["attention_on_silhouette"] is None) == (name == "two-stream LSTM")


def test_predictions_agree_with_the_accuracy(folder: Path) -> None:
    found = read_predictions(folder / "predictions.npz")
    assert found.classes == ACTIONS
    assert len(found.names) == metrics(folder)["n_test"] > 0
    right = found.scores.argmax(axis=1) == found.labels
    assert np.isclose(right.mean(), metrics(folder)["test_accuracy"])
    np.testing.assert_allclose(found.scores.sum(axis=1), 1, atol=1e-5)


def test_figures_are_kept_with_their_descriptions(folder: Path) -> None:
    kept = list((folder / "figures").glob("*.png"))
    assert {path.stem for path in kept} == FIGURES
    for path in kept:
        with Image.open(path) as image:
            assert len(image.info["Description"]) > 20
            assert image.width > 400


def test_result_table_stands_in_the_notebook(folder: Path) -> None:
    cells = nbformat.read(folder / "00_tour.ipynb", as_version=4).cells
    (cell,) = [cell for cell in cells if "results" in cell.metadata.get("tags", [])]
    text = cell.outputs[-1].data["text/plain"]
    for word in (*RESULT_COLUMNS, *MODELS, "puppets, split 1, profile tiny, seed 3"):
        assert word in text


def test_page_shows_everything_without_internet(folder: Path) -> None:
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


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"splitt": 2}, "splitt"),
        ({"split": "two"}, "split of type int"),
        ({"resume": "perhaps"}, "resume of type bool"),
    ],
)
def test_other_parameters_are_refused_with_the_real_ones(
    wrong: dict, words: str, tmp_path: Path
) -> None:
    with pytest.raises(NotebookError) as caught:
        run_notebook(TOUR, wrong | {"out": str(tmp_path)}, progress=False)
    assert words in str(caught.value)
    assert "parameters: dataset, root, profile, " in str(caught.value)
    assert not list(tmp_path.iterdir())
