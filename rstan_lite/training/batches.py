"""The mini-batches that are drawn from clips' features."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.sampling import equally_spaced
from rstan_lite.features.pipeline import ClipFeatures


@dataclass
class Batch:
    """B clips of T frames on the computing device, float32.

    cubes[stream] (B, T, P, d_cv), vectors[stream] (B, T, d_fc), labels (B,), target (B, T, P), and
    rows (B,), indices in the ClipFeatures.
    """

    cubes: dict[str, Tensor]
    vectors: dict[str, Tensor]
    labels: Tensor
    target: Tensor
    rows: Tensor


def read_batch(
    features: ClipFeatures, rows: Tensor, views: Tensor, frames: Tensor, device: torch.device | str
) -> Batch:
    """From disk to device: clips `rows` (B,), one of `views` (B,) each, stored frames (B, T)."""
    cubes, vectors = {}, {}
    for stream in features.streams:
        of_cube, of_vector = features.scales.get(stream, (1.0, 1.0))
        cube = _take(features.cubes[stream], rows, views, frames)
        vector = _take(features.vectors[stream], rows, views, frames)
        cubes[stream] = cube.to(device).float().div_(of_cube)  # (B, T, P, d_cv)
        vectors[stream] = vector.to(device).float().div_(of_vector)  # (B, T, d_fc)
    labels = torch.from_numpy(np.asarray(features.labels))[rows].long()
    target = _take(features.target, rows, views, frames).to(device).float()
    return Batch(cubes, vectors, labels.to(device), target, rows)


def _take(array: Any, rows: Tensor, views: Tensor, frames: Tensor) -> Tensor:
    """The wanted frames of clips' views, `array[i][v]` (S, ...); of a file, only these are read."""
    out = torch.empty(0)
    places = zip(rows.tolist(), views.tolist(), frames, strict=True)
    for i, (row, view, wanted) in enumerate(places):
        stored = array[row][view]  # a view of the file: nothing is read yet
        if not isinstance(stored, Tensor):
            stored, wanted = torch.from_numpy(stored[wanted.numpy()]), torch.arange(len(wanted))
        if i == 0:
            out = torch.empty((*frames.shape, *stored.shape[1:]), dtype=stored.dtype)
        torch.index_select(stored, 0, wanted, out=out[i])  # straight from the file to its place
    return out


def epoch_rows(n: int, batch_size: int, seed: int, epoch: int) -> list[Tensor]:
    """The clips of an epoch's mini-batches: a shuffle, cut into whole batches.

    By seed and epoch alone, so that a resumed run draws what it would have drawn.
    """
    order = torch.randperm(n, generator=_generator(seed, epoch))
    size = min(batch_size, n)
    return [order[i : i + size] for i in range(0, n - size + 1, size)]


def endless_rows(n: int, batch_size: int, seed: int, iteration: int) -> Tensor:
    """The clips of one mini-batch, cut from an endless row of shuffles, by seed and iteration."""
    size = min(batch_size, n)
    epoch, start = divmod(iteration * size, n)
    orders = [torch.randperm(n, generator=_generator(seed, e)) for e in (epoch, epoch + 1)]
    return torch.cat(orders)[start : start + size]


def training_batch(
    features: ClipFeatures, rows: Tensor, steps: int, seed: int, iteration: int,
    device: torch.device | str,
) -> Batch:  # fmt: skip
    """A mini-batch of clips `rows` (B,), each in a random view with a random phase of frames."""
    generator = _generator(seed + 1, iteration)
    views = torch.randint(features.views, (len(rows),), generator=generator)
    phases = torch.rand(len(rows), generator=generator, dtype=torch.float64)
    frames = equally_spaced(features.stored_frames, steps, phases.numpy())  # (B, T)
    return read_batch(features, rows, views, torch.from_numpy(frames), device)


def ordered_batches(
    features: ClipFeatures, batch_size: int, steps: int, device: torch.device | str
) -> Iterator[Batch]:
    """All clips in order, T frames of view 0."""
    frames = torch.from_numpy(equally_spaced(features.stored_frames, steps))  # (T,)
    for rows in torch.arange(len(features)).split(batch_size):
        views = torch.zeros_like(rows)
        yield read_batch(features, rows, views, frames.expand(len(rows), -1), device)


def measure_scales(features: ClipFeatures, clips: int = 64) -> dict[str, tuple[float, float]]:
    """Root mean square of cubes and vectors, per stream, over up to `clips` clips' first view.

    The paper's learning rate fits features around one; networks differ by orders of magnitude.
    """
    rows = torch.linspace(0, len(features) - 1, min(clips, len(features))).long()
    views = torch.zeros_like(rows)
    frames = torch.arange(features.stored_frames).expand(len(rows), -1)
    scales = {}
    for stream in features.streams:
        both = (features.cubes[stream], features.vectors[stream])
        taken = (_take(array, rows, views, frames).float() for array in both)
        cube, vector = (float(x.square().mean(dtype=torch.float64).sqrt()) for x in taken)
        scales[stream] = (cube or 1.0, vector or 1.0)
    return scales


def _generator(seed: int, position: int) -> torch.Generator:
    """A random source for one place in the run, the same whether or not it was interrupted."""
    return torch.Generator().manual_seed((seed * 1_000_003 + position) % 2**63)
