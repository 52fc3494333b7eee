"""Each recipe of `docs/recipes` runs as it stands; what `docs/public.md` says is so."""

import csv
import doctest
import re
import runpy
import sys
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import STEPS
from small_runs import as_words, small_options

import rstan_lite
from rstan_lite.data.datasets import open_clips
from rstan_lite.data.own_clips import OwnClips
from rstan_lite.lab.model_card import CARD
from rstan_lite.lab.scores import read_predictions
from rstan_lite.model import RSTANConfig

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
PAGE = RECIPES.with_suffix(".md").read_text(encoding="utf-8")


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a recipe as a script, in an empty folder."""

    def started(name: str, *arguments: object) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(RECIPES)  # as Python does with a script's folder
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        try:
            runpy.run_path(str(RECIPES / name), run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                pytest.fail(f"{name} ended with {ended.code}")

    return started


def options(place: Path) -> list[str]:
    """What makes a training small enough for a test."""
    given = small_options(place, dataset="folder")
    del given["root"], given["appearance_weights"]
    return as_words(given)


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.py")), ids=lambda path: path.stem)
def test_a_recipe_is_short_and_on_the_page(recipe):
    code = recipe.read_text(encoding="utf-8").split('"""', 2)[2]  # behind the title
    lines = [line.strip() for line in code.splitlines()]
    assert len([line for line in lines if line and line[0] != "#"]) <= 20
    assert f"(recipes/{recipe.name})" in PAGE


def test_own_clips(run, place, tmp_path, capsys):
    weights = ["--appearance-weights", str(place / "appearance.safetensors")]
    run("own_clips.py", place / "clips", tmp_path / "run", *options(place), *weights)
    assert "classes: jump pick push" in capsys.readouterr().out


