"""The lessons' settings: small, repeatable, with clips that are drawn once."""

import pytest
from small_runs import content

from rstan_lite.classroom import lesson_config as lessons
from rstan_lite.classroom.lesson_config import lesson_config
from rstan_lite.system.errors import ConfigError
from rstan_lite.training.parts import open_dataset


@pytest.fixture(autouse=True)
def few_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "CLIPS_PER_CLASS", 3)
    monkeypatch.setattr(lessons, "ACTIONS", ("jump", "wave"))


def test_clips_are_drawn_once_in_the_cache(tmp_path) -> None:
    config = lesson_config(cache=str(tmp_path))
    record = tmp_path / lessons.FOLDER / "puppets.json"
    assert config.root == str(tmp_path / lessons.FOLDER)
    assert content(record)["classes"] == ["jump", "wave"]
    written = record.stat().st_mtime_ns
    assert lesson_config(cache=str(tmp_path), seed=1).root == config.root
    assert record.stat().st_mtime_ns == written
    data = open_dataset(config)
    assert data.classes == ("jump", "wave")
    assert len([*data.train, *data.validation, *data.test]) == 6


def test_clips_of_ones_own_are_left_alone(small_root, tmp_path) -> None:
    config = lesson_config(root=str(small_root), cache=str(tmp_path))
    assert config.root == str(small_root)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [{"variant": "fusion"}, {"iteration": 5}, {"seed": -1}])
def test_wrong_options_are_refused_before_a_clip_is_drawn(wrong: dict, tmp_path) -> None:
    with pytest.raises(ConfigError):
        lesson_config(cache=str(tmp_path), **wrong)
    assert not list(tmp_path.iterdir())
