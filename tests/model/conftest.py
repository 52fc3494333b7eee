"""A random model, its inputs, and the same numbers for the oracle."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from rstan_lite.model import RSTAN, RSTANConfig

SIZES = {"d_cv": {"appearance": 3, "motion": 4}, "d_fc": {"appearance": 5, "motion": 2}}


@dataclass
class Case:
    """A float64 model in eval mode with inputs of one shape."""

    config: RSTANConfig
    model: RSTAN
    cubes: dict[str, Tensor]
    vectors: dict[str, Tensor]
    frame_mask: Tensor | None
    labels: Tensor
    target: Tensor

    def run(self, **options):
        options = {"frame_mask": self.frame_mask, "return_attention": True} | options
        return self.model(self.cubes, self.vectors, **options)

    def oracle_inputs(self, head: str = "jhmdb") -> tuple:
        """Arguments of oracle.forward, as plain NumPy."""
        values = {name: p.detach().numpy() for name, p in self.model.named_parameters()}
        params: dict = {"W": {}, "b": {}}
        for stream in self.config.streams:
            start = f"streams.{stream}."
            params[stream] = {n[len(start) :]: v for n, v in values.items() if n.startswith(start)}
            params["W"][stream] = values[f"heads.{head}.W.{stream}"]
            if self.config.classifier == "score":
                params["b"][stream] = values[f"heads.{head}.b.{stream}"]
            else:
                params["b"] = values[f"heads.{head}.b"]
        config = SimpleNamespace(
            **{f.name: getattr(self.config, f.name) for f in fields(self.config)}
        )
        mask = None if self.frame_mask is None else self.frame_mask.numpy()
        cubes = {s: x.detach().numpy() for s, x in self.cubes.items()}
        vectors = {s: x.detach().numpy() for s, x in self.vectors.items()}
        return params, cubes, vectors, config, mask


def build(
    seed: int = 0,
    videos: int = 2,
    steps: int = 4,
    places: int = 4,
    lengths: tuple[int, ...] | None = None,
    **options,
) -> Case:
    """A case with random parameters, biases included, so that no term of an equation is idle."""
    rng = np.random.default_rng(seed)
    settings = {"streams": ("appearance", "motion"), "heads": {"jhmdb": 3}, "d_h": 3, "d_att": 2}
    config = RSTANConfig(**(settings | SIZES | {"gamma_alpha": 2.0, "gamma_beta": 3.0} | options))
    model = RSTAN(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.tensor(rng.normal(scale=0.8, size=tuple(parameter.shape))))

    def draw(*shape: int) -> Tensor:
        return torch.tensor(rng.normal(size=shape))

    streams = config.streams
    target = torch.tensor(rng.random((videos, steps, places)) < 0.5).double()
    return Case(
        config,
        model,
        {s: draw(videos, steps, places, config.d_cv[s]) for s in streams},
        {s: draw(videos, steps, config.d_fc[s]) for s in streams},
        None if lengths is None else torch.arange(steps) < torch.tensor(lengths)[:, None],
        torch.tensor(rng.integers(0, next(iter(config.heads.values())), videos)),
        target / target.sum(-1, keepdim=True).clamp_min(1),
    )


@pytest.fixture(scope="session")
def case() -> Callable[..., Case]:
    """The builder of cases; see build."""
    return build