def test_own_split(run, place, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    for action in (place / "clips").iterdir():
        (clips / action.name).symlink_to(action)
    (clips / "masks" / "push").mkdir(parents=True)
    np.savez(clips / "masks" / "push" / "push0.npz", masks=np.ones((9, 48, 64), np.uint8))
    run("own_split.py", clips, "3.avi")
    data = OwnClips(clips, validation=0)
    assert {clip.name for clip in data.test} == {"jump3", "pick3", "push3"}
    assert len(data.train) == 9


def test_own_reader(run, place, tmp_path, capsys):
    files = sorted((place / "clips").glob("*/*.avi"))
    rows = [[f, f.parent.name, "test" if f.stem[-1] == "3" else "train"] for f in files]
    with (tmp_path / "list.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["file", "class", "part"], *rows])
    run("own_reader.py", tmp_path)
    assert capsys.readouterr().out == "9 training clips\n"
    data = open_clips("own_reader:Listed", tmp_path, validation=0)
    assert data.frames(data.train[0]).shape[1:] == (48, 64, 3)
    assert (data.classes, len(data.train), len(data.test)) == (tuple(sorted(STEPS)), 9, 3)


def test_own_network(run, place, tmp_path):
    run("own_network.py", place / "clips", tmp_path / "run", *options(place))
    model = rstan_lite.load(tmp_path / "run")
    assert model.config.backbone == "python:own_network.make:0:2"
    assert model.network.config.d_cv["appearance"] == 32
    assert set(model.predict(place / "clips" / "push" / "push0.avi")) == set(STEPS)


def test_own_stream(run, place, tmp_path):
    weights = ["--appearance-weights", str(place / "appearance.safetensors")]
    run("own_stream.py", place / "clips", tmp_path / "run", *options(place), *weights)
    model = rstan_lite.load(tmp_path / "run")
    assert model.network.config.streams == ("appearance", "motion", "edges")
    look = model.attend(place / "clips" / "push" / "push0.avi")
    assert set(look.maps) == {"appearance", "motion", "edges", "fused"}
    card = (tmp_path / "run" / CARD).read_text(encoding="utf-8")
    assert "on images that `own_stream:edges` makes" in card
    model.save_pretrained(tmp_path / "saved")
    found = tmp_path / "saved" / "checkpoint.json"
    text = found.read_text(encoding="utf-8")
    found.write_text(re.sub(r'("own_stream": )"\w+"', r'\1"another"', text), encoding="utf-8")
    with pytest.warns(UserWarning, match="own_stream has changed since the run was trained"):
        again = rstan_lite.load(tmp_path / "saved").predict(place / "clips" / "push" / "push0.avi")
    assert again == model.predict(place / "clips" / "push" / "push0.avi")


def test_own_attention(run, place, tmp_path, capsys, monkeypatch):
    from rstan_lite.model import rstan

    monkeypatch.setattr(rstan, "frame_scores", rstan.frame_scores)  # put back afterwards
    run("own_attention.py", place / "run", tmp_path / "out")
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["additive", "dot-product", "difference"]
    files = [tmp_path / "out" / name / "predictions.npz" for name in names[:2]]
    scores = [read_predictions(file).scores for file in files]
    assert np.abs(scores[0] - scores[1]).max() > 1e-6
    # Eq. 5 is a dot product still, and whoever opens the other run is told so
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rstan_lite.load(files[1].parent)
    with pytest.warns(UserWarning, match="its own in the place of frame_scores .* now dot_product"):
        rstan_lite.load(files[0].parent)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="dot_product in the place of frame_scores .* now its own"):
        rstan_lite.load(tmp_path / "out" / "dot-product")


def test_own_fusion(run):
    fused = runpy.run_path(str(RECIPES / "own_fusion.py"))["GatedRSTAN"]
    both = ("appearance", "motion")
    config = RSTANConfig(both, {s: 3 for s in both}, {s: 4 for s in both}, {"own": 2}, 5, 6)
    torch.manual_seed(0)
    model = fused(config)
    given = {s: torch.randn(2, 3, 4, 3) for s in both}, {s: torch.randn(2, 3, 4) for s in both}
    found = model(*given, return_attention=True)
    own = found.attention.alpha_stream
    torch.testing.assert_close(found.attention.alpha, (own["appearance"] + own["motion"]) / 2)
    found.logits.sum().backward()
    assert model.gate.grad.abs() > 0


@pytest.mark.parametrize(("recipe", "start"), [("own_loop.py", "loss "), ("own_model.py", "loss ")])
def test_own_loops(run, place, capsys, recipe, start):
    run(recipe, place / "run")
    said = capsys.readouterr().out.splitlines()
    found = [float(line.rpartition(" ")[2]) for line in said]
    assert said[0].startswith(start)
    assert np.isfinite(found).all()


def test_own_features(run, tmp_path, capsys):
    run("own_features.py", tmp_path / "run")
    assert float(capsys.readouterr().out.rpartition(" ")[2]) > 0.9


def test_own_scores(run, place, tmp_path, capsys):
    found = read_predictions(place / "run" / "predictions.npz")
    with (tmp_path / "scores.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [[n, *np.eye(3)[label]] for n, label in zip(found.names, found.labels, strict=True)]
        csv.writer(file).writerows([["clip", *found.classes], *rows])
    run("own_scores.py", place / "run", tmp_path / "scores.csv")
    assert "yours: 100.0%" in capsys.readouterr().out


def test_attention_maps(run, place, tmp_path):
    video = place / "clips" / "push" / "push0.avi"
    run("attention_maps.py", place / "run", video, tmp_path / "out")
    with np.load(tmp_path / "out" / "attention.npz") as arrays:
        assert arrays["fused"].shape == (4, 4, 4)
    assert list((tmp_path / "out").glob("push0*.mp4"))


def test_to_onnx(run, place, tmp_path, capsys):
    pytest.importorskip("onnxruntime", reason="the recipe's libraries: pip install '.[onnx]'")
    run("to_onnx.py", place / "run", tmp_path / "model.onnx")
    said = capsys.readouterr().out
    assert float(said.rpartition(":")[2]) < 1e-5


PUBLIC = Path(__file__).resolve().parents[2] / "docs" / "public.md"
SAID = PUBLIC.read_text(encoding="utf-8")
SHOWN = [line for line in SAID.splitlines() if line.startswith((">>>", "..."))]
EXAMPLES = "\n".join([*SHOWN, *(path.read_text(encoding="utf-8") for path in RECIPES.glob("*.py"))])
NAMES = sorted(set(re.findall(r"`(rstan_lite\.[\w.]+)`", SAID)) - {"rstan_lite.show"})


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_says_what_it_does_and_has_an_example(name):
    home, _, last = name.rpartition(".")
    try:
        found = getattr(import_module(home), last)
    except ModuleNotFoundError:  # `losses` is reached by a name of the package, as the page does
        package, _, module = home.rpartition(".")
        found = getattr(getattr(import_module(package), module), last)
    assert (found.__doc__ or "").strip()
    assert re.search(rf"import .*\b{last}\b|\b{last}\(", EXAMPLES)


def test_the_examples_give_what_the_page_says():
    plain = re.sub(r"^```.*$", "", SAID, flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(plain, {}, PUBLIC.name, str(PUBLIC), 0)
    assert len(test.examples) > 25
    torch.manual_seed(0)
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert said == []
