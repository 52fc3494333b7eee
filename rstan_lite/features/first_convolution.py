"""What is done to a network's first convolution: for flow, and to its size."""

from __future__ import annotations

import torch
from torch import nn

from rstan_lite.system.errors import ConfigError


def to_motion(network: nn.Module, inputs: int) -> nn.Module:
    """Cross-modality initialisation: the RGB network with a first convolution for flow.

    The first convolution's weights are averaged over R, G and B and repeated over `inputs`
    channels (TSN's way to start a motion network from ImageNet).
    """
    name, first = _first_convolution(network)
    new = type(first)(  # timm's pads as TensorFlow does
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
