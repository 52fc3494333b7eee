"""A sweep: what is missing of it runs, and all of it stands in one table, Parquet and CSV."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.lab.sweep import sweep_plan
from rstan_lite.lab.sweep.dask_jobs import check_libraries, connect, prepare, run_jobs
from rstan_lite.lab.sweep.job_process import Limits, run_here
from rstan_lite.lab.sweep.sweep_plan import DONE, FAILED, ROW, TRAIN, Description, Row, read_row
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import check_root, read_json
from rstan_lite.system.tables import progress_bar

if TYPE_CHECKING:
    import pandas as pd

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

    scheduler, workers: see `dask_jobs.connect`; 0 workers run the few quick jobs of a lesson here,
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
                    prepare(client, todo, limits, progress)
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
