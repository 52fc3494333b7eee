"""The explorer on real checkpoints: its numbers are the run's, and bad videos change nothing."""

import html
import json
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from clips import clip_arrays, write_avi, write_dataset
from small_runs import train_command, write_networks

from rstan_lite.classroom.notebook import UNATTENDED
from rstan_lite.cli import main
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.lab.attention import scenes
from rstan_lite.lab.scores import read_predictions
from rstan_lite.model.rstan import fuse_scores
from rstan_lite.show.explorer import (
    BOTH,
    PRESETS,
    Stage,
    explorer,
    one_of_each,
    open_checkpoints,
    render,
    setting_of,
    view_of,
    widget,
)
from rstan_lite.show.explorer.widget import panel_of
from rstan_lite.system.errors import CheckpointError, ConfigError, DataError

widgets = pytest.importorskip("ipywidgets")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips, networks, and two runs: without silhouettes and with them."""
    place = tmp_path_factory.mktemp("place")
    write_dataset(place / "clips", per_class=4)
    write_networks(place)
    for run, variant in (("without", "fusion-max"), ("with", "silhouettes-ce")):
        assert main(train_command(place, run, dataset="jhmdb", variant=variant)) == 0
    return place


@pytest.fixture
def stage(place: Path) -> Stage:
    checkpoints = open_checkpoints({"without": place / "without", "with": place / "with"}, "cpu")
    data = JHMDB(place / "clips", validation=0.25)
    return Stage(checkpoints, data, one_of_each(data.test))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A short film's content."""
    path = tmp_path_factory.mktemp("video") / "own.avi"
    return write_avi(path, clip_arrays("jump", 7, 9)[0]).read_bytes()


def test_the_arrays_are_the_models(stage: Stage, place: Path) -> None:
    scene = stage.scene(stage.titles[0])
    assert stage.scene(stage.titles[0]) is scene
    assert [look.name for look in scene.looks] == ["without", "with"]
    for look, run in zip(scene.looks, ("without", "with"), strict=True):
        assert look.rows == ("appearance", "motion", "fused")
        for row in ("appearance", "motion"):
            np.testing.assert_allclose(look.alpha[row][look.valid].sum(-1), 1, atol=1e-5)
            np.testing.assert_allclose(look.beta[row].sum(-1), 1, atol=1e-5)
        for found in (look.alpha, look.beta):
            streams = [torch.from_numpy(found[row]) for row in ("appearance", "motion")]
            np.testing.assert_array_equal(found["fused"], fuse_scores(streams, "max").numpy())
        told = read_predictions(place / run / "predictions.npz")
        name = stage.clips[stage.titles[0]].name
        expected = told.scores[told.names.index(name)]
        np.testing.assert_allclose(look.scores[-1], expected, atol=1e-3)  # stored in half precision
    assert np.abs(scene.looks[0].scores - scene.looks[1].scores).max() > 0


def test_runs_that_do_not_fit_are_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        open_checkpoints({})
    with pytest.raises(CheckpointError):
        open_checkpoints({"none": tmp_path})
    other = shutil.copytree(place / "with", tmp_path / "other")
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps(config | {"test_frames": 3}), encoding="utf-8")
    with pytest.raises(ConfigError, match="test_frames: found 3; expected 4"):
        open_checkpoints({"with": place / "with", "other": other})


def test_a_video_of_ones_own_is_added(stage: Stage, video: bytes) -> None:
    before = stage.titles
    title = stage.upload("own.avi", video)
    assert stage.upload("some/where/own.avi", memoryview(video)) == "own.avi (2)"
    assert stage.titles == [*before, "own.avi", "own.avi (2)"]
    drawn = render(view_of(stage, title), 2)
    assert stage.action(title) == ""
    assert "on the person" not in drawn.alt
    assert f"{title}, step 2 of 4, frame" in drawn.alt


