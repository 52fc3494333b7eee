"""Whether a network's card says that it was trained on clips that are tested."""

import json
import shutil

import pytest

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.features.networks import look, shipped, split_name


@pytest.fixture
def root(small_root, tmp_path):
    """Split 2 tests the two first clips of each class, which split 1 trains on."""
    shutil.copytree(small_root, tmp_path / "own")
    for path in sorted((tmp_path / "own" / "splits").glob("*_test_split2.txt")):
        names = [line.rpartition(" ")[0] for line in path.read_text(encoding="utf-8").splitlines()]
        parts = [2, 2, 1, 1, 1, 1]
        lines = [f"{name} {part}" for name, part in zip(names, parts, strict=True)]
        path.write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "own"


@pytest.fixture
def weights(tmp_path):
    """A weights file, and a function that writes its card."""
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"")

    def with_card(card):
        text = card if isinstance(card, str) else json.dumps(card)
        path.with_suffix(".json").write_text(text, encoding="utf-8")
        return path

    return path, with_card


def test_without_a_card_that_says_so_it_is_unknown(root, weights):
    path, with_card = weights
    data = JHMDB(root, 1)
    assert look(path, data, "jhmdb").seen is None
    assert "no card net.json" in look(path, data, "jhmdb").why
    for card in ("{", "[]", "{}", {"trained_on": {"split": 1}}, {"trained_on": 5}):
        assert look(with_card(card), data, "jhmdb").seen is None
    assert look(shipped("motion"), data, "jhmdb").seen is False


def test_a_network_of_hmdb51_has_seen_jhmdb(root, weights):
    _, with_card = weights
    data = JHMDB(root, 1)
    card = {"trained_on": {"dataset": "hmdb51"}}
    found = look(with_card(card), data, "jhmdb")
    assert found.seen is True
    assert "JHMDB was cut from HMDB51" in found.why
    assert look(with_card(card), data, "puppets").seen is False
    assert look(with_card({"trained_on": {"dataset": "ucf101"}}), data, "jhmdb").seen is False
    assert look(with_card({"trained_on": {"dataset": "jhmdb"}}), data, "jhmdb").seen is None
    # with the names of its clips it can be counted
    names = [data.train[0].name, data.test[1].name, "another"]
    card["trained_on"]["clips"] = names
    assert look(with_card(card), data, "jhmdb").why.startswith("1 of the 6 test clips")
    card["trained_on"]["clips"] = ["another"]
    assert look(with_card(card), data, "jhmdb").seen is False


def trained_on(data):
    """A card as `tune` writes it."""
    return {"trained_on": {**split_name(data), "clips": [clip.name for clip in data.train]}}


def test_a_network_tuned_on_another_split_has_seen_its_test_clips(root, weights):
    _, with_card = weights
    first, second = JHMDB(root, 1, validation=0), JHMDB(root, 2, validation=0)
    assert {c.name for c in first.train} & {c.name for c in second.test}
    assert look(with_card(trained_on(first)), first, "jhmdb").seen is False
    found = look(with_card(trained_on(first)), second, "jhmdb")
    assert found.seen is True
    assert found.why.startswith("6 of the 6 test clips")
    held = JHMDB(root, 1, validation=0.5)  # some of those clips chose its epoch: no better
    assert {c.name for c in held.validation} & {c.name for c in second.test}
    found = look(with_card(trained_on(held)), second, "jhmdb")
    assert found.why.startswith("6 of the 6 test clips")


def test_validation_clips_of_tuning_were_not_seen_and_those_it_trained_on_were(root, weights):
    _, with_card = weights
    whole, held = JHMDB(root, 1, validation=0), JHMDB(root, 1, validation=0.4)
    assert held.validation
    path = with_card(trained_on(held))
    assert look(path, held, "jhmdb", "validation").seen is False
    path = with_card(trained_on(whole))  # tuned on the whole training list
    assert look(path, held, "jhmdb", "validation").seen is True
    assert look(path, held, "jhmdb", "test").seen is False


def test_puppets_of_another_seed_share_names_only(root, weights):
    _, with_card = weights
    data = JHMDB(root, 1)
    names = [clip.name for clip in data.test]
    card = {"trained_on": {"dataset": "f00d", "split": 1, "clips": names}}
    assert look(with_card(card), data, "puppets").seen is False
    card["trained_on"]["dataset"] = data.identity()
    assert look(with_card(card), data, "puppets").seen is True
