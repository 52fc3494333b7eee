"""Clips through the same steps, several at a time, past the damaged ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.system.errors import DataError, RstanError
from rstan_lite.system.interruption import starting_processes

# What is done with a clip and what the step before made of it (the first: None).
Step = Callable[[Clip, Any], Any]
AHEAD = 4  # clips that a process may be ahead of the main one


class _Remote(Dataset[tuple[int, Any]]):
    """Clips by index, after the steps that are a process's own; complaints are results, too."""

    def __init__(self, clips: Sequence[Clip], steps: Sequence[Step]):
        self.clips, self.steps = clips, steps

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> tuple[int, Any]:
        try:
            return i, _through(self.steps, self.clips[i], None)
        except RstanError as error:
            return i, error


def _through(steps: Sequence[Step], clip: Clip, value: Any) -> Any:
    for step in steps:
        value = step(clip, value)
    return value


def over_clips(
    clips: Sequence[Clip],
    remote: Sequence[Step],
    local: Sequence[Step],
    workers: int,
    title: str,
    dataset: ClipDataset,
) -> None:
    """Take every clip through the steps `remote`, then `local`.

    remote: done in `workers` processes (one or none: in this one), which hold a copy of the objects
    that the steps are methods of. local: done here, while the processes go on; values come in
    shared memory where they are tensors. title: of the progress bar.
    A damaged clip does not stop the others. At the end all damaged ones are reported together or
    left out of the data set, see `ClipDataset.settle`. Raises at once what else a step raises.
    """
    several = workers > 1
    loader = DataLoader(
        _Remote(clips, remote),
        batch_size=None,
        num_workers=workers if several else 0,
        collate_fn=_as_it_is,
        worker_init_fn=_one_thread,
        prefetch_factor=AHEAD if several else None,
        # spawned: a forked process may inherit a lock that a thread of torch or OpenCV holds
        multiprocessing_context="spawn" if several else None,
    )
    damaged: dict[Clip, DataError] = {}
    # the bar beside the loop: tqdm.auto begins an iteration of its own, with processes of its own
    with tqdm(total=len(clips), desc=title) as bar:
        with starting_processes():
            values = iter(loader)
        for i, value in values:
            try:
                if isinstance(value, RstanError):
                    raise value
                _through(local, clips[i], value)
            except DataError as error:
                damaged[clips[i]] = error
            bar.update()
    dataset.settle(damaged)


def _as_it_is(value: Any) -> Any:
    return value


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(1)  # torch's are one already: the clips are what runs in parallel
