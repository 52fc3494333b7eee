"""A network that exists as an object in Python, as the network of a stream."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils import _pytree

from rstan_lite.features.architectures import first_convolution
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.settings import imported, pairs
from rstan_lite.training.config import TrainConfig

FIELDS = {
    "appearance": ("backbone", "appearance_weights"),
    "motion": ("motion_backbone", "motion_weights"),
}
OWN = ("input_networks", "input_weights")  # of further streams


def use_network(
    config: TrainConfig, stream: str, network: nn.Module, weights: str | Path, nodes: str = ""
) -> TrainConfig:
    """The configuration with a network of yours, by its class's name and a file of its weights.

    A configuration holds names, so that a run can be opened later and elsewhere. So the network's
    class must lie in a module that can be imported, and need no arguments.
    stream: appearance, motion or one of config.inputs. weights: the file to write, .safetensors.
    nodes: `cube node:vector node`; none if `forward` returns (cube, vector).
    Raises ConfigError for a network that its class's name and its weights do not give again.
    """
    kind = type(network)
    main = Path(getattr(sys.modules["__main__"], "__file__", None) or "notebook").stem
    module = main if kind.__module__ == "__main__" else kind.__module__
    where, expected = f"network of {stream}", "a class of a module, which needs no arguments"
    hint = "Write a function without arguments that returns it: python:module.function."
    try:
        again: nn.Module = imported(where, module, kind.__qualname__, expected)()
        again.load_state_dict(network.state_dict())
    except (TypeError, RuntimeError) as error:
        found = f"{module}.{kind.__qualname__} ({' '.join(str(error).split())[:200]})"
        raise ConfigError(where, found, expected, hint) from error
    if not _alike(network, again, (stream == "motion" and config.motion_size) or config.size):
        found = f"another answer of {module}.{kind.__qualname__} with these weights"
        raise ConfigError(where, found, "the answer of the object", hint)
    state = {name: x.detach().cpu().contiguous() for name, x in network.state_dict().items()}
    write_atomically(Path(weights), save(state))
    name = f"python:{module}.{kind.__qualname__}" + (f":{nodes}" if nodes else "")
    options: dict[str, Any] = dict(zip(FIELDS.get(stream, OWN), (name, str(weights)), strict=True))
    for option, value in options.items() if stream not in FIELDS else ():
        named = {**pairs(option, getattr(config, option)), stream: value}
        options[option] = tuple("=".join(pair) for pair in named.items())
    return replace(config, **options)


@torch.no_grad()
def _alike(one: nn.Module, other: nn.Module, side: int) -> bool:
    """Whether two networks answer alike to a random image; their modes stay as they were."""
    first, draw = first_convolution(one)[1], torch.Generator().manual_seed(0)
    image = torch.randn(1, first.in_channels, side, side, generator=draw).to(first.weight)
    was_training, found = one.training, []
    for net in (one.eval(), other.to(first.weight).eval()):
        found.append([x for x in _pytree.tree_leaves(net(image)) if isinstance(x, Tensor)])
    one.train(was_training)
    return all(torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(*found, strict=True))
