"""What is seen along a trajectory: its shape, HOG, HOF and MBH in a volume that moves with it."""

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.features.extraction import over_clips
from rstan_lite.features.store import Store, fingerprint
from rstan_lite.lab.idt.trajectories import PATCH, Scale, TrackSettings, trajectories
from rstan_lite.system.errors import DataError
from rstan_lite.system.files import clear_parts

CELLS, SPANS = 2, 3  # cells a side of the patch, and in time
ORIENTATIONS = 8
LEAST_FLOW = 0.4  # px a frame; slower places count in HOF's bin of their own
SHAPE_STEPS = 15  # steps that a trajectory's shape is described with
SIZES = {"trajectory": 2 * SHAPE_STEPS, "hog": 96, "hof": 108, "mbhx": 96, "mbhy": 96}
NAMES = tuple(SIZES)


def orientation_histogram(dx: np.ndarray, dy: np.ndarray, still: float = 0.0) -> np.ndarray:
    """Each pixel's vote for 8 orientations over the full circle, weighted by its magnitude.

    A vote is shared between the two nearest. With `still`, slower pixels give one vote to a ninth
    bin instead. dx, dy: float32 (h, w). Returns float32 (h, w, 8), or (h, w, 9) with `still`.
    """
    bins = ORIENTATIONS + (still > 0)
    magnitude, place = (np.float32(part).ravel() for part in cv2.cartToPolar(dx, dy))
    place *= np.float32(ORIENTATIONS / (2 * np.pi))  # in place throughout: this is where time goes
    low = place.astype(np.int32)
    place -= low
    place *= magnitude  # the share of the upper one
    votes = np.zeros((dx.size, bins), dtype=np.float32)
    flat, base = votes.ravel(), np.arange(0, votes.size, bins)
    flat[base + low % ORIENTATIONS] = magnitude - place
    flat[base + (low + 1) % ORIENTATIONS] = place
    if still > 0:
        slow = magnitude <= still
        votes[slow] = 0
        votes[slow, ORIENTATIONS] = 1
    return votes.reshape(*dx.shape, bins)


