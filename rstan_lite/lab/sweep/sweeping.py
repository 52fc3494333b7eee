"""A sweep: what is missing of it runs on a Dask cluster, and all of it stands in one table."""

from __future__ import annotations

import io
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.features.extraction import Extraction, one_thread
from rstan_lite.features.pipeline import PARTS, missing_features
from rstan_lite.lab.sweep import sweep_plan
from rstan_lite.lab.sweep.job_process import Limits, run_here, run_job, write_row
from rstan_lite.lab.sweep.sweep_plan import (
    DONE,
    FAILED,
    ROW,
    TRAIN,
    Description,
    Job,
    Row,
    read_row,
    train_config,
)
from rstan_lite.system import threads
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import CheckpointError, ConfigError, DataError, RstanError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import check_root, read_json
from rstan_lite.system.settings import require_libraries, whole_paths
from rstan_lite.system.tables import progress_bar
from rstan_lite.training import parts
from rstan_lite.training.config import FOLDERS, TrainConfig

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client

LIBRARIES = ("cryptography", "distributed", "pyarrow")
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
PIECE = 16  # clips of an extraction that a worker takes at a time: it loads the networks for each
# What features depend on; runs that differ in other options share them.
DATA = (
    "dataset", "root", "split", "missing", "validation", "fold", "cache", "streams",
    "backbone", "appearance_weights", "size", "motion_backbone", "motion_weights", "motion_size",
    "flow", "flow_weights", "camera", "inputs", "input_networks", "input_weights", "stored_frames",
    "views",
    "second_dataset", "second_root", "second_split",
)  # fmt: skip
RECORD = "sweep.json"  # in a sweep's folder: what it is of
PARQUET, CSV = "results.parquet", "results.csv"
SHARE = 0.1  # of the time, at most, goes into writing a table that grows


@dataclass(frozen=True)
class Report:
    """Rows of the jobs that were asked for, by name, and how many of them ran in this call."""

    rows: dict[str, Row]
    ran: int

    @property
    def failed(self) -> list[Row]:
        return [row for row in self.rows.values() if row["status"] == FAILED]

    def lines(self, out: Path) -> Sequence[str]:
        """What to tell a person at the end. out: the sweep's folder."""
        lines = [f"failed: {row['job']}: {row['where']}: {row['error']}" for row in self.failed]
        count, failed = len(self.rows), len(self.failed)
        said = f"{count - failed} of {count} jobs done, {failed} failed"
        lines.append(f"{said}; {self.ran} ran in this call")
        if failed:
            lines.append("Run the failed ones again with --retry-failed.")
        return [*lines, f"table: {out / PARQUET}, {out / CSV}"]


def sweep(
    description: Description, out: str | Path, *, scheduler: str | None = None,
    workers: int | None = None, limits: Limits | None = None, retries: int = 0,
    retry_failed: bool = False, on_row: Callable[[Row], None] | None = None, progress: bool = True,
) -> Report:  # fmt: skip
    """Run the jobs of a description that `out` has no row of, and keep its table.

    scheduler, workers: see `connect`; 0 workers run the few quick jobs of a lesson here,
    one after the other and without limits. retries: of a job that fails. retry_failed: run those
    again that failed in an earlier call. on_row: called with each row once it is in the table.
    Raises ConfigError and NotebookError for what `plan` refuses, and ConfigError for a folder that
    holds another sweep; KeyboardInterrupt after what is done was kept.
    """
    check_libraries()
    out, limits = Path(out), limits or Limits()
    jobs = sweep_plan.plan(description, out)
    for job in jobs:
        check_root(job.parameters.get("dataset", "puppets"), job.parameters.get("root"))
    _claim(out, description)
    rows, order = _read_rows(out), [job.name for job in jobs]
    done = {name for name, row in rows.items() if not retry_failed or row["status"] == DONE}
    todo = [job for job in jobs if job.name not in done]

    due = 0.0  # when the table is written next

    def keep(row: Row) -> None:
        nonlocal due
        rows[row["job"]] = row
        start = time.monotonic()
        if start >= due:
            _write_table(out, rows, order)
            due = start + (time.monotonic() - start) / SHARE
        if on_row is not None:
            on_row(row)

    try:
        if todo and workers == 0:
            for job in progress_bar(todo, desc="jobs", unit="job", shown=progress):
                keep(run_here(job))
        elif todo:
            with connect(scheduler, workers, limits.threads) as client:
                if description.run == TRAIN:
                    prepare(client, todo, progress)
                run_jobs(client, todo, limits, retries, keep, progress=progress)
    finally:  # also rows of what ended while it was stopped, or while no one was there to be told
        rows |= _read_rows(out)
        if rows:
            _write_table(out, rows, order)
    return Report({name: rows[name] for name in order}, len(todo))


def _claim(out: Path, description: Description) -> None:
    """Say in the sweep's folder what it is of; ConfigError where it is of something else."""
    record = {"run": description.run}
    if description.run != TRAIN:
        code = sweep_plan.notebook_digest(description.run)
        record = {"run": Path(description.run).name, "code": code}
    path = out / RECORD
    if not path.exists():
        write_atomically(path, json.dumps(record).encode())
        return
    found = read_json(path, ConfigError, "the record of a sweep")
    if found != record:
        hint = "Give another --out folder: rows of other code do not belong into one table."
        raise ConfigError(out, f"a sweep of {found}", str(record), hint)


