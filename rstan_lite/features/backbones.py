"""Two-stream networks: any torchvision network, by the names of two of its nodes (Eq. 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rstan_lite.errors import ConfigError
from rstan_lite.features.flow import PAIRS, ZERO

STREAMS = ("appearance", "motion")
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for RGB in [0, 1]
FLOW_SCALE = 16.0  # 8-bit codes a unit: brings flow to about the spread of a normalised image


@dataclass(frozen=True)
class Backbone:
    """A network of torchvision, and where to read it.

    name: of `torchvision.models` (or "puppetnet"). cube: the node of the convolutional cube.
    vector: the node of the feature vector; a node that still has places is averaged over them.
    cube_pool: max-pooling of the cube, for networks whose last map is finer than 7 x 7 places.
    homogeneous: nothing but convolutions, ReLU and pooling, see `rescale`.
    """

    name: str
    cube: str
    vector: str
    cube_pool: int = 1
    homogeneous: bool = False


PRESETS = {
    # 13 x 13 x 512 after the last fire module, pooled to 7 x 7; SqueezeNet has no dense layer
    "squeezenet1_0": Backbone("squeezenet1_0", "features.12", "features.12", 2, homogeneous=True),
    # GPCNN's nodes: the last pooling, 7 x 7 x 512, and fc6 after its ReLU, 4096
    "vgg16": Backbone("vgg16", "features.30", "classifier.1"),
    "resnet18": Backbone("resnet18", "layer4", "avgpool"),
    "puppetnet": Backbone("puppetnet", "trunk", "pool"),
}


def backbone(name: str) -> Backbone:
    """A preset by name, or `network:cube node:vector node[:cube pooling]`."""
    if name in PRESETS:
        return PRESETS[name]
    parts = name.split(":")
    if len(parts) not in (3, 4) or (len(parts) == 4 and not parts[3].isdigit()):
        raise ConfigError(
            "backbone",
            repr(name),
            f"one of {', '.join(PRESETS)}, or 'network:cube node:vector node'",
        )
    return Backbone(parts[0], parts[1], parts[2], int(parts[3]) if len(parts) == 4 else 1)


def channels(stream: str) -> int:
    """Input channels of a stream's network: 3 for RGB, 20 for ten pairs of flow."""
    if stream not in STREAMS:
        raise ConfigError("stream", repr(stream), f"one of {', '.join(STREAMS)}")
    return 3 if stream == "appearance" else 2 * PAIRS


def build(spec: Backbone) -> nn.Module:
    """The whole network without weights, for RGB."""
    if spec.name == "puppetnet":
        from rstan_lite.features.puppetnet import PuppetNet

        return PuppetNet()
    from torchvision.models import get_model, list_models

    if spec.name not in list_models():
        raise ConfigError("backbone", repr(spec.name), "a network of torchvision.models")
    return get_model(spec.name, weights=None)


def to_motion(network: nn.Module, inputs: int) -> nn.Module:
    """Cross-modality initialisation: the RGB network with a first convolution for flow.

    The first convolution's weights are averaged over R, G and B and repeated over `inputs`
    channels (TSN's way to start a motion network from ImageNet).
    """
    name, first = _first_convolution(network)
    new = nn.Conv2d(
        inputs,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        first.stride,  # type: ignore[arg-type]
        first.padding,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    with torch.no_grad():
        new.weight.copy_(first.weight.mean(1, keepdim=True).expand_as(new.weight))
        if first.bias is not None and new.bias is not None:
            new.bias.copy_(first.bias)
    setattr(network.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2], new)
    return network


def _first_convolution(network: nn.Module) -> tuple[str, nn.Conv2d]:
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            return name, module
    raise ConfigError("backbone", type(network).__name__, "a network with a convolution")


