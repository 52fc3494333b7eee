"""A few clips with their inputs stored, once for each file of tests."""

import pytest
from small_runs import write_networks

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.features.inputs import inputs_store
from rstan_lite.lab.tuning_images import fill_inputs


@pytest.fixture(scope="module")
def data(small_root):
    return JHMDB(small_root, validation=0.4)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def inputs(data, cache):
    store = inputs_store(data, cache, frames=5)
    fill_inputs(store, data, data.train + data.validation + data.test, workers=1)
    return store


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Files of random networks, by stream."""
    return write_networks(tmp_path_factory.mktemp("networks"))
