"""Published weights: where they are looked for, and what is said where they can't be had."""

import hashlib
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch
import torchvision

from rstan_lite.features.backbones import FeatureNet, backbone, build
from rstan_lite.features.networks import load_imagenet, published_file
from rstan_lite.system.errors import CheckpointError
from rstan_lite.system.tensor_files import weights_hash

ADDRESSES = {
    "bninception": "http://data.lip6.fr/cadene/pretrainedmodels/bn_inception-52deb4733.pth",
    "vgg16": "https://download.pytorch.org/models/vgg16-397923af.pth",
    "resnet50": "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
    "convnext_tiny": "https://download.pytorch.org/models/convnext_tiny-983f1562.pth",
    "vit_b_16": "https://download.pytorch.org/models/vit_b_16-c867db91.pth",
    "swin_t": "https://download.pytorch.org/models/swin_t-704ceda3.pth",
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty torch hub folder, and no internet."""
    asked = []

    def refuse(url, path, hash_prefix=None, progress=True):
        asked.append((url, path, hash_prefix))
        raise URLError("no network here")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    return tmp_path / "hub" / "checkpoints", asked


@pytest.mark.parametrize("name", ADDRESSES)
def test_without_internet_file_address_folder_and_options_are_named(name, hub):
    folder, asked = hub
    with pytest.raises(CheckpointError) as caught:
        published_file(backbone(name))
    file = ADDRESSES[name].rpartition("/")[2]
    for words in (
        f"weights of {name}: found no file, and no download",
        f"expected {file}.",
        f"Get it from {ADDRESSES[name]} and put it into {folder}",
        "--weights FILE of `rstan-lite tune`",
        "--appearance-weights FILE",
    ):
        assert words in str(caught.value)
    assert asked == [(ADDRESSES[name], str(folder / file), file[:-4].rpartition("-")[2])]


def test_a_download_is_taken(hub, monkeypatch):
    folder, _ = hub
    state = build(backbone("squeezenet1_0")).state_dict()
    torch.save(state, folder.parent.parent / "there.pth")
    content = (folder.parent.parent / "there.pth").read_bytes()
    url = f"http://somewhere/net-{hashlib.sha256(content).hexdigest()[:8]}.pth"

    def download(url, path, hash_prefix=None, progress=True):
        with open(path, "wb") as file:
            file.write(content)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    published = SimpleNamespace(DEFAULT=SimpleNamespace(url=url))
    monkeypatch.setattr(torchvision.models, "get_model_weights", lambda name: published)
    net = FeatureNet(backbone("squeezenet1_0"), "appearance")
    load_imagenet(net, None)
    fire = "features.12.squeeze.weight"
    torch.testing.assert_close(net.trunk.state_dict()[fire], state[fire])
    assert weights_hash(folder / url.rpartition("/")[2]) in hashlib.sha256(content).hexdigest()


def test_a_network_without_published_weights_is_named():
    with pytest.raises(CheckpointError, match="weights of puppetnet: found none"):
        published_file(backbone("puppetnet"))
