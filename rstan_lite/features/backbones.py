"""Two-stream networks, cut at two nodes into cubes and vectors (Eq. 1)."""

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from rstan_lite.features import architectures
from rstan_lite.features.architectures import BNINCEPTION
from rstan_lite.features.flow import PAIRS, ZERO
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import imported, require_libraries

STREAMS = ("appearance", "motion")
TIMM, OWN = "timm:", "python:"  # where a network comes from, if not from torchvision or here


@dataclass(frozen=True)
class Pixels:
    """What values a network takes.

    mean, std: of RGB in [0, 1], or of BGR. flow_unit: codes of flow that make 1 of its input.
    """

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # of ImageNet
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    bgr: bool = False
    flow_unit: float = 16.0  # brings flow to about the spread of a normalised image


TORCHVISION = Pixels()
# values from 0 to 255 less a mean, and flow codes less 128: what TSN's networks are trained with
CAFFE = Pixels((104 / 255, 117 / 255, 128 / 255), (1 / 255, 1 / 255, 1 / 255), True, 1.0)
LITE = Pixels((127 / 255,) * 3, (128 / 255,) * 3)  # (pixel - 127) / 128


@dataclass(frozen=True)
class Backbone:
    """A network, and where to read it.

    name: of `torchvision.models`, "bninception" or "puppetnet"; "timm:" and a name of timm's;
    "python:module.function" of yours, which returns a network without arguments.
    cube: the node of the cube, see `as_cube`. vector: that of the vector, see `as_vector`.
    cube_pool: max-pooling of a map that is finer than 7 x 7 places. homogeneous: see `rescale`.
    pairs: consecutive pairs of flow in the motion network's input, two channels each.
    step: sides of images must be a multiple of it.
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
    def module(self) -> str:
        """The module of a function of yours, else an empty text."""
        own = self.name.removeprefix(OWN) if self.name.startswith(OWN) else ""
        return own.rpartition(".")[0]

    def content(self, stream: str) -> dict[str, Any]:
        """What is unusual about the network's input, for the keys of what is made with it."""
        if stream != "motion":
            return {} if self.pixels == TORCHVISION else {"pixels": asdict(self.pixels)}
        usual = {"pairs": PAIRS, "flow_unit": TORCHVISION.flow_unit}
        here = {"pairs": self.pairs, "flow_unit": self.pixels.flow_unit}
        return {name: value for name, value in here.items() if value != usual[name]}


PRESETS = {
    # 13 x 13 x 512 after the last fire module, pooled to 7 x 7; SqueezeNet has no dense layer
    "squeezenet1_0": Backbone("squeezenet1_0", "features.12", "features.12", 2, homogeneous=True),
    # GPCNN's nodes: the last pooling, 7 x 7 x 512, and fc6 after its ReLU, 4096. Of another map
    # (8 x 8 at 256 pixels) torchvision averages overlapping places for fc6, which takes 7 x 7
    "vgg16": Backbone("vgg16", "features.30", "classifier.1"),
    # TSN's nodes: inception-5a, 7 x 7 x 1024, and the last pooling, 1024. Sides that are no
    # multiple of 32 give an odd map, whose halves by convolution and by pooling are unlike
    BNINCEPTION: Backbone(
        BNINCEPTION, "inception_5a_output", "global_pool", pairs=5, pixels=CAFFE, step=32
    ),
    "resnet18": Backbone("resnet18", "layer4", "avgpool"),
    "resnet50": Backbone("resnet50", "layer4", "avgpool"),
    # the vectors of the next three are those that the classifier reads, after their normalisation
    "convnext_tiny": Backbone("convnext_tiny", "features", "classifier.1"),
    "swin_t": Backbone("swin_t", "norm", "flatten"),  # the cube has its channels last
    # 14 x 14 patches, pooled to 7 x 7; the vector is the class token. 224 pixels alone
    "vit_b_16": Backbone("vit_b_16", "encoder.ln", "encoder.ln", 2),
    "puppetnet": Backbone("puppetnet", "trunk", "pool"),
} | {
    # the last block, 7 x 7 x 320 (lite0, lite1) or 352, and what the classifier reads, 1280
    f"efficientnet_lite{n}": Backbone(
        f"timm:tf_efficientnet_lite{n}", "blocks.6", "global_pool", pixels=LITE
    )
    for n in range(3)
}


