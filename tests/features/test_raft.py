"""RAFT: padding, complaints, stores. Its weights are random here: a test has no download."""

import pickle

import numpy as np
import pytest
import torch
from torchvision.models import get_model
from torchvision.models.optical_flow import Raft_Small_Weights

from rstan_lite.features.extraction import FeatureSettings
from rstan_lite.features.flow import estimator, flow_sequence
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.networks import shipped
from rstan_lite.features.pipeline import prepare_parts
from rstan_lite.system import tensor_files
from rstan_lite.system.errors import CheckpointError, ConfigError, StoreError


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("raft") / "small.pth"
    torch.save(get_model("raft_small", weights=None).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def raft(weights):
    return estimator("raft_small", weights)


def test_it_is_torchvision_s_network(raft, weights):
    frames = np.random.default_rng(0).integers(0, 256, (3, 128, 136, 3), dtype=np.uint8)
    found = flow_sequence(frames, raft)
    network = get_model("raft_small", weights=None).eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    x = torch.from_numpy(frames).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        expected = network(x[1:2], x[2:])[-1][0].permute(1, 2, 0)  # the second pair, alone
    torch.testing.assert_close(torch.from_numpy(found[1]), expected, atol=1e-3, rtol=1e-3)


def test_any_size_is_padded_and_cut_back(raft):
    """An odd, small size: the flow is that of the frames with their edges repeated by hand."""
    frames = np.random.default_rng(1).integers(0, 256, (2, 99, 131, 3), dtype=np.uint8)
    found = flow_sequence(frames, raft)
    assert found.shape == (1, 99, 131, 2)
    assert found.dtype == np.float32
    padded = np.pad(frames, ((0, 0), (14, 15), (2, 3), (0, 0)), mode="edge")  # to 128 x 136
    expected = flow_sequence(padded, raft)[:, 14:113, 2:133]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_process_gets_no_network(raft):
    sent = pickle.loads(pickle.dumps(raft))
    assert vars(sent) == {"parameters": raft.parameters}
    assert not sent.forks


def test_stores_tell_variants_and_weights_apart(data, raft, weights, tmp_path):
    store = inputs_store(data, tmp_path, 4, raft)
    recorded = store.key["flow"]
    assert recorded["method"] == "raft_small"
    assert len(recorded["weights"]) == 12
    assert store.key["bound"] == 20
    other = tmp_path / "other.pth"
    torch.manual_seed(1)
    torch.save(get_model("raft_small", weights=None).state_dict(), other)
    another = inputs_store(data, tmp_path, 4, estimator("raft_small", other))
    assert another.folder != store.folder
    (another.folder / "key.json").write_text(
        (store.folder / "key.json").read_text(encoding="utf-8"), encoding="utf-8"
    )
    with pytest.raises(StoreError, match=r"found a store made with .*raft_small"):
        inputs_store(data, tmp_path, 4, estimator("raft_small", other))


def test_an_extraction_computes_it_in_one_process_and_stores_no_flow(data, weights, tmp_path):
    names = FeatureSettings(
        {"motion": shipped("motion")}, "puppetnet", ("whole",), 4, 96,
        flow="raft_small", flow_weights=weights, camera="none",
    )  # fmt: skip
    found = prepare_parts(data, ("test",), names, tmp_path, workers=1)["test"]
    assert len(found.cubes["motion"]) == len(data.test)
    assert not list(tmp_path.glob("inputs-*/*/*"))


def test_complaints_about_weights(weights, tmp_path, monkeypatch):
    def offline(*args, **options):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    url = Raft_Small_Weights.DEFAULT.url
    with pytest.raises(CheckpointError, match=r"no route to host.*--flow-weights FILE") as caught:
        estimator("raft_small")
    name = url.rpartition("/")[2]
    for part in (name, url, str(tmp_path / "checkpoints")):
        assert part in str(caught.value)
    place = tmp_path / "checkpoints" / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(weights.read_bytes())
    with pytest.raises(CheckpointError, match="a file whose SHA-256 begins with"):
        estimator("raft_small")
    # put where the message says, it is found; as if it were the real one
    monkeypatch.setattr(tensor_files, "sha256", lambda files: "01064c6d" + 56 * "0")
    assert estimator("raft_small").parameters == estimator("raft_small", weights).parameters
    with pytest.raises(CheckpointError, match=r"small\.pth: found other tensors .* of raft_large"):
        estimator("raft_large", weights)
    with pytest.raises(CheckpointError, match="no such file"):
        estimator("raft_small", tmp_path / "absent.pth")
    with pytest.raises(ConfigError, match="dis has no weights"):
        estimator("dis", weights)
