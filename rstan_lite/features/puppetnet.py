"""A small residual network, trained on puppets, that ships with the package."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (24, 48, 96, 128)


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, at half the side: (B, i, s, s) to (B, o, s/2, s/2).

    The shortcut averages before its 1 x 1 convolution, so that no pixel is left out.
    """

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
        stem = [
            nn.Conv2d(3, WIDTHS[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(inplace=True),
        ]
        blocks = [Residual(*pair) for pair in pairwise(WIDTHS)]
        self.trunk = nn.Sequential(*stem, *blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(WIDTHS[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.pool(self.trunk(images)).flatten(1))