def backbone(name: str) -> Backbone:
    """A preset by name, or `network:cube node:vector node[:cube pooling]`.

    `python:module.function` alone names a network that returns cube and vector itself.
    """
    if name in PRESETS:
        return PRESETS[name]
    origin = next((one for one in (TIMM, OWN) if name.startswith(one)), "")
    network, *nodes = name.removeprefix(origin).split(":")
    if origin == OWN and not nodes:
        return Backbone(name, "", "")
    if len(nodes) not in (2, 3) or (len(nodes) == 3 and not nodes[2].isdigit()):
        forms = "'[timm:]network:cube node:vector node' or 'python:module.function[:...:...]'"
        expected = f"one of {', '.join(PRESETS)}, or {forms}"
        raise ConfigError("backbone", repr(name), expected)
    # pixels, pairs and step belong to the network, whichever nodes are read
    known = None if origin else PRESETS.get(network)
    known = known or Backbone(origin + network, "", "", pixels=_pixels(origin, network))
    pooling = int(nodes[2]) if len(nodes) == 3 else 1
    return replace(known, cube=nodes[0], vector=nodes[1], cube_pool=pooling, homogeneous=False)


def build(spec: Backbone) -> nn.Module:
    """The whole network without weights, for RGB images (a vision transformer's of 224 pixels)."""
    here = {"puppetnet": architectures.PuppetNet, BNINCEPTION: architectures.BNInception}
    if spec.name in here:
        return here[spec.name]()
    if spec.name.startswith(OWN):
        module, _, function = spec.name.removeprefix(OWN).rpartition(".")
        expected = "python:module.function, which returns a torch.nn.Module for RGB (B, 3, H, W)"
        network = imported("backbone", module, function, expected)()
        if not isinstance(network, nn.Module):
            raise ConfigError(f"backbone {spec.name}", f"a {type(network).__name__}", expected)
        return network
    if spec.name.startswith(TIMM):
        return _timm().create_model(spec.name.removeprefix(TIMM))
    from torchvision.models import get_model, list_models

    if spec.name not in list_models():
        networks = f"a network of torchvision.models, {BNINCEPTION} or puppetnet"
        raise ConfigError("backbone", repr(spec.name), networks)
    return get_model(spec.name, weights=None)


def _timm() -> Any:
    require_libraries("networks of timm", {"timm": "timm"}, "pretrained")
    return import_module("timm")


def _pixels(origin: str, network: str) -> Pixels:
    """The values that a network takes: by timm's configuration, or torchvision's transforms."""
    from torchvision.models import get_model_weights, list_models

    ours = not origin and network in list_models()
    found: Any = get_model_weights(network).DEFAULT.transforms() if ours else None
    if origin == TIMM:
        if not _timm().is_model(network):
            raise ConfigError("backbone", f"'timm:{network}'", "a network of timm.list_models()")
        found = _timm().get_pretrained_cfg(network)
    return Pixels(tuple(found.mean), tuple(found.std)) if hasattr(found, "mean") else TORCHVISION


def _size(network: str, found: int, expected: str) -> ConfigError:
    hint = "Options: --size and --motion-size, or --size and --test-size of `rstan-lite tune`."
    return ConfigError(f"images of {network}", f"a side of {found} pixels", expected, hint)


def cube_places(maps: Tensor) -> Tensor:
    """Read a cube as its P place vectors, row by row (Eq. 1).

    maps: (..., d_cv, K, K) feature maps, as a convolutional network gives them.
    Returns (..., P, d_cv); place k = row * K + column.
    """
    return maps.flatten(-2).transpose(-1, -2)


def as_cube(output: Tensor, side: int, node: str) -> Tensor:
    """A node's output as a cube (B, C, K, K).

    output: a map (B, C, K, K), or with its channels last, as Swin has them; or tokens (B, N, C) row
    by row, N = K * K or, with a class token before them, 1 + K * K, where K divides the side.
    Raises ConfigError for any other shape, or one that can be read in two ways.
    """
    shape = tuple(output.shape)
    if output.ndim == 3:
        first = _class_tokens(shape[1], side, node)
        k = isqrt(shape[1] - first)
        return output[:, first:].transpose(1, 2).unflatten(2, (k, k))
    usual, last = shape[2:3] == shape[3:], shape[1:2] == shape[2:3]
    if output.ndim == 4 and (usual != last or shape[1:] == (1, 1, 1)):
        return output if usual else output.permute(0, 3, 1, 2)
    expected = "tokens, or a map of as many rows as columns, other numbers of channels than of rows"
    raise _unlike(node, f"an output of shape {shape}", expected)


def as_vector(output: Tensor, side: int, node: str) -> Tensor:
    """A node's output, (B, d) or as for `as_cube`, as (B, d): a class token, else a mean."""
    if output.ndim == 2:
        return output
    if output.ndim == 3 and _class_tokens(output.shape[1], side, node):
        return output[:, 0]
    return as_cube(output, side, node).mean((2, 3))


def _class_tokens(tokens: int, side: int, node: str) -> int:
    """0 or 1: how many tokens stand before those of the places."""
    for first in (0, 1):
        k = isqrt(tokens - first)
        if k > 0 and k * k == tokens - first and side % k == 0:
            return first
    expected = "K * K, or 1 + K * K with a class token, where K divides the pixels"
    raise _unlike(node, f"{tokens} tokens for {side} x {side} pixels", expected)


