"""Descriptors of a data set's clips on disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import cv2
import torch

from rstan_lite.data.jhmdb import JHMDB, Clip
from rstan_lite.errors import DataError
from rstan_lite.features.inputs import fill_store
from rstan_lite.features.store import Store
from rstan_lite.idt.descriptors import describe
from rstan_lite.idt.trajectories import TrackSettings, trajectories


def descriptor_store(dataset: JHMDB, cache: str | Path, settings: TrackSettings) -> Store:
    """The store of a data set's descriptors, under `cache`.

    Tensors of a clip: those of `describe`, as float16 (n, d).
    """
    key = {
        "content": "improved dense trajectories 1",
        "dataset": dataset.identity(),
        "layout": dataset.layout,
        **asdict(settings),
    }
    return Store.under(cache, "idt", key)


def fill_descriptors(store: Store, dataset: JHMDB, clips: list[Clip], workers: int = 2) -> None:
    """Make what the store lacks, several clips at a time. Raises as `fill_store` does."""
    fill_store(store, dataset, clips, _make, "trajectories", workers)


def _make(dataset: JHMDB, clip: Clip, store: Store) -> None:
    cv2.setNumThreads(1)  # the clips are what runs in parallel
    settings = TrackSettings(**{name: store.key[name] for name in asdict(TrackSettings())})
    try:
        found = describe(trajectories(dataset.frames(clip), settings))
    except DataError as error:  # knows nothing of files
        raise DataError(clip.path, error.found, error.expected, error.hint) from error
    store.write(clip, {name: torch.from_numpy(part).half() for name, part in found.items()})
