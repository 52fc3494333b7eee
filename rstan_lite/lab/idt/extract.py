"""Descriptors of a data set's clips on disk."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.features.extraction import over_clips
from rstan_lite.features.store import Store, fingerprint
from rstan_lite.lab.idt.descriptors import describe
from rstan_lite.lab.idt.trajectories import TrackSettings, trajectories
from rstan_lite.system.errors import DataError
from rstan_lite.system.files import clear_parts


def descriptor_store(dataset: ClipDataset, cache: str | Path, settings: TrackSettings) -> Store:
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


def fill_descriptors(
    store: Store, dataset: ClipDataset, clips: list[Clip], workers: int = 2
) -> None:
    """Make what the store lacks, several clips at a time.

    A damaged clip does not stop the others. Raises DataError (damaged clips), StoreError (disk).
    """
    todo = store.missing(clips)
    if todo:
        clear_parts(store.folder)
        steps = [_Describing(dataset, store).store_clip]
        over_clips(todo, steps, [], workers, "trajectories", dataset)


@dataclass(frozen=True)
class _Describing:
    """The one step from a clip on disk to its stored descriptors."""

    dataset: ClipDataset
    store: Store

    def store_clip(self, clip: Clip, _: None) -> None:
        clip_print = fingerprint(clip.path)
        names = asdict(TrackSettings())
        settings = TrackSettings(**{name: self.store.key[name] for name in names})
        try:
            found = describe(trajectories(self.dataset.frames(clip), settings))
        except DataError as error:  # knows nothing of files
            raise DataError(clip.path, error.found, error.expected, error.hint) from error
        tensors = {name: torch.from_numpy(part).half() for name, part in found.items()}
        self.store.write(clip, tensors, clip_print)