def _unlike(node: str, found: str, expected: str) -> ConfigError:
    return ConfigError(f"node {node!r}", found, expected, "Name another node of the network.")


class FeatureNet(nn.Module):
    """A stream's network, cut at its two nodes.

    stream: "appearance" (uint8 RGB images), "motion" (uint8 flow stacks), or one whose images have
    as many channels as the network's first convolution takes.
    side: of the images in pixels; most networks take other sides as well.
    Inside `torch.device("meta")` no random numbers are drawn: for shapes, or if weights are read.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: Backbone, stream: str, side: int = 224):
        super().__init__()
        from torchvision.models import feature_extraction

        self.spec, self.stream, self.side = spec, stream, side
        network = build(spec)
        if stream == "motion":
            network = architectures.to_motion(network, 2 * spec.pairs)
        first = architectures.first_convolution
        self.inputs = 3 if stream == "appearance" else first(network)[1].in_channels
        # timm knows which of its modules can't be traced
        extraction = _timm().models if spec.name.startswith(TIMM) else feature_extraction
        nodes, cut = list({spec.cube, spec.vector}), extraction.create_feature_extractor
        try:
            self.trunk = cut(network, nodes) if spec.cube else network
        except ValueError as error:
            found, last = f"nodes {spec.cube!r}, {spec.vector!r} ({error})", ""
            with suppress(ValueError):  # a network that can't be traced
                last = ": ..., " + ", ".join(extraction.get_graph_node_names(network)[1][-12:])
            raise ConfigError("backbone", found, f"nodes of the network{last}") from error
        mean, std = (spec.pixels.mean, spec.pixels.std) if self.inputs == 3 else ((0.0,), (1.0,))
        if stream == "motion":
            mean, std = (ZERO / 255,), (spec.pixels.flow_unit / 255,)
        for name, values in (("mean", mean), ("std", std)):
            # on the CPU even if the network is built on "meta": ImageNet's files do not bring them
            self.register_buffer(name, torch.tensor(values, device="cpu").view(-1, 1, 1))

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (B, s, s, channels) to float (B, channels, s, s), channels last in memory."""
        x = images.permute(0, 3, 1, 2).to(self.mean.dtype).div_(255)
        if self.inputs == 3 and self.spec.pixels.bgr:
            x = x.flip(1)
        return x.sub_(self.mean).div_(self.std)

    def vector_and_cube(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The nodes' (B, d_fc) and (B, d_cv, K, K); ConfigError for a side that does not fit."""
        side, channels = images.shape[1], images.shape[3]
        self._check_side(side)
        if channels != self.inputs:
            found = f"{channels} channels ({self.stream})"
            raise ConfigError(f"images of {self.spec.name}", found, f"{self.inputs}")
        return self._read(self.trunk(self.normalise(images)), side)

    def _check_side(self, side: int) -> None:
        if side % self.spec.step:
            raise _size(self.spec.name, side, f"a multiple of {self.spec.step}")

    def _read(self, output: Any, side: int) -> tuple[Tensor, Tensor]:
        spec = self.spec
        if spec.cube:
            output = output[spec.cube], output[spec.vector]
        elif not isinstance(output, tuple) or [type(one) for one in output] != [Tensor, Tensor]:
            found = f"a network that returns a {type(output).__name__}"
            expected = "a tuple (cube, vector), or two nodes' names after the function's"
            raise ConfigError(f"backbone {spec.name}", found, expected)
        cube, vector = output
        cube = as_cube(cube, side, spec.cube or "cube")
        vector = as_vector(vector, side, spec.vector or "vector")
        if spec.cube_pool > 1:
            cube = functional.max_pool2d(cube, spec.cube_pool, ceil_mode=True)
        return vector, cube

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Of images uint8 (B, s, s, channels) "cubes" (B, P, d_cv) and "vectors" (B, d_fc)."""
        vector, cube = self.vector_and_cube(images)
        return {"cubes": cube_places(cube), "vectors": vector}

    def sizes(self, side: int = 0) -> tuple[int, int, int]:
        """P, d_fc and d_cv for images of `side` pixels (0: its own), from shapes alone."""
        side = side or self.side
        self._check_side(side)
        tensors = [*self.trunk.named_parameters(), *self.trunk.named_buffers()]
        shapes = {name: tensor.to("meta") for name, tensor in tensors}
        image = torch.zeros(1, self.inputs, side, side, device="meta")
        training = self.training
        self.eval()
        try:
            nodes = functional_call(self.trunk, shapes, (image,))
        except (RuntimeError, AssertionError) as error:  # a map without a place, for example
            raise _size(self.spec.name, side, f"one that it can take ({error})") from error
        finally:
            self.train(training)
        vector, cube = self._read(nodes, side)
        return cube.shape[2] * cube.shape[3], vector.shape[1], cube.shape[1]
