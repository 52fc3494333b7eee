"""Hands jobs to workers and takes their rows, past failures and lost workers."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from rstan_lite.lab.sweep.jobs import FAILED, Job, Limits, Outcome, Row
from rstan_lite.lab.sweep.supervise import STOPPED, keep_row, make_row, run_job, stop_jobs
from rstan_lite.system.errors import ConfigError

if TYPE_CHECKING:
    from distributed import Client, Future

LOST = 3  # times that the scheduler may give a job up, or a job be stopped, before it fails


@dataclass
class _Try:
    """A job that is with the scheduler. failed, lost: how often that happened to it so far."""

    job: Job
    failed: int = 0
    lost: int = 0


def run_jobs(
    client: Client,
    jobs: Sequence[Job],
    limits: Limits,
    retries: int = 0,
    on_row: Callable[[Row], None] | None = None,
    title: str = "jobs",
    progress: bool = True,
) -> dict[str, Row]:
    """Run all jobs on a cluster; rows by job name.

    retries: how often a job that failed is tried again. on_row: called with each job's last row.
    Jobs of a worker that is lost go to others. Ctrl-C takes the jobs back, ends those that run, and
    goes on as KeyboardInterrupt; so does any error here.
    Raises ConfigError where the scheduler is lost.
    """
    from distributed import as_completed

    token = f"sweep-{uuid.uuid4().hex}"
    tries: dict[str, _Try] = {}
    futures: dict[str, Future] = {}
    rows: dict[str, Row] = {}

    def submit(one: _Try) -> Future:
        name = f"{one.job.name}-{token}-{one.failed}-{one.lost}"
        future = client.submit(
            run_job, asdict(one.job), asdict(limits), token, key=name, pure=False
        )
        tries[name], futures[name] = one, future
        return future

    if not client.scheduler_info()["workers"]:
        print("waiting for workers: the scheduler has none yet", file=sys.stderr)
    queue = as_completed([submit(_Try(job)) for job in jobs])
    try:
        with tqdm(total=len(jobs), desc=title, unit="job", disable=not progress) as bar:
            for future in queue:
                one = tries.pop(str(future.key))
                futures.pop(str(future.key))
                row = _row(future, one)
                stopped = row["status"] == STOPPED
                one.lost += stopped
                one.failed += row["status"] == FAILED
                if (stopped and one.lost <= LOST) or (
                    row["status"] == FAILED and one.failed <= retries
                ):
                    queue.add(submit(one))
                    continue
                if stopped:
                    row = _keep(one.job, "stopped or lost with its workers, again and again")
                rows[one.job.name] = row
                bar.set_postfix(failed=sum(r["status"] == FAILED for r in rows.values()))
                bar.update()
                if on_row is not None:
                    on_row(row)
    except BaseException:
        _stop(client, list(futures.values()), token)
        raise
    return rows


def _row(future: Future, one: _Try) -> Row:
    """The row of a future that has ended, however it ended."""
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    try:
        row: Row = future.result()
    except KilledWorker:
        return {"status": STOPPED}
    except FutureCancelledError as error:
        raise ConfigError(
            "--scheduler", f"a lost connection ({error})", "a scheduler that stays",
            "The same command goes on with what is missing.",
        ) from error  # fmt: skip
    except Exception as error:  # the worker's own trouble: no package there, no folder, a full disk
        return _keep(one.job, f"{type(error).__name__}: {error}")
    return row


def _keep(job: Job, error: str) -> Row:
    """The row of a job whose worker could not write it."""
    row = make_row(job, Outcome(where=job.command, error=error, kind="worker"), 0.0)
    keep_row(job, row)
    return row


def _stop(client: Client, futures: list[Future], token: str) -> None:
    """Take back what has not started, and end what runs; a lost cluster has nothing to stop."""
    try:
        client.cancel(futures, force=True)
        client.run(stop_jobs, token, on_error="ignore")
    except (OSError, RuntimeError, ValueError) as error:
        print(f"jobs may still run: {error}", file=sys.stderr)