def gradient(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences of a pixel's two neighbours in x and in y, float32 (h, w) each."""
    dx, dy = (cv2.Sobel(image, cv2.CV_32F, x, 1 - x, ksize=1) for x in (1, 0))
    return dx, dy


def frame_votes(grey: np.ndarray, flow: np.ndarray) -> dict[str, np.ndarray]:
    """The votes of a frame's pixels, float32 (h, w, 8 or 9), by descriptor.

    grey: uint8 (h, w). flow: float32 (h, w, 2), to the next frame.
    """
    flow_x, flow_y = (np.ascontiguousarray(flow[..., i]) for i in (0, 1))
    return {
        "hog": orientation_histogram(*gradient(grey)),
        "hof": orientation_histogram(flow_x, flow_y, LEAST_FLOW),
        "mbhx": orientation_histogram(*gradient(flow_x)),
        "mbhy": orientation_histogram(*gradient(flow_y)),
    }


def cell_sums(votes: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Histograms float32 (n, 2, 2, b) of the cells of patches, by an integral image of the votes.

    votes: float32 (h, w, b). corner: int64 (n, 2), upper left, x and y.
    """
    total = cv2.integral(votes, sdepth=cv2.CV_64F)  # (h + 1, w + 1, b)
    edges = np.arange(CELLS + 1) * (PATCH // CELLS)
    column = (corner[:, 0, None] + edges)[:, None, :]
    row = (corner[:, 1, None] + edges)[:, :, None]
    sums = np.diff(np.diff(total[row, column], axis=1), axis=2)  # (n, 3, 3, b) to (n, 2, 2, b)
    return np.maximum(sums, 0).astype(np.float32)  # an empty cell may come out as -1e-9


def shape_descriptor(steps: np.ndarray) -> np.ndarray:
    """Displacements (n, L, 2) over the sum of their lengths, float32 (n, 30).

    Those of short clips, L below 15, are resampled to 15, so that all have one length.
    """
    n, length = steps.shape[:2]
    if length != SHAPE_STEPS:
        path = np.concatenate([np.zeros_like(steps[:, :1]), steps.cumsum(axis=1)], axis=1)
        place = np.linspace(0, length, SHAPE_STEPS + 1)
        low = np.minimum(place.astype(np.int64), length - 1)
        part = (place - low)[:, None]
        steps = np.diff(path[:, low] * (1 - part) + path[:, low + 1] * part, axis=1)
    total = np.linalg.norm(steps, axis=-1).sum(axis=1)
    return (steps / np.maximum(total, 1e-6)[:, None, None]).reshape(n, -1).astype(np.float32)


def root_normalised(histograms: np.ndarray) -> np.ndarray:
    """RootSIFT's normalisation of each row (n, d): to a sum of one, then the square root."""
    total = histograms.sum(axis=1, keepdims=True)
    return np.sqrt(histograms / np.maximum(total, 1e-6))


def describe(scales: Iterable[Scale]) -> dict[str, np.ndarray]:
    """The descriptors of a clip's n trajectories (0 or more), those of the largest scale first.

    Returns float32 arrays (n, size) by name, see SIZES.
    """
    found = {name: [np.zeros((0, size), dtype=np.float32)] for name, size in SIZES.items()}
    for scale in scales:
        if len(scale.start):
            found["trajectory"].append(shape_descriptor(scale.steps))
            for name, histograms in volume_histograms(scale).items():
                found[name].append(root_normalised(histograms))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def volume_histograms(scale: Scale) -> dict[str, np.ndarray]:
    """Histograms of the 3 x 2 x 2 cells (time, y, x) of each trajectory's volume, not normalised.

    Returns float32 (n, 12 * bins) by name; a cell's histogram is the mean over its frames.
    """
    n, length = len(scale.start), scale.points.shape[1] - 1
    span = np.arange(length) * SPANS // length  # the temporal cell of each step
    frames_in_span = np.bincount(span, minlength=SPANS)
    sums: dict[str, np.ndarray] = {}
    for t in range(len(scale.residual)):
        rows = np.flatnonzero((scale.start <= t) & (t < scale.start + length))
        if not len(rows):
            continue
        age = t - scale.start[rows]
        weight = 1 / frames_in_span[span[age]].astype(np.float32)
        height, width = scale.grey[t].shape
        corner = np.rint(scale.points[rows, age]).astype(np.int64) - PATCH // 2
        corner = np.clip(corner, 0, (width - PATCH, height - PATCH))  # patches stay in the frame
        # what no patch touches needs no votes; one more pixel around, for the gradient
        left, top = np.maximum(corner.min(axis=0) - 1, 0)
        right, bottom = corner.max(axis=0) + PATCH + 1
        part = (slice(top, bottom), slice(left, right))
        for name, votes in frame_votes(scale.grey[t][part], scale.residual[t][part]).items():
            cells = cell_sums(votes, corner - (left, top))
            if name not in sums:
                sums[name] = np.zeros((n, SPANS, *cells.shape[1:]), dtype=np.float32)
            sums[name][rows, span[age]] += cells * weight[:, None, None, None]
    return {name: part.reshape(n, -1) for name, part in sums.items()}


def descriptor_store(dataset: ClipDataset, cache: str | Path, settings: TrackSettings) -> Store:
    """The store under `cache` of what `describe` gives, as float16 (n, d)."""
    of_data = {"dataset": dataset.identity(), "layout": dataset.layout}
    key = {"content": "improved dense trajectories 1", **of_data, **asdict(settings)}
    return Store.under(cache, "idt", key)


def fill_descriptors(
    store: Store, dataset: ClipDataset, clips: list[Clip], workers: int = 2, progress: bool = True
) -> None:
    """Make what the store lacks; damaged clips do not stop the others. DataError, StoreError."""
    todo = store.missing(clips)
    if todo:
        clear_parts(store.folder)
        settings = TrackSettings(**{name: store.key[name] for name in asdict(TrackSettings())})
        step = partial(_store_clip, dataset, store, settings)
        over_clips(todo, [step], [], workers, "trajectories", dataset, progress)


def _store_clip(
    dataset: ClipDataset, store: Store, settings: TrackSettings, clip: Clip, _: None
) -> None:
    """The one step from a clip on disk to its stored descriptors."""
    clip_print = fingerprint(clip.path)
    try:
        found = describe(trajectories(dataset.frames(clip), settings))
    except DataError as error:  # knows nothing of files
        raise DataError(clip.path, error.found, error.expected, error.hint) from error
    tensors = {name: torch.from_numpy(part).half() for name, part in found.items()}
    store.write(clip, tensors, clip_print)
