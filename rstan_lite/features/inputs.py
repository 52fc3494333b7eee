"""The two networks' inputs of a clip, from one decode: frames, flow and silhouettes on disk."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm.auto import tqdm

from rstan_lite.data.jhmdb import JHMDB, Clip
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.errors import DataError
from rstan_lite.features.flow import BOUND, encode, flow_sequence
from rstan_lite.features.store import Store

FLOW_HEIGHT = 192  # px; flow is smooth, so it is stored smaller than the frames it comes from
NAMED_IN_ERROR = 3

Maker = Callable[[JHMDB, Clip, Store], None]


def inputs_store(
    dataset: JHMDB, cache: str | Path, frames: int, flow: str = "dis", camera: str = "none"
) -> Store:
    """The store of a data set's inputs.

    frames: S, equally spaced frames kept of each clip. flow, camera: see `flow_sequence`.
    Tensors of a clip: "frames" uint8 (S, H, W, 3); "masks" uint8 (S, H, W); "index" int64 (S,), the
    frames' places in the clip; "flow" uint8 (F - 1, h, w, 2), coded, of all pairs.
    """
    key = {
        "content": "inputs 1",
        "dataset": dataset.identity(),
        "layout": dataset.layout,
        "frames": frames,
        "flow": flow,
        "camera": camera,
        "bound": BOUND,
        "flow_height": FLOW_HEIGHT,
    }
    return Store.under(cache, "inputs", key)


def clip_inputs(
    frames: np.ndarray, masks: np.ndarray | None, count: int, flow: str, camera: str
) -> dict[str, torch.Tensor]:
    """The tensors above, from all frames (F, H, W, 3) of a clip and its masks (F, H, W)."""
    if len(frames) < 2:
        raise DataError("clip", f"{len(frames)} frame", "two frames or more: flow needs a pair")
    index = equally_spaced(len(frames), count)
    coded = encode(_shrink(flow_sequence(frames, flow, camera)))
    tensors = {"frames": frames[index], "index": index, "flow": coded}
    if masks is not None:
        tensors["masks"] = masks[index]
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in tensors.items()}


def _shrink(flow: np.ndarray) -> np.ndarray:
    height, width = flow.shape[1:3]
    if height <= FLOW_HEIGHT:
        return flow
    size = (round(width * FLOW_HEIGHT / height), FLOW_HEIGHT)
    return np.stack([cv2.resize(field, size, interpolation=cv2.INTER_AREA) for field in flow])


def _make(dataset: JHMDB, clip: Clip, store: Store) -> None:
    cv2.setNumThreads(1)  # the clips are what runs in parallel
    frames = dataset.frames(clip)
    masks = dataset.silhouettes(clip, frames)
    key = store.key
    store.write(clip, clip_inputs(frames, masks, key["frames"], key["flow"], key["camera"]))


def fill_inputs(store: Store, dataset: JHMDB, clips: list[Clip], workers: int = 2) -> None:
    """Make what the store lacks, several clips at a time: `fill_store` of frames and flow."""
    fill_store(store, dataset, clips, _make, "frames and flow", workers)


def fill_store(
    store: Store,
    dataset: JHMDB,
    clips: list[Clip],
    make: Maker,
    title: str,
    workers: int = 2,
) -> None:
    """Make what a store lacks, several clips at a time.

    make: a module's function that stores a clip's tensors. title: of the progress bar.
    A damaged clip does not stop the others; at the end all damaged ones are reported together, and
    a second call, once they are mended, makes only them.
    Raises DataError (damaged clips), StoreError (disk).
    """
    todo = store.missing(clips)
    if not todo:
        return
    damaged: list[DataError] = []
    for error in tqdm(_attempts(store, dataset, todo, make, workers), title, len(todo)):
        if error is not None:
            damaged.append(error)
    if len(damaged) == 1:
        raise damaged[0]
    if damaged:
        shown = "; ".join(str(error) for error in damaged[:NAMED_IN_ERROR])
        raise DataError(
            dataset.root,
            f"{len(damaged)} damaged clips: {shown}",
            "clips and silhouettes that can be read",
            "The others are stored.",
        )


def _attempts(
    store: Store, dataset: JHMDB, clips: list[Clip], make: Maker, workers: int
) -> Iterator[DataError | None]:
    """Make the clips, in processes of their own where several work; yield each one's complaint."""
    if workers <= 1:
        for clip in clips:
            try:
                make(dataset, clip, store)
                yield None
            except DataError as damage:
                yield damage
        return
    # spawned: a forked process may inherit a lock that a thread of torch or OpenCV holds
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            for future in as_completed([pool.submit(make, dataset, c, store) for c in clips]):
                error = future.exception()
                if isinstance(error, DataError):
                    yield error
                else:
                    future.result()  # raises what else went wrong
                    yield None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
