"""The loop learns what needs attention, stops and goes on, and complains about bad numbers."""

from dataclasses import replace

import numpy as np
import pytest
from training.synthetic import SMALL, make_features

from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.system.errors import DataError
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.evaluation import evaluate
from rstan_lite.training.loop import fit
from rstan_lite.training.profiles import resolve
from rstan_lite.training.train import build_model


def small(variant: str | None = None, **options) -> TrainConfig:
    return resolve("tiny", {**SMALL, **options}, variant)


@pytest.fixture(scope="module")
def data() -> tuple[ClipFeatures, ClipFeatures]:
    return make_features(64, seed=1), make_features(32, seed=2)


def trained(config: TrainConfig, data: tuple[ClipFeatures, ClipFeatures]):
    model = build_model(config, data[0])
    outcome = fit(model, *data, config, progress=False)
    return outcome, evaluate(model, data[1], "puppets", config.test_frames)


def test_attention_learns_what_the_plain_lstm_cannot_see(data):
    _, with_silhouettes = trained(small("silhouettes"), data)
    _, plain = trained(small("lstm"), data)
    assert with_silhouettes.accuracy > 0.9
    assert plain.accuracy < 0.6  # its vectors are noise
    assert plain.attention_share is None


def test_regularisation_draws_attention_to_the_silhouette(data):
    _, without = trained(small("fusion-max"), data)
    _, with_silhouettes = trained(small("silhouettes"), data)
    assert with_silhouettes.attention_share > without.attention_share
    assert with_silhouettes.attention_share > 0.8
    assert with_silhouettes.area_share == pytest.approx(1 / 9)


@pytest.mark.parametrize("variant", ["attention", "fusion-mean", "silhouettes-ce", "current-frame"])
def test_every_variant_learns(data, variant: str):
    outcome, found = trained(small(variant, iterations=60), data)
    assert outcome.log[-1].main_loss < outcome.log[0].main_loss / 2
    assert found.accuracy > 0.5


def test_log_rows_say_what_happened(data):
    config = small(iterations=11, milestone=6, clip_norm=0.5)
    seen = []
    model = build_model(config, data[0])
    outcome = fit(model, *data, config, progress=False, on_epoch=seen.append)
    assert outcome.iteration == config.iterations
    assert seen == outcome.log
    assert [row.epoch for row in seen] == [1, 2, 3]
    assert [row.iteration for row in seen] == [4, 8, 11]  # four batches of 16 are an epoch
    assert [row.lr for row in seen] == [0.05, 0.005, 0.005]
    assert seen[0].clipped == 1.0
    assert seen[0].gradient_norm > 0.5
    assert seen[0].aa_loss > 0
    assert 0 <= seen[0].attention_share <= 1


def test_the_best_epoch_on_validation_is_kept(data):
    config = small(iterations=40)
    model = build_model(config, data[0])
    outcome = fit(model, *data, config, progress=False)
    best = max(outcome.log, key=lambda row: (row.validation_accuracy, -row.validation_loss))
    assert outcome.best_epoch == best.epoch
    found = evaluate(model, data[1], "puppets", config.test_frames)
    assert found.accuracy == best.validation_accuracy
    assert found.loss == best.validation_loss


def test_without_validation_clips_the_last_epoch_is_kept(data):
    config = small(iterations=16)
    outcome = fit(build_model(config, data[0]), data[0], make_features(0), config, progress=False)
    assert outcome.best_epoch == len(outcome.log) == 4
    assert outcome.log[-1].validation_accuracy is None


def spoilt(features: ClipFeatures, place: tuple, value: float) -> ClipFeatures:
    cubes = dict(features.cubes, motion=features.cubes["motion"].copy())
    cubes["motion"][place] = value
    return replace(features, cubes=cubes)


@pytest.mark.parametrize(
    ("train", "validation", "options", "words"),
    [
        (((7, 0, slice(None), 2, 3), np.nan), None, {}, r"clip 7 of 1 \(motion\)"),
        (None, ((3,), np.inf), {}, "clip 3 of 2: found scores that are not finite"),
        (None, None, {"iterations": 30, "lr": 1e30, "clip_norm": 0.0}, "Lower --lr"),
    ],
)
def test_numbers_that_are_not_finite_are_named(data, train, validation, options, words):
    config = small(**{"iterations": 8, **options})
    parts = [
        spoilt(part, *how) if how else part
        for part, how in zip(data, (train, validation), strict=True)
    ]
    with pytest.raises(DataError, match=words):
        fit(build_model(config, data[0]), *parts, config, progress=False)


def test_no_clips_to_train_on_is_said(data):
    with pytest.raises(DataError, match="training part of puppets: found no clips"):
        fit(build_model(small(), data[0]), make_features(0), data[1], small(), progress=False)
