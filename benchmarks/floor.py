"""The least time that a pass can take: its operations and bytes, at this machine's rates."""

from __future__ import annotations

import time

import torch

from benchmarks.cases import STREAMS, Sizes
from rstan_lite.model.fast.operations import product


def attended(sizes: Sizes, window: int = 2) -> int:
    """Frames attended in all steps of a clip together."""
    if sizes.attention == "all":
        return sizes.steps**2
    return sum(min(window, sizes.steps - t) for t in range(sizes.steps))


def work(sizes: Sizes, backward: bool) -> tuple[float, float]:
    """Estimate of the floating-point operations and bytes that no way of computing it does without.

    Operations: those of the products, A_cv CV and U_x x once a clip, the others once a step (the
    first has no state to multiply); a backward pass repeats each for its matrix, and those that
    reach a state for it as well; that of Eq. 4 for its weights alone, as cubes have no gradient.
    Not counted: tanh, softmax and gates. Bytes: each step reads the matrices, A_cv CV and the cubes
    of the frames that it attends, as none of these fits in a cache at the paper's sizes (at those
    of `course` and `tiny` they may, and the arithmetic decides); backward it reads them again, and
    reads and writes the gradient of A_cv CV.
    """
    b, t, p, n = sizes.batch, sizes.steps, sizes.places, attended(sizes)
    d_h, d_att, d_cv = sizes.d_h, sizes.d_att, sizes.d_cv
    hoisted = 2 * b * t * (p * d_att * d_cv + 4 * d_h * sizes.d_fc)
    state = 4 * d_h + 2 * d_att  # rows that multiply h
    gather = 2 * b * n * d_cv * p  # Eq. 4
    looped = 2 * b * ((t - 1) * state * d_h + t * 4 * d_h * d_cv) + 2 * b * n * d_cv * (d_att + 1)
    matrices = 4 * t * (state * d_h + 4 * d_h * d_cv)
    clip = 4 * b * n * p * (d_att + d_cv)
    operations, moved = hoisted + looped + gather, matrices + clip
    if backward:
        operations += hoisted + 2 * looped + gather
        moved += matrices + clip + 2 * 4 * b * n * p * d_att
    return float(len(STREAMS) * operations), float(len(STREAMS) * moved)


def rates(device: str, precision: str = "32") -> tuple[float, float]:
    """Best of several: operations a second of a large product, bytes a second read and written."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    side, length = (8192, 1 << 28) if device == "cuda" else (1536, 1 << 25)
    x, weight = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    source = torch.randn(length, device=device)
    target = torch.empty_like(source)

    def best(work: float, *arguments: torch.Tensor) -> float:
        seconds = []
        for _ in range(7):
            start = time.perf_counter()
            product(*arguments) if len(arguments) == 2 else target.copy_(arguments[0])
            if device == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
        return work / min(seconds)

    return best(2.0 * side**3, x, weight), best(8.0 * length, source)


def floor(sizes: Sizes, backward: bool, rate: tuple[float, float]) -> float:
    """Seconds: whichever takes longer, the arithmetic or the traffic, if both could overlap."""
    operations, moved = work(sizes, backward)
    return max(operations / rate[0], moved / rate[1])
