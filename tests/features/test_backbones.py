"""Networks cut at two nodes: cubes and vectors, weights, and the motion network's start."""

import pytest
import torch
from safetensors.torch import save_file

from rstan_lite.features.backbones import FeatureNet, as_cube, as_vector, backbone, build
from rstan_lite.features.networks import load_imagenet, rescale
from rstan_lite.lab.network_tuning import TunedNet, load_start
from rstan_lite.lab.tuning_images import TuneSettings
from rstan_lite.system.errors import CheckpointError, ConfigError


@torch.no_grad()
def test_vgg16_has_gpcnns_nodes():
    """The cube is the last pooling; the vector fc6's ReLU, of 7 x 7 averages of the cube's places.

    fc6 is a layer for 7 x 7 places: of 8 x 8 or 6 x 6 it sees averages of overlapping ones.
    """
    net = FeatureNet(backbone("vgg16"), "appearance").eval()
    for layer in net.trunk.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    # 103 million weights, cheaply: each output looks at one channel, in its own way
    fc6 = net.trunk.get_submodule("classifier.0")
    own = torch.arange(4096) % 512
    fc6.weight.zero_().view(4096, 512, 49)[torch.arange(4096), own] = torch.randn(4096, 49)
    fc6.bias.normal_()
    for side, k in ((224, 7), (256, 8), (192, 6)):
        images = torch.randint(0, 255, (1, side, side, 3), dtype=torch.uint8)
        vector, cube = net.vector_and_cube(images)
        assert cube.shape == (1, 512, k, k)
        bins = [slice(i * k // 7, -(-(i + 1) * k // 7)) for i in range(7)]
        seen = torch.stack([cube[0, :, i, j].mean((1, 2)) for i in bins for j in bins], 1)
        weights = fc6.weight.view(4096, 512, 49)[torch.arange(4096), own]
        expected = ((weights * seen[own]).sum(1) + fc6.bias).relu()
        assert 0.2 < (vector == 0).float().mean() < 0.8  # after the ReLU
        torch.testing.assert_close(vector[0], expected, rtol=1e-3, atol=1e-3)


def test_places_go_row_by_row():
    net = FeatureNet(backbone("puppetnet"), "appearance").eval()
    images = torch.randint(0, 255, (1, 112, 112, 3), dtype=torch.uint8)
    with torch.no_grad():
        _, cube = net.vector_and_cube(images)
        places = net.features(images)["cubes"]
    torch.testing.assert_close(places[0, 7 * 2 + 5], cube[0, :, 2, 5])


def test_images_are_normalised_as_imagenet_and_flow_about_its_zero():
    rgb = FeatureNet(backbone("puppetnet"), "appearance")
    grey = torch.tensor([0.485, 0.456, 0.406]) * 255
    images = grey.round().to(torch.uint8).expand(1, 4, 4, 3)
    assert rgb.normalise(images).abs().max() < 0.01
    flow = FeatureNet(backbone("puppetnet"), "motion")
    assert flow.normalise(torch.full((1, 4, 4, 20), 128, dtype=torch.uint8)).abs().max() < 1e-5
    assert flow.normalise(torch.full((1, 4, 4, 20), 144, dtype=torch.uint8)).mean() == (
        pytest.approx(1)
    )


@torch.no_grad()
def test_rescaling_divides_outputs_and_nothing_else():
    network = build(backbone("squeezenet1_0")).eval()
    network.features[0].weight.mul_(40)
    images = torch.randn(2, 3, 64, 64)
    before = network.features(images)
    rms = network.features[0].weight.square().mean().sqrt()
    rescale(network)
    factor = rms / network.features[0].weight.square().mean().sqrt()
    assert factor > 10
    torch.testing.assert_close(network.features(images) * factor, before, rtol=1e-3, atol=2e-3)


def test_real_weights(imagenet_squeezenet):
    net = FeatureNet(backbone("squeezenet1_0"), "appearance").eval()
    load_imagenet(net, imagenet_squeezenet)
    images = torch.randint(0, 255, (1, 224, 224, 3), dtype=torch.uint8)
    with torch.no_grad():
        found = net.features(images)
    assert 0.05 < found["cubes"].std() < 20  # rescaled: the file's own features are 50 times larger


def test_a_tuned_network_can_be_the_start_of_another(tmp_path):
    """Of other classes, for example puppets' before JHMDB: the trunk goes over, the rest is new."""
    old = TunedNet(backbone("puppetnet"), TuneSettings("motion"), 3)
    path = tmp_path / "old.safetensors"
    save_file({k: v.contiguous() for k, v in old.state_dict().items()}, path)
    new = TunedNet(backbone("puppetnet"), TuneSettings("motion"), 5)
    load_start(new, path)
    for name, tensor in old.trunk.state_dict().items():
        torch.testing.assert_close(new.trunk.state_dict()[name], tensor)
    with pytest.raises(CheckpointError, match="other tensors"):
        load_start(FeatureNet(backbone("puppetnet"), "appearance"), path)


def test_the_three_forms_hold_the_same_cube():
    cube = torch.randn(2, 5, 7, 7)
    tokens = cube.flatten(2).transpose(1, 2)  # row by row
    with_class = torch.cat([torch.full((2, 1, 5), 9.0), tokens], 1)
    for form in (cube, cube.permute(0, 2, 3, 1), tokens, with_class):
        assert torch.equal(as_cube(form, 224, "n"), cube)
    assert as_cube(with_class, 224, "n")[1, 3, 2, 6] == tokens[1, 2 * 7 + 6, 3]


def test_the_vector_is_the_class_token_or_the_mean_over_places():
    cube = torch.randn(2, 5, 4, 4)
    tokens = cube.flatten(2).transpose(1, 2)
    for form in (cube, cube.permute(0, 2, 3, 1), tokens):
        torch.testing.assert_close(as_vector(form, 64, "n"), cube.mean((2, 3)))
    with_class = torch.cat([torch.full((2, 1, 5), 9.0), tokens], 1)
    assert (as_vector(with_class, 64, "n") == 9).all()
    assert as_vector(cube[:, :, 0, 0], 64, "n").shape == (2, 5)
    assert as_vector(cube[:, :, :1, :1], 64, "n").shape == (2, 5)  # after an average pooling


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 198, 8), "198 tokens for 224 x 224 pixels"),  # 14 x 14 and two others
        ((1, 81, 8), "81 tokens for 224 x 224 pixels"),  # 9 is no divisor of 224
        ((1, 8, 7, 5), r"\(1, 8, 7, 5\).*as many rows as columns"),
        ((1, 7, 7, 7), r"\(1, 7, 7, 7\).*other numbers of channels than of rows"),
        ((1, 8), "tokens, or a map"),
    ],
)
def test_other_shapes_are_named_with_their_node(shape, words):
    with pytest.raises(ConfigError, match=words) as caught:
        as_cube(torch.zeros(shape), 224, "encoder.ln")
    assert "node 'encoder.ln'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("squeezenet1_0", (512, 512)),
        ("vgg16", (4096, 512)),
        ("bninception", (1024, 1024)),
        ("resnet18", (512, 512)),
        ("resnet50", (2048, 2048)),
        ("convnext_tiny", (768, 768)),
        ("swin_t", (768, 768)),
        ("vit_b_16", (768, 768)),
        ("puppetnet", (128, 128)),
        ("mobilenet_v3_small:features.12:avgpool", (576, 576)),
        ("vit_b_32:encoder.ln:encoder.ln", (768, 768)),
        ("swin_t:features.5:avgpool", (768, 384)),
    ],
)
def test_places_of_every_preset_and_of_other_nodes_at_three_sides(name, sizes):
    net = None
    for side, k in ((224, 7), (256, 8), (192, 6)):
        if name.startswith("vit_") and side != 224:
            continue
        if net is None:
            with torch.device("meta"):  # shapes alone: no memory, no random numbers
                net = FeatureNet(backbone(name), "motion", side=side)
        k = 2 * k if "features.5" in name or name == "puppetnet" else k  # one stage earlier
        assert net.sizes(side) == (k * k, *sizes)


