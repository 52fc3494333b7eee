"""Jobs on the workers of a Dask cluster: one on this machine, or one that runs already."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from rstan_lite.lab.sweep.job_process import Limits, run_job, stop_jobs, write_row
from rstan_lite.lab.sweep.sweep_plan import FAILED, Job, Row
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import require_libraries
from rstan_lite.system.tables import progress_bar

if TYPE_CHECKING:
    from distributed import Client, Future

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
    on_row: Callable[[Row], None] | None = None,
    title: str = "jobs",
    progress: bool = True,
) -> dict[str, Row]:
    """Run all jobs on a cluster; rows by job name. ConfigError where the scheduler is lost.

    retries: of a job that failed. on_row: called with each job's row. Jobs of a lost worker go to
    others. Ctrl-C, and any error here, takes the jobs back and ends those that run.
    """
    from distributed import as_completed

    if not client.scheduler_info()["workers"]:
        print("waiting for workers: the scheduler has none yet", file=sys.stderr)
    token = f"sweep-{uuid.uuid4().hex}"
    of_key = {f"{job.name}-{token}": job for job in jobs}
    futures = [
        client.submit(run_job, job, limits, token, retries, key=key, retries=STOPS, pure=False)
        for key, job in of_key.items()
    ]
    rows: dict[str, Row] = {}
    try:
        with progress_bar(total=len(jobs), desc=title, unit="job", shown=progress) as bar:
            for future in as_completed(futures):
                job = of_key[future.key]
                row = rows[job.name] = _row(future, job)
                bar.set_postfix(failed=sum(r["status"] == FAILED for r in rows.values()))
                bar.update()
                if on_row is not None:
                    on_row(row)
    except BaseException:
        try:
            client.cancel(futures, force=True)
            client.run(stop_jobs, token, on_error="ignore")
        except (OSError, RuntimeError, ValueError) as error:  # a lost cluster has nothing to stop
            print(f"jobs may still run: {error}", file=sys.stderr)
        raise
    return rows


def _row(future: Future, job: Job) -> Row:
    """The row of a future that has ended, however it ended."""
    from distributed.client import FutureCancelledError

    try:
        return dict(future.result())
    except FutureCancelledError as error:
        found, hint = f"a lost connection ({error})", "The same command continues with the rest."
        raise ConfigError("--scheduler", found, "a scheduler that stays", hint) from error
    except Exception as error:  # the job was stopped, its workers died or had trouble of their own
        return write_row(job, monotonic(), {}, f"{type(error).__name__}: {error}", "worker")
