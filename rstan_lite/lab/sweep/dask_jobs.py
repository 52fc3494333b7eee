"""Jobs on the workers of a Dask cluster: one on this machine, or one that runs already."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from rstan_lite.lab.sweep.job_process import (
    Limits,
    missing_features_of,
    run_job,
    stop_jobs,
    write_row,
)
from rstan_lite.lab.sweep.sweep_plan import FAILED, Job, Row, train_config
from rstan_lite.system.errors import ConfigError, DataError, RstanError
from rstan_lite.system.settings import require_libraries
from rstan_lite.system.tables import progress_bar
from rstan_lite.training.config import TrainConfig

if TYPE_CHECKING:
    from distributed import Client

LIBRARIES = ("cryptography", "distributed", "pandas", "pyarrow")
MOST_LOST = 10  # workers that may be lost under one job before it counts as its fault
STOPS = 3  # times that a job may be stopped from outside, or its worker fail, before it fails
ANSWER = 20  # seconds to wait for a scheduler
# of a cluster on this machine
SETTINGS: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": MOST_LOST,
    "distributed.scheduler.worker-saturation": 1.0,  # no job waits at a worker that is busy
    "distributed.scheduler.http.routes": [],  # no pages
    "distributed.worker.http.routes": [],
}
# A piece of an extraction starts a process, which costs about what eight small clips do; several
# pieces a worker let the quick ones do more.
FEWEST, MOST, PIECES_A_WORKER = 8, 64, 4
# What features depend on; runs that differ in other options share them.
DATA = (
    "dataset", "root", "split", "missing", "validation", "fold", "cache", "streams",
    "backbone", "appearance_weights", "size", "motion_backbone", "motion_weights", "motion_size",
    "flow", "flow_weights", "camera", "stored_frames", "views",
    "second_dataset", "second_root", "second_split",
)  # fmt: skip


def check_libraries() -> None:
    """Raise ConfigError where a library of the extra `sweep` is absent."""
    require_libraries("rstan-lite sweep", dict(zip(LIBRARIES, LIBRARIES, strict=True)), "sweep")


@contextmanager
def connect(
    scheduler: str | None, workers: int | None = None, threads: int = 1
) -> Iterator[Client]:
    """A client of an existing cluster, or of one that lives as long as this context.

    scheduler: address or file (.json) of an existing one; ConfigError where none answers.
    workers: processes of a new one (cores over threads, the threads of a job). It listens on the
    loopback interface alone, speaks TLS with a certificate of its own, so that no other user of
    the machine can talk to it, and has no dashboard.
    """
    check_libraries()
    import dask
    from distributed import Client, LocalCluster, Security

    if scheduler is not None:
        file = scheduler.endswith(".json")
        try:
            if file:
                Path(scheduler).stat()  # Dask would wait for it
            where = {"scheduler_file" if file else "address": scheduler}
            client = Client(**where, timeout=ANSWER)
        except (OSError, ValueError) as error:
            expected = "the address or file of a running Dask scheduler"
            raise ConfigError("--scheduler", f"{scheduler} ({error})", expected) from error
        with client:
            yield client
        return
    security = Security.temporary()
    with (
        dask.config.set(SETTINGS),
        LocalCluster(
            n_workers=workers or max(1, (os.cpu_count() or 1) // threads),
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            memory_limit=0,  # jobs are processes of their own, with a limit of their own
            security=security,
            silence_logs="CRITICAL",  # of workers that are lost: the sweep speaks for itself
        ) as cluster,
        Client(cluster, security=security) as client,
    ):
        yield client


def run_jobs(
    client: Client,
    jobs: Sequence[Job],
    limits: Limits,
    retries: int = 0,
    on_row: Callable[[Row], object] | None = None,
    title: str = "jobs",
    progress: bool = True,
) -> list[Row]:
    """Run all jobs on a cluster; their rows, as they end. ConfigError if the scheduler is lost.

    retries: of a job that failed. on_row: called with each job's row. Jobs of a lost worker go to
    others. Ctrl-C, and any error here, takes the jobs back and ends those that run.
    """
    from distributed import as_completed
    from distributed.client import FutureCancelledError

    if not client.scheduler_info()["workers"]:
        print("waiting for workers: the scheduler has none yet", file=sys.stderr)
    token = f"sweep-{uuid.uuid4().hex}"
    of_key = {f"{job.name}-{token}": job for job in jobs}
    futures = [
        client.submit(run_job, job, limits, token, retries, key=key, retries=STOPS, pure=False)
        for key, job in of_key.items()
    ]
    rows: list[Row] = []
    try:
        with progress_bar(total=len(jobs), desc=title, unit="job", shown=progress) as bar:
            for future in as_completed(futures):
                try:
                    rows.append(dict(future.result()))
                except FutureCancelledError as error:
                    found, expected = f"a lost connection ({error})", "a scheduler that stays"
                    hint = "The same command continues with the rest."
                    raise ConfigError("--scheduler", found, expected, hint) from error
                except Exception as error:  # the job was stopped, or its workers died
                    said = f"{type(error).__name__}: {error}"
                    rows.append(write_row(of_key[future.key], monotonic(), {}, said, "worker"))
                bar.set_postfix(failed=sum(row["status"] == FAILED for row in rows))
                bar.update()
                if on_row is not None:
                    on_row(rows[-1])
    except BaseException:
        try:
            client.cancel(futures, force=True)
            client.run(stop_jobs, token, on_error="ignore")
        except (OSError, RuntimeError, ValueError) as error:  # a lost cluster has nothing to stop
            print(f"jobs may still run: {error}", file=sys.stderr)
        raise
    return rows


def extract(
    client: Client, config: TrainConfig, limits: Limits | None = None, progress: bool = True
) -> int:
    """Make the features that a configuration's stores lack, on a cluster with a shared file system.

    Returns how many clips were missing. Damaged clips are left out, and reading the features says
    which. Raises as `find_sources` does, and DataError for pieces that ended in any other way.
    """
    from rstan_lite.training.parts import cache_folder, find_sources

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
        rows = run_jobs(client, jobs, limits or Limits(), 0, None, "features", progress)
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
