"""A small convolutional network, trained on puppets, that ships with the package."""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (24, 48, 96, 128)


class PuppetNet(nn.Module):
    """Four stride-2 convolutions and one more: 112 x 112 pixels become a 7 x 7 x 128 cube.

    Images (B, 3, s, s) give logits (B, classes). The cube is node `trunk`, the vector its mean over
    places, node `pool`. 0.3 million parameters: a tour of the package needs no download.
    """

    def __init__(self, classes: int = 1000):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width, stride in [*((w, 2) for w in WIDTHS), (WIDTHS[-1], 1)]:
            layers += [
                nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            inputs = width
        self.trunk = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.pool(self.trunk(images)).flatten(1))
