"""What names a backbone: a network, its nodes, and the values that it takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rstan_lite.features.flow import PAIRS


@dataclass(frozen=True)
class Pixels:
    """What values a network takes.

    mean, std: of RGB in [0, 1], or of BGR where `bgr`, subtracted and divided by.
    flow_unit: 8-bit codes of flow that make 1 of the network's input, after 128 is subtracted.
    """

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of ImageNet
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    bgr: bool = False
    flow_unit: float = 16.0  # brings flow to about the spread of a normalised image


TORCHVISION = Pixels()
# values from 0 to 255 less a mean, and flow codes less 128: what TSN's networks are trained with
CAFFE = Pixels((104 / 255, 117 / 255, 128 / 255), (1 / 255, 1 / 255, 1 / 255), True, 1.0)


@dataclass(frozen=True)
class Backbone:
    """A network, and where to read it.

    name: of `torchvision.models`, or "bninception" or "puppetnet". cube: the node of the
    convolutional cube, a map or tokens. vector: the node of the feature vector; of tokens it is the
    class token, else a node that still has places is averaged over them.
    cube_pool: max-pooling of the cube, for networks whose last map is finer than 7 x 7 places.
    homogeneous: nothing but convolutions, ReLU and pooling, see `first_convolution.rescale`.
    pairs: consecutive pairs of flow in the motion network's input, two channels each.
    pixels: the values of its input. step: sides of images must be a multiple of it.
    """

    name: str
    cube: str
    vector: str
    cube_pool: int = 1
    homogeneous: bool = False
    pairs: int = PAIRS
    pixels: Pixels = TORCHVISION
    step: int = 1

    @property
    def one_side(self) -> bool:
        """Whether a network is built for one image side: it has a position for each patch."""
        return self.name.startswith("vit_")

    def content(self, stream: str) -> dict[str, Any]:
        """What features depend on besides the network's name, where it differs from the usual.

        It belongs to the keys of what is made with the network.
        """
        if stream == "appearance":
            return {} if self.pixels == TORCHVISION else {"pixels": asdict(self.pixels)}
        usual = {"pairs": PAIRS, "flow_unit": TORCHVISION.flow_unit}
        here = {"pairs": self.pairs, "flow_unit": self.pixels.flow_unit}
        return {name: value for name, value in here.items() if value != usual[name]}
