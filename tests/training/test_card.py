"""The model card that a finished run leaves."""

import pytest
from small_runs import content
from training.synthetic import SMALL, make_parts

from rstan_lite.lab import model_card as card
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    config = TrainConfig(**SMALL | {"iterations": 4}, validation=0.2)
    card.write_card(out, config, train(config, out, make_parts(), progress=False))
    return out, config


def test_a_finished_run_has_a_card_of_its_own_numbers(run):
    out, config = run
    text = (out / card.CARD).read_text(encoding="utf-8")
    metrics = content(out / "metrics.json")
    assert text == card.model_card(config, metrics)
    assert f"test accuracy: {metrics['test_accuracy']:.1%}" in text
    assert "64 clips trained, 24 chose the epoch, 32 were tested" in text
    assert f"even attention: {metrics['silhouette_area']:.0%}" in text
    assert "says nothing about real video" in text
    for section in ("Model", "Data", "Results", "Limits", "Use"):
        assert f"\n## {section}\n" in text


def test_what_a_reader_must_know_is_said(run):
    metrics = content(run[0] / "metrics.json")
    metrics |= {"n_validation": 0, "missing_clips": ["one", "two"], "validation_accuracy": None}
    seen = {"saw_test": True, "test_why": "it trained on split 2", "saw_validation": None}
    seen |= {"validation_why": "no card", "backbone": "vgg16", "hash": "ab" * 32}
    metrics["networks"] = {"motion": seen}
    text = card.model_card(TrainConfig(**SMALL, attention="none", fusion="none", aa_kind="none",
                                       classifier="score", fold=3), metrics)  # fmt: skip
    assert text.startswith("# RSTAN on puppets, split 1, fold 3, seed 0")
    assert "a fold of the training list, not of the test list" in text
    assert "attention: none" in text
    assert "The motion network has seen test clips: it trained on split 2." in text
    assert "The motion network may have seen validation clips: no card." in text
    assert "2 clips that the lists name were missing" in text
    assert "No clip was held out" in text
    assert "validation accuracy: none" in text


def test_clips_in_the_layout_of_a_data_set_are_not_called_it(run):
    metrics = content(run[0] / "metrics.json")
    config = TrainConfig(**SMALL | {"dataset": "hmdb51", "root": "some/mine"})
    text = card.model_card(config, metrics)
    assert text.startswith("# RSTAN on mine, split 1")
    assert "own clips in the folder mine: 4 classes, where hmdb51 has 51." in text
    metrics["per_class"] = {str(k): 0.5 for k in range(51)}
    assert card.model_card(config, metrics).startswith("# RSTAN on hmdb51, split 1")
