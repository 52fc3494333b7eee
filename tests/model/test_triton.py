"""The Triton kernels of Eq. 2, run on the CPU by Triton's interpreter."""

import importlib.util
from pathlib import Path

import pytest
import torch

from rstan_lite.model import RSTANConfig, fast
from rstan_lite.model.fast import choice, recurrence
from rstan_lite.model.fast.places import BlockKernel

pytest.importorskip("triton")
SOURCE = Path(fast.__file__).parent / "triton_places.py"


@pytest.fixture
def interpreted(monkeypatch):
    """The module of the kernels, loaded for the interpreter alone."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    spec = importlib.util.spec_from_file_location("interpreted_places", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("kind", "held", "tolerance"),
    [
        (torch.float64, torch.float64, 1e-12),
        (torch.float32, torch.float32, 1e-5),
        (torch.float32, torch.bfloat16, 1e-5),  # the same rounded A_cv CV, read in either way
    ],
)
@pytest.mark.parametrize("frames", [range(0, 4), range(1, 3)])
def test_kernels_agree_with_those_of_torch(interpreted, monkeypatch, kind, held, tolerance, frames):
    monkeypatch.setattr(interpreted, "TILE", 64)  # several blocks, the last one not full
    torch.manual_seed(0)
    S, B, T, P, D = 2, 3, 4, 5, 7
    a = torch.randn(S, B, T, P, D, dtype=kind).to(held)
    guide, v = torch.randn(S, B, 2 * D, dtype=kind)[..., :D], torch.randn(S, D, dtype=kind)
    q = torch.randn(S, B, len(frames), P, dtype=kind)
    one = interpreted.TritonKernel(a, v)
    other = BlockKernel(*BlockKernel.prepare(a.to(kind).clone())[:1], v, product_form=True)
    found = []
    for kernel in (one, other):
        scores = kernel.scores(guide, frames)
        steps = [kernel.backward(guide * k, frames, q) for k in (1, 0.5)]  # sums over steps
        found.append((scores, *steps, *kernel.gradients()))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


def test_the_whole_recurrence_by_triton(case, interpreted, monkeypatch):
    """Forward and backward through the choice of kernels, as on a GPU."""
    monkeypatch.setattr(recurrence, "kernel_for", lambda device: choice.TRITON)
    monkeypatch.setitem(__import__("sys").modules, fast.__name__ + ".triton_places", interpreted)
    gradients = {}
    for how in ("plain", "fast"):
        given = case(recurrence=how, steps=2, lengths=(2, 1), attention="window")
        output = given.run(return_attention=False)
        (output.logits.sum() + output.alpha_diagonal.square().sum()).backward()
        gradients[how] = {k: p.grad for k, p in given.model.named_parameters()}
    for name, expected in gradients["plain"].items():
        found = gradients["fast"][name]
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11, msg=name)


def test_a_gpu_gets_triton_and_a_cpu_does_not():
    assert choice.kernel_for(torch.device("cuda")) == "triton"
    assert choice.kernel_for(torch.device("cpu")) == "blocks"
    config = RSTANConfig(
        ("motion",), {"motion": 4}, {"motion": 4}, {"toy": 2}, 4, 4, recurrence="auto"
    )
    assert "kernel triton" in str(fast.choose_plan(config, torch.device("cuda")))