@pytest.mark.parametrize(
    ("name", "side", "words"),
    [
        ("vit_b_16", 192, ""),  # it has a position for each patch
        ("squeezenet1_0", 8, "one that it can take"),
        ("bninception", 240, "a multiple of 32"),
    ],
)
def test_a_side_that_does_not_fit_a_network_is_named(name, side, words):
    with torch.device("meta"):
        net = FeatureNet(backbone(name), "motion")
    with pytest.raises(ConfigError, match=f"images of {name}: found a side of {side} .*{words}"):
        net.sizes(side)


PAIRED = """
import torch
from torch import nn


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 5, 8, stride=8)

    def forward(self, images):
        cube = torch.relu(self.body(images))
        return cube, cube.amax((2, 3))


class One(Both):
    def forward(self, images):
        return self.body(images)
"""


def test_a_network_of_ones_own_may_return_cube_and_vector_itself(tmp_path, monkeypatch):
    (tmp_path / "paired_networks.py").write_text(PAIRED, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    net = FeatureNet(backbone("python:paired_networks.Both"), "appearance", side=32).eval()
    assert net.sizes() == (16, 5, 5)
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    found = net.features(images)
    assert found["cubes"].shape == (2, 16, 5)
    torch.testing.assert_close(found["vectors"], found["cubes"].amax(1))
    motion = FeatureNet(backbone("python:paired_networks.Both"), "motion", side=32)
    assert motion.trunk.body.in_channels == motion.inputs
    with pytest.raises(ConfigError, match=r"returns a Tensor; expected a tuple \(cube, vector\)"):
        FeatureNet(backbone("python:paired_networks.One"), "appearance", side=32).sizes()