def _read_rows(out: Path) -> dict[str, Row]:
    """The rows that lie in the jobs' folders. Raises CheckpointError for a damaged one."""
    found = (read_row(path.parent) for path in sorted(out.glob(f"*/{ROW}")))
    return {row["job"]: row for row in found if row is not None}


def _write_table(out: Path, rows: Mapping[str, Row], order: Sequence[str]) -> None:
    """Write both files where they change, each whole or not at all. Raises StoreError (disk).

    order: names of jobs, whose rows stand first; those of jobs of earlier calls follow.
    """
    names = [*order, *sorted(set(rows) - set(order))]
    table, parquet = frame([rows[name] for name in names if name in rows]), io.BytesIO()
    table.to_parquet(parquet, index=False)
    csv = table.to_csv(index=False).encode()
    for path, content in ((out / PARQUET, parquet.getvalue()), (out / CSV, csv)):
        if not path.exists() or path.read_bytes() != content:
            write_atomically(path, content)


def frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a data frame whose columns hold one kind of value each.

    A column of both texts and numbers becomes one of texts: Parquet has no other way.
    """
    import pandas as pd

    table = pd.DataFrame([dict(row) for row in rows])
    for name in table.columns:
        if table[name].dropna().map(type).nunique() > 1:
            table[name] = table[name].map(str, na_action="ignore")
    return table


def read_table(path: str | Path) -> pd.DataFrame:
    """A sweep's table, from its folder or its Parquet file; CheckpointError where it is none."""
    import pandas as pd

    path = Path(path)
    file = path / PARQUET if path.is_dir() else path
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:  # pyarrow's complaints are both
        raise CheckpointError(file, str(error), "the table of a sweep") from error


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
    client: Client, jobs: Sequence[Job], limits: Limits, retries: int = 0,
    on_row: Callable[[Row], object] | None = None, title: str = "jobs", progress: bool = True,
) -> list[Row]:  # fmt: skip
    """Run all jobs on a cluster; their rows, as they end. ConfigError if the scheduler is lost.

    retries: of a job that failed. on_row: called with each job's row. Jobs of a lost worker go to
    others. Ctrl-C, and any error here, takes the jobs back and ends those that run.
    """
    from distributed import as_completed
    from distributed.client import FutureCancelledError

    if not client.scheduler_info()["workers"]:
        print("waiting for workers: the scheduler has none yet", file=sys.stderr)
    of_key = {f"{job.name}-{uuid.uuid4().hex}": job for job in jobs}
    futures = [
        client.submit(run_job, job, limits, retries, key=key, retries=STOPS)
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
                    rows.append(write_row(of_key[future.key], time.monotonic(), {}, said, "worker"))
                bar.set_postfix(failed=sum(row["status"] == FAILED for row in rows))
                bar.update()
                if on_row is not None:
                    on_row(rows[-1])
    except BaseException:
        with suppress(OSError, RuntimeError, ValueError):  # a lost cluster has nothing to stop
            client.cancel(futures, force=True)  # who runs one sees it, and ends its process
        raise
    return rows


def extract(client: Client, config: TrainConfig, progress: bool = True) -> int:
    """Make the features that a configuration's stores lack, on a cluster with a shared file system.

    Returns how many clips were missing. Damaged clips are left out, and reading the features says
    which. Raises as `find_sources` does, and DataError for clips that ended in any other way.
    """
    from distributed import as_completed

    config = whole_paths(config, FOLDERS, "input_weights")  # a worker may run in another folder
    sources = parts.find_sources(config)
    own: list[Any] = [(config, sources.dataset, PARTS)]
    if sources.second is not None:
        own.append((parts.second_config(config), sources.second, ("train",)))
    futures, clips = [], 0
    for one, dataset, names in own:
        settings = parts.feature_settings(one, sources.networks)
        device, cache = choose_device(one.device).type, parts.cache_folder(one).absolute()
        steps = missing_features(dataset, names, settings, cache, device)
        todo = list(steps.todo.items())
        clips += len(todo)
        for start in range(0, len(todo), PIECE):
            piece = replace(steps, todo=dict(todo[start : start + PIECE]))
            futures.append(client.submit(_extract_piece, piece, pure=False))
    bar = progress_bar(as_completed(futures), progress, desc="features", total=len(futures))
    for future in bar:
        try:
            future.result()
        except Exception as error:
            hint = "What was made is kept. The same command makes the rest."
            found, expected = f"{type(error).__name__}: {error}", "features of all clips"
            raise DataError(sources.dataset.root, found, expected, hint) from error
    return clips


def _extract_piece(steps: Extraction) -> None:
    os.environ.pop(threads.CHOSEN, None)  # what Dask gives a worker is the user's own number
    one_thread(0)
    with suppress(DataError):  # of damaged clips: who reads the features is told
        steps.run(workers=1, progress=False)


def prepare(client: Client, jobs: Sequence[Job], progress: bool) -> None:
    """Make what train jobs share, once: generated clips, and the features of each data set.

    What can't be made is said; the jobs that need it will fail by themselves, each in its row.
    """
    configs = [train_config(job.parameters) for job in jobs]
    distinct = {tuple(getattr(config, name) for name in DATA): config for config in configs}
    for config in distinct.values():
        try:
            extract(client, config, progress)
        except RstanError as error:
            print(f"features are not made beforehand: {error}", file=sys.stderr)
