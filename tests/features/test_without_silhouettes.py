"""Clips without silhouettes through the features and a training: Eq. 18 has nothing to add."""

import csv

import numpy as np
import pytest
from clips import write_ucf101
from small_runs import content, train_command, write_networks

from rstan_lite.cli import main
from rstan_lite.data.datasets import open_clips
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.networks import split_name
from rstan_lite.lab.network_tuning import tune
from rstan_lite.lab.tuning_images import Samples, TuneSettings, fill_inputs
from rstan_lite.system.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore:.*are official.*:UserWarning")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """UCF101's layout in small, and random networks, so that nothing is trained here."""
    folder = tmp_path_factory.mktemp("place")
    write_ucf101(folder / "ucf101")
    write_networks(folder)
    return folder


def test_tuning_takes_crops_of_the_scene(place):
    """With nobody's silhouette there is no actor to crop about, whatever share is asked for."""
    data = open_clips("ucf101", place / "ucf101")
    store = inputs_store(data, place / "cache", frames=4)
    assert not store.has_masks
    fill_inputs(store, data, data.train[:2], workers=1)
    drawn = [
        Samples(store, data.train[:2], TuneSettings(size=32, segments=2, actor=actor), k=3)[0, 1]
        for actor in (1.0, 0.5)
    ]
    assert drawn[0][0].shape == (2, 32, 32, 3)
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    assert drawn[0][2].shape == (2, 9)
    assert not drawn[0][2].any()
    split, settings = split_name(data), TuneSettings(places=1.0)
    with pytest.raises(ConfigError, match=r"places: found 1\.0; expected 0: the data set has no"):
        tune(
            store, data.train, data.test, data.classes, split, settings, place / "tuned.safetensors"
        )


def test_train_by_command(place):
    own = {"dataset": "ucf101", "root": place / "ucf101", "validation": 0.3, "iterations": 2}
    assert main(train_command(place, "run", **own, lambda_aa=2.0, aa_kind="ce")) == 0
    metrics = content(place / "run" / "metrics.json")
    assert metrics["n_test"] == 6
    assert set(metrics["per_class"]) == {"HandstandPushups", "JumpRope", "Pull"}
    rows = list(csv.DictReader((place / "run" / "log.csv").open()))
    assert rows
    assert all(float(row["aa_loss"]) == 0 < float(row["main_loss"]) for row in rows)
    assert metrics["silhouette_area"] is None
