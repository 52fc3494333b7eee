"""Extraction of features over a cluster: pieces of a data set as jobs, into the same stores."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rstan_lite.lab.sweep.dask_jobs import run_jobs
from rstan_lite.lab.sweep.job_process import Limits, missing_features_of
from rstan_lite.lab.sweep.sweep_plan import Job, train_config
from rstan_lite.system.errors import DataError, RstanError
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.parts import cache_folder, find_sources

if TYPE_CHECKING:
    from distributed import Client

# A piece starts a process, which costs about what eight small clips do; several pieces a worker let
# the quick ones do more.
FEWEST, MOST, PIECES_A_WORKER = 8, 64, 4
# What features depend on; runs that differ in other options share them.
DATA = (
    "dataset", "root", "split", "missing", "validation", "fold", "cache", "streams",
    "backbone", "appearance_weights", "size", "motion_backbone", "motion_weights", "motion_size",
    "flow", "flow_weights", "camera", "stored_frames", "views",
    "second_dataset", "second_root", "second_split",
)  # fmt: skip


def extract(
    client: Client, config: TrainConfig, limits: Limits | None = None, progress: bool = True
) -> int:
    """Make the features that a configuration's stores lack, on a cluster with a shared file system.

    Returns how many clips were missing. Damaged clips are left out, and reading the features says
    which. Raises as `find_sources` does, and DataError for pieces that ended in any other way.
    """
    sources, cache = find_sources(config), cache_folder(config).absolute()
    cache.mkdir(parents=True, exist_ok=True)
    slots = max(1, sum(client.nthreads().values()))
    jobs: list[Job] = []
    clips = 0
    made = tempfile.TemporaryDirectory(prefix="extraction-", dir=cache, ignore_cleanup_errors=True)
    with made as folder:
        for second in (False, True) if sources.second is not None else (False,):
            todo = list(missing_features_of(config, second, sources.networks).todo)
            shared = {"config": asdict(config), "second": second, "networks": sources.networks}
            clips += len(todo)
            size = min(MOST, max(FEWEST, math.ceil(len(todo) / (PIECES_A_WORKER * slots))))
            for start in range(0, len(todo), size):
                piece = [clip.name for clip in todo[start : start + size]]
                name, values = f"piece-{len(jobs):05d}", {**shared, "clips": piece}
                said = f"{len(piece)} clips from {piece[0]} to {piece[-1]}"
                there = str(Path(folder) / name)
                jobs.append(Job("extract", name, there, values, command=said, cwd=os.getcwd()))
        rows = run_jobs(client, jobs, limits or Limits(), 0, None, "features", progress).values()
        failed = [row for row in rows if row["error_type"] not in (None, "DataError")]
    if failed:
        found = f"{len(failed)} of {len(jobs)} pieces that failed, for example "
        found += f"{failed[0]['where']}: {failed[0]['error']}"
        hint = "What was made is kept. The same command makes the rest."
        raise DataError(sources.dataset.root, found, "features of all clips", hint)
    return clips


def prepare(client: Client, jobs: Sequence[Job], limits: Limits, progress: bool) -> None:
    """Make what train jobs share, once: generated clips, and the features of each data set.

    What can't be made is said; the jobs that need it will fail by themselves, each in its row.
    """
    configs = [train_config(job.parameters) for job in jobs]
    distinct = {tuple(getattr(config, name) for name in DATA): config for config in configs}
    for config in distinct.values():
        try:
            extract(client, config, Limits(limits.threads, memory=limits.memory), progress)
        except RstanError as error:
            print(f"features are not made beforehand: {error}", file=sys.stderr)