@torch.no_grad()
def rescale(network: nn.Module) -> None:
    """Bring a homogeneous network's first convolution to the size of a fresh one.

    ImageNet's SqueezeNet has first weights 50 times as large as a fresh layer's. Gradient steps
    that suit the other layers then leave it as it is: harmless for RGB, but a motion network can't
    learn to tell x from y. Dividing the first convolution and every bias by the same number
    divides all outputs by it and changes nothing else, as ReLU and pooling commute with scaling.
    """
    first = _first_convolution(network)[1]
    fan_in = first.weight[0].numel()
    factor = first.weight.square().mean().sqrt() / (2 / fan_in) ** 0.5
    first.weight.div_(factor)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.div_(factor)


class FeatureNet(nn.Module):
    """A stream's network, cut at its two nodes, with a classifier for its fine-tuning.

    stream: "appearance" (uint8 RGB images) or "motion" (uint8 flow stacks).
    classes: of the classifier that fine-tuning trains on the vector; 0 for none.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: Backbone, stream: str, classes: int = 0, dropout: float = 0.5):
        super().__init__()
        from torchvision.models.feature_extraction import create_feature_extractor

        network, inputs = build(spec), channels(stream)
        if stream == "motion":
            network = to_motion(network, inputs)
        self.spec, self.stream = spec, stream
        try:
            self.trunk = create_feature_extractor(network, list({spec.cube, spec.vector}))
        except ValueError as error:
            raise ConfigError(
                "backbone",
                f"nodes {spec.cube!r}, {spec.vector!r} ({error})",
                "nodes of the network",
            ) from error
        rgb = stream == "appearance"
        self.register_buffer("mean", torch.tensor(_MEAN if rgb else [ZERO / 255.0]).view(-1, 1, 1))
        self.register_buffer(
            "std", torch.tensor(_STD if rgb else [FLOW_SCALE / 255]).view(-1, 1, 1)
        )
        self.dropout = nn.Dropout(dropout)
        self.norm: nn.BatchNorm1d | None = None
        self.classifier: nn.Linear | None = None
        if classes:
            width = self.sizes()[1]
            # vectors are all positive and, in some networks, large: unnormalised, their common
            # part drowns what tells the classes apart, and a motion network hardly starts to learn
            self.norm = nn.BatchNorm1d(width, affine=False)
            self.classifier = nn.Linear(width, classes)

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (B, s, s, channels) to float (B, channels, s, s), channels last in memory."""
        x = images.permute(0, 3, 1, 2).to(self.mean.dtype).div_(255)
        return x.sub_(self.mean).div_(self.std)

    def vector_and_cube(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The nodes' outputs: (B, d_fc) and (B, d_cv, K, K)."""
        nodes = self.trunk(self.normalise(images))
        cube, vector = nodes[self.spec.cube], nodes[self.spec.vector]
        if vector.ndim == 4:
            vector = vector.mean((2, 3))
        if self.spec.cube_pool > 1:
            cube = functional.max_pool2d(cube, self.spec.cube_pool, ceil_mode=True)
        return vector, cube

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Eq. 1 for a batch of images.

        images: uint8 (B, s, s, channels). Returns "cubes" (B, P, d_cv), the places row by row, and
        "vectors" (B, d_fc).
        """
        vector, cube = self.vector_and_cube(images)
        return {"cubes": cube.flatten(2).transpose(1, 2), "vectors": vector}

    def classify(self, vector: Tensor) -> Tensor:
        """Class logits (B, classes) of vectors (B, d_fc), for fine-tuning."""
        if self.norm is None or self.classifier is None:
            raise ConfigError("classes", "0", "a network built with a classifier")
        return self.classifier(self.dropout(self.norm(vector)))

    def forward(self, images: Tensor) -> Tensor:
        """Class logits (B, classes) of images."""
        return self.classify(self.vector_and_cube(images)[0])

    @torch.no_grad()
    def sizes(self, side: int = 224) -> tuple[int, int, int]:
        """P, d_fc and d_cv for images of `side` pixels."""
        training = self.training
        self.eval()
        image = torch.zeros(1, side, side, channels(self.stream), dtype=torch.uint8)
        vector, cube = self.vector_and_cube(image.to(self.mean.device))
        self.train(training)
        return cube.shape[2] * cube.shape[3], vector.shape[1], cube.shape[1]
