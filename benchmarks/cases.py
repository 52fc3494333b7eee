"""What is timed: the paper's sizes, and four ways to compute a training step of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.reference import reference_forward
from rstan_lite.model import (
    RSTAN,
    RSTANConfig,
    RSTANOutput,
    actor_attention_loss,
    main_loss,
    total_loss,
)

STREAMS = ("appearance", "motion")
HEAD = "clips"
WAYS = ("reference", "plain", "fast", "lstm")


@dataclass(frozen=True)
class Sizes:
    """Sizes of a mini-batch and of a model with two streams, maximum fusion and one softmax.

    train: whether a backward pass is part of it, or clips are only tested.
    """

    batch: int
    steps: int
    d_cv: int
    d_fc: int
    attention: str = "all"
    places: int = 49
    d_h: int = 1024
    d_att: int = 256
    classes: int = 101
    train: bool = True


# Section IV-B; UCF101 with GPCNN (VGG-16) features, or with those of TSN (BN-Inception).
PAPER = {
    "UCF101": Sizes(16, 16, 512, 4096),
    "TSN": Sizes(16, 16, 1024, 1024),
    "HMDB51": Sizes(32, 8, 1024, 1024, classes=51),
    "JHMDB": Sizes(16, 16, 512, 4096, "window", classes=21),
    "test": Sizes(16, 32, 512, 4096, train=False),
}
# Those of the profiles `course` and `tiny`, where overhead rather than arithmetic decides.
SMALL = {
    "course": Sizes(16, 8, 512, 512, "window", d_h=256, classes=21),
    "tiny": Sizes(16, 8, 64, 64, "window", d_h=64, d_att=32, classes=21),
}


class Lower(nn.Module):
    """torch's LSTM over the frame vectors of each stream, without attention: the lower mark."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        lstm = {s: nn.LSTM(sizes.d_fc, sizes.d_h, batch_first=True) for s in STREAMS}
        self.lstm = nn.ModuleDict(lstm)
        self.head = nn.Linear(len(STREAMS) * sizes.d_h, sizes.classes)

    def forward(self, vectors: dict[str, Tensor]) -> Tensor:
        hidden = [lstm(vectors[s])[0] for s, lstm in self.lstm.items()]
        logits: Tensor = self.head(torch.cat(hidden, dim=-1))
        return logits


class Bench:
    """Models of the same weights, and one mini-batch: the same numbers on every device.

    precision: "64", "32", or "bf16" (float32 weights, bfloat16 products).
    """

    def __init__(self, sizes: Sizes, device: str = "cpu", precision: str = "32") -> None:
        self.sizes, self.device, self.precision = sizes, device, precision
        dtype = torch.float64 if precision == "64" else torch.float32
        torch.manual_seed(0)
        self.models = {r: self._model(r) for r in ("plain", "fast")}
        self.models["fast"].load_state_dict(self.models["plain"].state_dict())
        self.lower = Lower(sizes)
        for model in (*self.models.values(), self.lower):
            model.to(device, dtype)
        b, t, p = sizes.batch, sizes.steps, sizes.places
        cubes, vectors = (b, t, p, sizes.d_cv), (b, t, sizes.d_fc)
        self.cubes = {s: torch.randn(cubes).relu_().to(device, dtype) for s in STREAMS}
        self.vectors = {
            s: torch.randn(vectors).relu_().mul_(0.1).to(device, dtype) for s in STREAMS
        }
        self.labels = torch.randint(sizes.classes, (b,)).to(device)
        self.target = torch.softmax(torch.randn(b, t, p), dim=-1).to(device, dtype)

    def _model(self, recurrence: str) -> RSTAN:
        n = self.sizes
        config = RSTANConfig(
            STREAMS,
            dict.fromkeys(STREAMS, n.d_cv),
            dict.fromkeys(STREAMS, n.d_fc),
            {HEAD: n.classes},
            d_h=n.d_h,
            d_att=n.d_att,
            attention=n.attention,
            recurrence=recurrence,
        )
        return RSTAN(config)

    def forward(self, way: str) -> tuple[Tensor, Tensor | None]:
        """Logits (B, T, C) and the fused maps (B, T, P), which the LSTM lacks."""
        if way == "lstm":
            return self.lower(self.vectors), None
        if way == "reference":
            return reference_forward(self.models["plain"], self.cubes, self.vectors, HEAD)
        output: RSTANOutput = self.models[way](self.cubes, self.vectors)
        assert isinstance(output.alpha_diagonal, Tensor)
        return output.logits, output.alpha_diagonal

    def step(self, way: str, backward: bool) -> tuple[Tensor, Tensor]:
        """A pass over the mini-batch: the loss of Eq. 19 and the logits (B, T, C).

        The parameters get their gradients where backward is true.
        """
        bf16 = self.precision == "bf16"
        with (
            torch.set_grad_enabled(backward),
            torch.autocast(self.device, torch.bfloat16, enabled=bf16),
        ):
            logits, maps = self.forward(way)
            loss = main_loss(logits, self.labels)
            if maps is not None:
                loss = total_loss(loss, actor_attention_loss(maps, self.target), 0.5)
        if backward:
            for model in (*self.models.values(), self.lower):
                model.zero_grad()
            loss.backward()
        if self.device == "cuda":
            torch.cuda.synchronize()
        return loss.detach(), logits.detach()

    def passes(self) -> dict[str, Callable[[str], object]]:
        """What is timed, by name."""
        found: dict[str, Callable[[str], object]] = {"forward": lambda way: self.step(way, False)}
        if self.sizes.train:
            found["forward+backward"] = lambda way: self.step(way, True)
        return found
