"""A video of any length as a run's networks take it: some of its frames, decoded in a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.video import check_one_size, decode_video, open_packets, upright
from rstan_lite.features.flow import Estimator, stack_indices
from rstan_lite.features.inputs import MIN_SIDE, coded_flow
from rstan_lite.system.errors import DataError

MAX_SECONDS = 15 * 60  # a few frames of a longer video name no action
RATE = 25.0  # frames a second, where a file does not say when its frames are shown


def sample_video(
    path: Path, choose: Callable[[int], Iterable[int]], side: int = 0, enlarge: bool = False
) -> tuple[dict[int, np.ndarray], np.ndarray, float]:
    """Decode a video in a stream and keep some of its frames: memory does not grow with length.

    choose: which frames to keep of so many. side, enlarge: see `upright`.
    Returns the kept frames by their number, and what `at_one_rate` makes of the frames' times.
    Raises DataError as `read_frames` does, and for a video longer than MAX_SECONDS.
    """
    with open_packets(path) as packets:  # not decoded: the decoder may count others
        times = sorted(_seconds(packet) for packet in packets if packet.size)
    while True:
        order, rate = at_one_rate(times)
        if len(order) > rate * MAX_SECONDS:
            found, most = f"{len(order) / rate / 60:.0f} minutes", MAX_SECONDS // 60
            hint = "Cut out the part that shows the action."
            raise DataError(path, found, f"a video of at most {most} minutes", hint)
        chosen = list(choose(len(order)))
        wanted, kept, decoded = set(order[chosen].tolist()), {}, []
        for number, frame in enumerate(decode_video(path)):
            if min(frame.width, frame.height) < MIN_SIDE:
                found = f"frames of {frame.width} x {frame.height} pixels"
                raise DataError(path, found, f"{MIN_SIDE} or more on each side: flow needs them")
            decoded.append(_seconds(frame))
            if number in wanted:
                kept[number] = upright(frame, side, enlarge)
        if len(decoded) == len(times):
            check_one_size(path, kept.values())
            return {number: kept[int(order[number])] for number in chosen}, order, rate
        times = decoded


def _seconds(shown: av.Packet | av.VideoFrame) -> float:
    """When a packet or a frame is shown; NaN where it does not say.

    An AVI with B-frames has times of decoding alone, which in order are the same ones.
    """
    at = shown.dts if shown.pts is None else shown.pts
    return float("nan") if at is None or shown.time_base is None else float(at * shown.time_base)


def at_one_rate(times: Iterable[float]) -> tuple[np.ndarray, float]:
    """A video of any rate as one of its mean rate, so that sampling by number samples by time.

    times: (F,), when each frame is shown, in seconds; if some is NaN, the rate is RATE.
    Returns the frame that a player shows in each of F equal intervals, int64 (F,), and intervals a
    second. Where no frame is more than two intervals off its place, each has its own.
    """
    at = np.fromiter(times, np.float64)
    same = np.arange(len(at))
    if len(at) < 2 or not np.isfinite(at).all() or at[-1] <= at[0] or (np.diff(at) < 0).any():
        return same, RATE
    gap = (at[-1] - at[0]) / (len(at) - 1)
    ticks = (at - at[0]) / gap
    if np.abs(ticks - same).max() <= 2:
        return same, 1 / gap
    return np.searchsorted(ticks, same + 0.5, side="right") - 1, 1 / gap


def needed_pairs(n_frames: int, index: np.ndarray, pairs: int) -> np.ndarray:
    """The pairs of a clip that stacks of so many pairs at frames (S,) are made of, ascending."""
    chosen = [stack_indices(n_frames - 1, frame, pairs) for frame in index.tolist()]
    return np.unique(chosen)


def sparse_inputs(
    frames: Mapping[int, np.ndarray] | np.ndarray,
    index: np.ndarray,
    needed: np.ndarray,
    flow: Estimator,
    camera: str,
) -> dict[str, Tensor]:
    """`pick_inputs` with flow of the needed pairs alone, for a video of any length.

    frames: (H, W, 3) by number, at least those of index and of the pairs. needed: `needed_pairs`.
    "index" is the frames' places in this flow: stacks there are those of the whole clip's flow.
    """
    runs = np.split(needed, np.flatnonzero(np.diff(needed) > 1) + 1)  # of pairs in a row
    films = (np.stack([frames[i] for i in range(run[0], run[-1] + 2)]) for run in runs)
    arrays = {
        "frames": np.stack([frames[i] for i in index.tolist()]),
        "flow": np.concatenate([coded_flow(film, flow, camera) for film in films]),
        "index": np.searchsorted(needed, index),
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
