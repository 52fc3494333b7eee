"""Cubes and vectors from maps, maps with their channels last, and tokens."""

import pytest
import torch

from rstan_lite.features.backbones import FeatureNet, as_cube, as_vector, backbone
from rstan_lite.system.errors import ConfigError


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
        ((1, 8), "a map of places or tokens"),
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
        ("vit_b_32:encoder.ln:encoder.ln", (768, 768)),
        ("swin_t:features.5:avgpool", (768, 384)),
    ],
)
def test_places_of_every_preset_at_three_sides(name, sizes):
    for side, k in ((224, 7), (256, 8), (192, 6)):
        with torch.device("meta"):  # shapes alone: no memory, no random numbers
            net = FeatureNet(backbone(name), "motion", side=side)
        k = 2 * k if "features.5" in name else k  # one stage earlier
        assert net.sizes() == (k * k, *sizes)


def test_a_vision_transformer_is_built_for_one_side():
    with torch.device("meta"):
        net = FeatureNet(backbone("vit_b_16"), "appearance", side=192)
    with pytest.raises(ConfigError, match="side of 224 pixels; expected the 192 pixels"):
        net.sizes(224)
    with pytest.raises(ConfigError, match="a multiple of 16"):
        net.sizes(200)
    with pytest.raises(ConfigError, match="images of vit_b_32: found a side of 200 pixels"):
        FeatureNet(backbone("vit_b_32:encoder.ln:encoder.ln"), "appearance", side=200)


def test_a_side_too_small_for_a_network_is_named():
    net = FeatureNet(backbone("squeezenet1_0"), "motion")
    with pytest.raises(ConfigError, match="images of squeezenet1_0: found a side of 8 pixels"):
        net.sizes(8)