@pytest.fixture
def bad_contents(video, tmp_path):
    single = write_avi(tmp_path / "single.avi", clip_arrays("jump", 7, 1)[0])
    return {
        "single.avi": single.read_bytes(),
        "cut.avi": video[: len(video) // 2],
        "empty.mp4": b"",
        "notes.txt": b"no video at all",
        "list.m3u8": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    }


def made_of(stage: Stage, folder: Path) -> SimpleNamespace:
    """The explorer's panel, its button for uploads, and those that save, by their kind."""
    panel, box = panel_of(stage, folder)
    row = next(child for child in box.children if isinstance(child, widgets.HBox))
    upload, *saves = row.children
    return SimpleNamespace(panel=panel, upload=upload, saves={b.description[-3:]: b for b in saves},
                           **panel.controls)  # fmt: skip


def said(made: SimpleNamespace, by: str = "text") -> str:
    """What stands below the picture, its text alternative, or, by "status", below the buttons."""
    return html.unescape(re.sub("<[^>]+>", "", getattr(made.panel, by).value))


def picture(made: SimpleNamespace) -> bytes:
    return bytes(made.panel.picture.value)


def test_moving_a_control_changes_picture_and_words(stage: Stage, tmp_path: Path) -> None:
    made = made_of(stage, tmp_path)
    seen = {picture(made)}
    assert said(made) == render(view_of(stage, stage.titles[0]), 1).alt
    assert picture(made).startswith(b"\xff\xd8")  # JPEG
    for control, value in (
        ("step", 3), ("title", stage.titles[1]), ("checkpoint", "with"), ("checkpoint", BOTH),
    ):  # fmt: skip
        getattr(made, control).value = value
        view = view_of(stage, made.title.value, made.figure.value, made.checkpoint.value)
        assert said(made) == render(view, made.step.value).alt
        seen.add(picture(made))
    assert len(seen) == 4  # both checkpoints again: the same picture again
    assert made.step.continuous_update
    for one in (*made.panel.controls.values(), made.upload, *made.saves.values()):
        assert one.description.strip()


def test_beforehand_has_the_first_view_at_each_step_of_some_clips(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(widget, "PICTURES", 2 * stage.steps + 1)
    monkeypatch.setenv(UNATTENDED, "1")
    made, steps = explorer(stage, tmp_path), range(1, stage.steps + 1)
    assert made.words == (tuple(stage.titles[:2]), tuple(map(str, steps)))
    expected = [render(view_of(stage, name), t).alt for name in stage.titles[:2] for t in steps]
    assert [text for _, text in made.pictures] == expected
    assert made.now == (0, 0)
    assert all(content[8:12] == b"WEBP" for content, _ in made.pictures)


def test_a_preset_sets_clip_checkpoint_and_step(stage: Stage, tmp_path: Path) -> None:
    made = made_of(stage, tmp_path)
    for preset in PRESETS:
        made.figure.value = preset.name
        chosen = made.title.value, made.checkpoint.value, made.step.value
        checkpoint = BOTH if preset.kind == "checkpoints" else "without"
        assert chosen == setting_of(stage, preset, checkpoint)
        assert said(made).startswith(preset.name)
        assert f"{preset.name} has set clip, checkpoint and step" in said(made, "status")
    made.step.value = 1 if made.step.value > 1 else 2
    assert said(made, "status") == ""
    made.figure.value = "Fig. 5, Pick"
    assert stage.action(made.title.value) == "pick"


def test_what_is_saved_is_what_is_shown(stage: Stage, tmp_path: Path) -> None:
    made = made_of(stage, tmp_path / "exports")
    made.step.value = 2
    for kind, button in made.saves.items():
        button.click()
        assert f".{kind.lower()}" in said(made, "status")
    assert {path.suffix for path in (tmp_path / "exports").iterdir()} == {".png", ".gif", ".mp4"}
    (tmp_path / "file").touch()
    other, before = made_of(stage, tmp_path / "file"), picture(made)
    other.step.value = 2
    other.saves["PNG"].click()
    assert "That did not work" in said(other, "status")
    assert picture(other) == before
    other.step.value = 1
    assert said(other, "status") == ""  # it was about another press


def test_uploads_are_shown_or_refused(stage, tmp_path, video, bad_contents, monkeypatch):
    made, titles, scene = made_of(stage, tmp_path), stage.titles, stage.scene(stage.titles[0])
    made.step.value = 2
    before = picture(made)
    for name, content in (bad_contents | {"own.avi": video}).items():
        file = {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
        made.upload.value = (file | {"last_modified": datetime.now(UTC)},)  # as a browser does
        if content is not video:
            assert name in said(made, "status")
            assert tempfile.gettempdir() not in said(made, "status")  # which no reader has seen
            assert stage.titles == titles
            assert picture(made) == before
            assert said(made) == render(view_of(stage, stage.titles[0]), 2).alt
            assert (made.title.value, made.step.value) == (stage.titles[0], 2)
    assert made.title.value == "own.avi"
    assert said(made).startswith("own.avi, step 2")
    assert picture(made) != before
    made.title.value = stage.titles[0]
    assert picture(made) == before
    assert stage.scene(stage.titles[0]) is scene
    monkeypatch.setattr(scenes, "MOST_UPLOADED", len(video) - 1)
    with pytest.raises(DataError, match=r"own\.avi.*at most.*`video`"):
        stage.upload("own.avi", video)


def test_a_clip_that_cannot_be_read_leaves_the_one_before(place: Path, tmp_path: Path) -> None:
    clips = write_dataset(tmp_path / "clips", per_class=4)
    data = JHMDB(clips, validation=0.25)
    chosen = one_of_each(data.test)
    checkpoints = open_checkpoints({"with": place / "with"}, "cpu")
    made = made_of(Stage(checkpoints, data, chosen), tmp_path / "exports")
    first, second = list(chosen)[:2]
    path, before = chosen[second].path, picture(made)
    path.write_bytes(path.read_bytes()[:500])
    made.title.value = second
    assert path.name in said(made, "status")
    assert picture(made) == before
    assert made.title.value == first
    made.step.value = 2
    assert said(made).startswith(f"{first}, step 2")
