"""Bad settings and inputs: each is named, with what was found and what is expected."""

from dataclasses import asdict

import pytest
import torch

from rstan_lite.model import (
    RSTANConfig,
    actor_attention_loss,
    fuse_scores,
    last_step,
    main_loss,
    multi_task_loss,
)
from rstan_lite.system.errors import ConfigError, DataError

GOOD = {
    "streams": ("appearance", "motion"),
    "d_cv": {"appearance": 3, "motion": 3},
    "d_fc": {"appearance": 3, "motion": 3},
    "heads": {"jhmdb": 3},
}


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("streams", (), "streams"),
        ("streams", ("rgb",), "d_fc"),
        ("streams", ("motion", "motion"), "streams"),
        ("streams", "motion", "streams"),
        ("d_cv", {"appearance": 3}, "d_cv"),
        ("d_fc", {"appearance": 3, "motion": 0}, "d_fc['motion']"),
        ("d_fc", 512, "d_fc"),
        ("heads", {}, "heads"),
        ("heads", {"jhmdb": 0}, "heads['jhmdb']"),
        ("heads", {"j.hmdb": 3}, "heads"),
        ("heads", {"train": 3}, "heads"),
        ("d_h", 0, "d_h"),
        ("d_h", 2.0, "d_h"),
        ("d_att", True, "d_att"),
        ("attention", "both", "attention"),
        ("window", 0, "window"),
        ("gamma_alpha", -1.0, "gamma_alpha"),
        ("gamma_beta", float("nan"), "gamma_beta"),
        ("gamma_beta", "1", "gamma_beta"),
        ("fusion", "sum", "fusion"),
        ("fusion", None, "fusion"),
        ("classifier", "late", "classifier"),
        ("renormalize", 1, "renormalize"),
        ("dropout", 1.0, "dropout"),
    ],
)
def test_a_bad_setting_is_named(field, value, where):
    with pytest.raises(ConfigError) as caught:
        RSTANConfig(**(GOOD | {field: value}))
    assert caught.value.where == where
    assert caught.value.expected
    if field == "classifier":
        assert "'late'; expected one of joint, score" in str(caught.value)


def test_a_config_survives_json_and_the_plain_lstm_needs_no_cube_size():
    config = RSTANConfig(**GOOD, window=3)
    assert RSTANConfig(**(asdict(config) | {"streams": list(config.streams)})) == config
    assert RSTANConfig(**(GOOD | {"d_cv": {}}), attention="none").d_cv == {}


def test_heads(case):
    with pytest.raises(ConfigError, match=r"head: found 'ucf'; expected one of jhmdb"):
        case().run(head="ucf")
    with pytest.raises(ConfigError, match="several to choose from"):
        case(heads={"jhmdb": 3, "ucf101": 4}).run()


def _without(case, name: str, stream: str):
    getattr(case, name).pop(stream)


def _cut(case, name: str, stream: str, *index):
    getattr(case, name)[stream] = getattr(case, name)[stream][index]


ALL = slice(None)


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda c: _without(c, "cubes", "motion"), "cubes['motion']"),
        (lambda c: _without(c, "vectors", "motion"), "vectors['motion']"),
        (lambda c: _cut(c, "cubes", "appearance", 0), "cubes['appearance']"),
        (lambda c: _cut(c, "vectors", "appearance", ALL, 0), "vectors['appearance']"),
        (lambda c: _cut(c, "vectors", "motion", ALL, slice(3)), "vectors['motion']"),
        (lambda c: _cut(c, "cubes", "motion", slice(1)), "cubes['motion']"),
        (lambda c: _cut(c, "cubes", "motion", ALL, ALL, slice(1)), "cubes['motion']"),
        (lambda c: _cut(c, "cubes", "motion", ..., slice(2)), "cubes['motion']"),
        (lambda c: _cut(c, "vectors", "appearance", ALL, slice(0)), "vectors['appearance']"),
        (lambda c: setattr(c, "cubes", None), "cubes['appearance']"),
        (lambda c: setattr(c, "frame_mask", torch.ones(2, 3).bool()), "frame_mask"),
        (lambda c: setattr(c, "frame_mask", torch.ones(2, 4)), "frame_mask"),
        (lambda c: setattr(c, "frame_mask", torch.zeros(2, 4).bool()), "frame_mask"),
    ],
)
def test_inputs_that_do_not_fit_are_named(case, spoil, where):
    given = case()
    spoil(given)
    with pytest.raises(DataError) as caught:
        given.run()
    assert caught.value.where == where
    assert any(word in caught.value.expected for word in ("shape", "True", "tensor"))
    if "(2, 4, 4, 2)" in caught.value.found:  # the width: both shapes are said
        assert caught.value.expected == "shape (2, 4, 4, 4)"


def test_unread_inputs_may_be_anything(case):
    given = case(attention="none", streams=("appearance",))
    given.cubes, given.vectors["motion"] = None, torch.zeros(1)
    assert given.run().logits.shape == (2, 4, 3)


LOGITS, MAPS = torch.zeros(2, 3, 4), torch.full((2, 3, 4), 0.25)
LABELS, MASK = torch.tensor([0, 1]), torch.ones(2, 4).bool()
ONE = torch.tensor(1.0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: main_loss(LOGITS[0], LABELS), DataError, "^logits:"),
        (lambda: main_loss(LOGITS, torch.tensor([0, 1, 2])), DataError, "^labels:"),
        (lambda: main_loss(LOGITS, LABELS.float()), DataError, "^labels:"),
        (lambda: main_loss(LOGITS, torch.tensor([0, 4])), DataError, "^labels:"),
        (lambda: main_loss(LOGITS, torch.tensor([-1, 0])), DataError, "^labels:"),
        (lambda: main_loss(LOGITS, LABELS, MASK), DataError, "^frame_mask:"),
        (lambda: actor_attention_loss(MAPS, MAPS, kind="kl"), ConfigError, "'kl'.* one of l2, ce"),
        (lambda: actor_attention_loss(MAPS, MAPS[..., :3]), DataError, "^target:"),
        (lambda: actor_attention_loss(MAPS, MAPS, MASK), DataError, "^frame_mask:"),
        (lambda: fuse_scores([LOGITS] * 2, "none"), ConfigError, "fusion: .*'none'.* max or mean"),
        (lambda: multi_task_loss({"jhmdb": ONE}, {"ucf101": 0.1}), ConfigError, "weights"),
        (lambda: multi_task_loss({}, {}), ConfigError, "weights"),
        (lambda: last_step(LOGITS[0]), DataError, "^logits:"),
        (lambda: last_step(LOGITS, ~MASK[:, :3]), DataError, "^frame_mask:"),
    ],
)
def test_functions_refuse_what_does_not_fit(call, error, words):
    with pytest.raises(error, match=words):
        call()
