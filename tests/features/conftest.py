"""A few clips with their inputs stored, once for each file of tests."""

import pytest
import torch
from safetensors.torch import save_file

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.features.backbones import STREAMS, FeatureNet, backbone
from rstan_lite.features.inputs import fill_inputs, inputs_store


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
    folder, files = tmp_path_factory.mktemp("networks"), {}
    for stream in STREAMS:
        torch.manual_seed(0)
        net = FeatureNet(backbone("puppetnet"), stream, classes=3)
        files[stream] = folder / f"{stream}.safetensors"
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, files[stream])
    return files
