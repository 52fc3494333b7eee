"""Networks that torchvision and timm lack, and what is done to a first convolution for flow.

BN-Inception is TSN's network: Inception with batch normalisation (Ioffe, Szegedy, ICML 2015).
PuppetNet is a residual network that was trained on puppets.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rstan_lite.system.errors import ConfigError

BNINCEPTION = "bninception"
# ImageNet's weights, which TSN starts from, in the release whose names are used here
BNINCEPTION_URL = "http://data.lip6.fr/cadene/pretrainedmodels/bn_inception-52deb4733.pth"

# Output channels of a block: of the 1 x 1 convolution; of the 1 x 1 and the 3 x 3; of the 1 x 1 and
# each of two 3 x 3; pooling of 3 x 3 places, and the 1 x 1 after it. A block with 0 for the first
# and the last of them halves the side, and passes the maximum on.
BLOCKS = {
    "3a": (64, (64, 64), (64, 96), "average", 32),
    "3b": (64, (64, 96), (64, 96), "average", 64),
    "3c": (0, (128, 160), (64, 96), "maximum", 0),
    "4a": (224, (64, 96), (96, 128), "average", 128),
    "4b": (192, (96, 128), (96, 128), "average", 128),
    "4c": (160, (128, 160), (128, 160), "average", 128),
    "4d": (96, (128, 192), (160, 192), "average", 128),
    "4e": (0, (128, 192), (192, 256), "maximum", 0),
    "5a": (352, (192, 320), (160, 224), "average", 128),
    "5b": (352, (192, 320), (192, 224), "maximum", 128),
}


class Concatenation(nn.Module):
    """The end of a block, so that it is a node with a name."""

    def forward(self, branches: list[Tensor]) -> Tensor:
        return torch.cat(branches, 1)


class BNInception(nn.Module):
    """Images (B, 3, s, s) to logits (B, classes); s is a multiple of 32.

    The parameters bear the published files' names. Nodes of use are `inception_<block>_output` (the
    cube of TSN is that of 5a, 7 x 7 x 1024 at 224 pixels) and `global_pool` (1024), its mean.
    """

    def __init__(self, classes: int = 1000):
        super().__init__()
        self._add("conv1_7x7_s2", 3, 64, 7, 2)
        self._add("conv2_3x3_reduce", 64, 64)
        self._add("conv2_3x3", 64, 192, 3)
        width, self.branches = 192, dict[str, list[list[str]]]()  # a block's units; the pooled last
        for block, (one, (three_in, three), (double_in, double), _, project) in BLOCKS.items():
            stride = 1 if one else 2
            units = [
                [("1x1", one, 1, 1)] if one else [],
                [("3x3_reduce", three_in, 1, 1), ("3x3", three, 3, stride)],
                [
                    ("double_3x3_reduce", double_in, 1, 1),
                    ("double_3x3_1", double, 3, 1),
                    ("double_3x3_2", double, 3, stride),
                ],
                [("pool_proj", project, 1, 1)] if project else [],
            ]
            ends = []
            for branch in units:
                inner = width
                for name, outputs, kernel, by in branch:
                    self._add(f"inception_{block}_{name}", inner, outputs, kernel, by)
                    inner = outputs
                ends.append(inner)
            self.add_module(f"inception_{block}_output", Concatenation())
            named = [[f"inception_{block}_{name}" for name, *_ in branch] for branch in units]
            self.branches[block] = named if one else named[1:]
            width = sum(ends if one else ends[1:])
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.last_linear = nn.Linear(width, classes)

    def _add(self, name: str, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        # with a bias, though normalised right after: the published files hold one
        self.add_module(name, nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2))
        # torch's momentum of 0.1 is Caffe's 0.9, the share that a running average keeps
        self.add_module(name + "_bn", nn.BatchNorm2d(outputs))

    def _through(self, names: list[str], x: Tensor) -> Tensor:
        for name in names:
            x = self.get_submodule(name + "_bn")(self.get_submodule(name)(x))
            x = functional.relu(x)
        return x

    def forward(self, images: Tensor) -> Tensor:
        x = self._through(["conv1_7x7_s2"], images)  # (B, 64, s/2, s/2)
        # rounded up, as Caffe does: 112 places become 56, not 55
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        x = self._through(["conv2_3x3_reduce", "conv2_3x3"], x)
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)  # (B, 192, s/8, s/8)
        for block, (one, _, _, pool, _) in BLOCKS.items():
            if pool == "average":
                pooled = functional.avg_pool2d(x, 3, 1, padding=1)  # zeros at the border count
            elif one:
                pooled = functional.max_pool2d(x, 3, 1, padding=1)
            else:
                pooled = functional.max_pool2d(x, 3, 2, ceil_mode=True)
            *others, last = self.branches[block]
            ends = [*(self._through(names, x) for names in others), self._through(last, pooled)]
            x = self.get_submodule(f"inception_{block}_output")(ends)
        return self.last_linear(self.global_pool(x).flatten(1))


WIDTHS = (24, 48, 96, 128)


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut that averages, (B, i, s, s) to (B, o, s/2, s/2)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


class PuppetNet(nn.Module):
    """A convolution and three residual blocks: 112 x 112 pixels become a 7 x 7 x 128 cube.

    Images (B, 3, s, s) give logits (B, classes). The cube is node `trunk`, the vector its mean over
    places, node `pool`. 0.44 million parameters: a tour of the package needs no download.
    """

    def __init__(self, classes: int = 1000):
        super().__init__()
        first = nn.Conv2d(3, WIDTHS[0], 3, stride=2, padding=1, bias=False)
        blocks = [Residual(*pair) for pair in pairwise(WIDTHS)]
        self.trunk = nn.Sequential(first, nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True), *blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(WIDTHS[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.pool(self.trunk(images)).flatten(1))


def first_convolution(network: nn.Module) -> tuple[str, nn.Conv2d]:
    """A network's first convolution with its name; ConfigError for a network without one."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            return name, module
    raise ConfigError("backbone", type(network).__name__, "a network with a convolution")


def to_motion(network: nn.Module, inputs: int) -> nn.Module:
    """Cross-modality initialisation (TSN): the RGB network with a first convolution for flow.

    Its weights are averaged over R, G and B and repeated over `inputs` channels. A network whose
    first convolution takes as many is one for flow already, and stays as it is.
    """
    name, first = first_convolution(network)
    if first.in_channels == inputs:
        return network
    alike: Any = {name: getattr(first, name) for name in ("kernel_size", "stride", "padding")}
    # its own type: timm's pads as TensorFlow does
    new = type(first)(inputs, first.out_channels, bias=first.bias is not None, **alike)
    with torch.no_grad():
        new.weight.copy_(first.weight.mean(1, keepdim=True).expand_as(new.weight))
        if first.bias is not None and new.bias is not None:
            new.bias.copy_(first.bias)
    network.set_submodule(name, new)
    return network
