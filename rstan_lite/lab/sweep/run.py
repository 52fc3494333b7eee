"""A sweep: what is missing of it runs, all of it is reported."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from rstan_lite.lab.sweep.child import outcome_of
from rstan_lite.lab.sweep.cluster import check_libraries, connect
from rstan_lite.lab.sweep.description import Description
from rstan_lite.lab.sweep.driver import run_jobs
from rstan_lite.lab.sweep.jobs import DONE, FAILED, Job, Limits, Row
from rstan_lite.lab.sweep.plan import TRAIN, notebook_digest, plan
from rstan_lite.lab.sweep.supervise import keep_row, make_row
from rstan_lite.lab.sweep.table import CSV, PARQUET, Table
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import write_atomically

RECORD = "sweep.json"


@dataclass(frozen=True)
class Report:
    """Rows of the jobs that were asked for, by name, and how many of them ran in this call."""

    rows: dict[str, Row]
    ran: int

    @property
    def failed(self) -> list[Row]:
        return [row for row in self.rows.values() if row["status"] == FAILED]


def sweep(
    description: Description,
    out: str | Path,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    limits: Limits | None = None,
    retries: int = 0,
    retry_failed: bool = False,
    on_row: Callable[[Row], None] | None = None,
    progress: bool = True,
) -> Report:
    """Run the jobs of a description that `out` has no row of, and keep its table.

    scheduler, workers: see `cluster.connect`. retries: of a job that fails. retry_failed: run those
    again that failed in an earlier call. on_row: called with each row once it is in the table.
    A call after an interrupted one goes on; one after a finished one only reads.
    Raises ConfigError and NotebookError for what `plan` refuses, and ConfigError for a folder that
    holds another sweep; KeyboardInterrupt after what is done was kept.
    """
    check_libraries()
    out, limits = Path(out), limits or Limits()
    jobs = plan(description, out)
    _claim(out, description)
    table = Table(out, [job.name for job in jobs])

    def wanted(job: Job) -> bool:
        row = table.rows.get(job.name)
        return row is None or (retry_failed and row["status"] == FAILED)

    def keep(row: Row) -> None:
        table.add(row)
        if on_row is not None:
            on_row(row)

    todo = [job for job in jobs if wanted(job)]
    try:
        if todo:
            with connect(scheduler, workers, limits.threads) as client:
                if description.run == TRAIN:
                    # torch, which a sweep of notebooks does without
                    from rstan_lite.lab.sweep.extract import prepare

                    prepare(client, todo, limits, progress)
                run_jobs(client, todo, limits, retries, keep, progress=progress)
    finally:
        table.read()  # also what ended while it was stopped, or while no one was there to be told
        if table.rows:
            table.write()
    return Report({job.name: table.rows[job.name] for job in jobs}, len(todo))


def sweep_here(
    description: Description,
    out: str | Path,
    on_row: Callable[[Row], None] | None = None,
    progress: bool = True,
) -> Report:
    """`sweep` in this process, one job after another: for the few quick jobs of a lesson.

    The folder and its table are the same, so that `sweep` goes on with them and the other way
    round. Nothing is limited here, and a job that takes the process down ends the sweep.
    """
    check_libraries()
    out = Path(out)
    jobs = plan(description, out)
    _claim(out, description)
    table = Table(out, [job.name for job in jobs])
    todo = [job for job in jobs if job.name not in table.rows]
    for job in tqdm(todo, desc="jobs", unit="job", disable=not progress):
        start = time.monotonic()
        outcome = outcome_of(job)
        row = make_row(job, outcome, time.monotonic() - start)
        keep_row(job, row)
        table.add(row)
        if on_row is not None:
            on_row(row)
    table.write()
    return Report({job.name: table.rows[job.name] for job in jobs}, len(todo))


def _claim(out: Path, description: Description) -> None:
    """Say in the sweep's folder what it is of; ConfigError where it is of something else."""
    notebook = description.run != TRAIN
    record = {"run": description.run}
    if notebook:
        record = {"run": Path(description.run).name, "code": notebook_digest(description.run)}
    path = out / RECORD
    if not path.exists():
        write_atomically(path, json.dumps(record).encode())
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(path, str(error), "the record of a sweep") from error
    if found != record:
        raise ConfigError(
            out,
            f"a sweep of {found}",
            str(record),
            "Give another --out folder: rows of other code do not belong into one table.",
        )


def said(report: Report, out: Path) -> Sequence[str]:
    """What to tell a person at the end."""
    done = sum(row["status"] == DONE for row in report.rows.values())
    lines = [f"failed: {row['job']}: {row['where']}: {row['error']}" for row in report.failed]
    lines.append(f"{done} of {len(report.rows)} jobs done, {len(report.failed)} failed; "
                 f"{report.ran} ran in this call")  # fmt: skip
    if report.failed:
        lines.append("Run the failed ones again with --retry-failed.")
    return [*lines, f"table: {out / PARQUET}, {out / CSV}"]
