"""Extraction of features over a cluster: pieces of a data set as jobs, into the same stores."""

from __future__ import annotations

import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.features.extraction import Extraction
from rstan_lite.features.pipeline import PARTS, missing_features
from rstan_lite.lab.sweep.driver import run_jobs
from rstan_lite.lab.sweep.jobs import FAILED, Job, Limits
from rstan_lite.lab.sweep.plan import train_config
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import DataError, RstanError
from rstan_lite.training.config import TrainConfig, from_mapping
from rstan_lite.training.parts import (
    cache_folder,
    feature_settings,
    find_sources,
    open_dataset,
    second_config,
)

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

    Returns how many clips were missing. Each clip's features appear whole or not at all, so a call
    after a killed one makes the rest, and a lost worker's piece goes on at another.
    Damaged clips are left out; the other features are made, and reading them says which.
    Raises as `find_sources` does, and DataError for pieces that ended in any other way.
    """
    jobs: list[Job] = []
    clips = 0
    sources = find_sources(config)
    cache = cache_folder(config).absolute()
    slots = max(1, sum(client.nthreads().values()))
    folder = Path(tempfile.mkdtemp(prefix="extraction-", dir=_made(cache)))
    try:
        for second in (False, True):
            if second and sources.second is None:
                continue
            todo = list(_missing(config, second, sources.networks).todo)
            clips += len(todo)
            for piece in _pieces([clip.name for clip in todo], slots):
                name = f"piece-{len(jobs):05d}"
                values = {
                    "config": asdict(config),
                    "second": second,
                    "networks": sources.networks,
                    "clips": list(piece),
                }
                said = f"{len(piece)} clips from {piece[0]} to {piece[-1]}"
                jobs.append(
                    Job("extract", name, str(folder / name), values, {}, "", said, os.getcwd())
                )
        rows = run_jobs(client, jobs, limits or Limits(), 0, None, "features", progress)
        failed = [
            row
            for row in rows.values()
            if row["status"] == FAILED and row["error_type"] != "DataError"
        ]
        if failed:
            raise DataError(
                sources.dataset.root,
                f"{len(failed)} of {len(jobs)} pieces that failed, for example "
                f"{failed[0]['where']}: {failed[0]['error']}",
                "features of all clips",
                "What was made is kept. The same command makes the rest.",
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return clips


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _pieces(names: Sequence[str], slots: int) -> Iterator[Sequence[str]]:
    size = min(MOST, max(FEWEST, math.ceil(len(names) / (PIECES_A_WORKER * slots))))
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _missing(
    config: TrainConfig,
    second: bool,
    networks: Mapping[str, str],
    only: frozenset[str] | None = None,
) -> Extraction:
    """The steps of one of a configuration's data sets for what its stores lack."""
    of = second_config(config) if second else config
    parts = ("train",) if second else PARTS
    settings, device = feature_settings(of, networks), choose_device(of.device).type
    return missing_features(open_dataset(of), parts, settings, cache_folder(of), device, only)


def extract_piece(parameters: Mapping[str, Any]) -> int:
    """Do a piece, in a job's process; returns how many of its clips were still missing."""
    config = from_mapping(parameters["config"])
    only = frozenset(parameters["clips"])
    found = _missing(config, parameters["second"], parameters["networks"], only)
    if found.todo:
        found.run(workers=1)
    return len(found.todo)


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
