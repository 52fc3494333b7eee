"""What a worker does with a job: start its process, watch it, and write its row.

The function `run_job` is what Dask's workers are given. It never raises for a job that fails: a
failure is a row, too.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from rstan_lite.lab.sweep.jobs import (
    DONE,
    FAILED,
    LOCK,
    LOG,
    OUTCOME,
    ROW,
    Job,
    Limits,
    Outcome,
    Row,
    read_row,
)
from rstan_lite.lab.sweep.processes import kill_tree, tree_memory
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import write_atomically

POLL = 0.2  # seconds between looks at a job
LAST_WORDS = 400  # letters of the log that the row of a crashed job quotes
STOPPED = "stopped"  # neither done nor failed: somebody ended the process
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


def run_job(job_values: dict[str, Any], limit_values: dict[str, Any], token: str) -> Row:
    """Run a job in a process of its own and return its row, which then also lies in its folder.

    A job that is done already is not run again. token: names the sweep in the process's arguments,
    so that `stop_jobs` finds it.
    """
    job, limits = Job(**job_values), Limits(**limit_values)
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _only_here(folder) as lock:
        row = read_row(folder)
        if row is not None and row["status"] == DONE:
            return row
        start = time.monotonic()
        outcome = _watch(job, limits, token, lock)
        row = make_row(job, outcome, time.monotonic() - start)
        if outcome.kind != STOPPED:
            keep_row(job, row)
        return row


def keep_row(job: Job, row: Row) -> None:
    """Write a job's row into its folder. Raises StoreError (disk)."""
    write_atomically(Path(job.folder) / ROW, json.dumps(row, indent=1).encode())


def make_row(job: Job, outcome: Outcome, seconds: float) -> Row:
    """A job's row: what it was, how it ended, what it measured, in that order."""
    status = FAILED if outcome.error else DONE
    ends: Row = {
        "seconds": round(seconds, 2),
        "host": socket.gethostname(),
        "where": outcome.where or None,
        "error": outcome.error or None,
        "error_type": outcome.kind or None,
    }
    row: Row = {"job": job.name, "status": STOPPED if outcome.kind == STOPPED else status}
    for name, value in job.shown.items():
        row[f"parameters.{name}" if name in (*row, *ends) else name] = value
    row |= ends
    for name, value in outcome.metrics.items():
        row[f"metrics.{name}" if name in row else name] = value
    return row


@contextmanager
def _only_here(folder: Path) -> Iterator[int]:
    """Hold a job's lock; waits while another worker, or its orphaned process, has it.

    The job's process inherits it: it is free when both have ended, however they end.
    """
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise ConfigError(
                folder, f"no file locks ({error})", "a file system with flock"
            ) from error
        yield file.fileno()


def _watch(job: Job, limits: Limits, token: str, lock: int) -> Outcome:
    """Start the job's process and wait for its end, or end it at a limit."""
    folder = Path(job.folder)
    (folder / OUTCOME).unlink(missing_ok=True)
    environment = {**os.environ, **dict.fromkeys(THREADS, str(limits.threads))}
    if job.cache:
        environment["RSTAN_CACHE"] = job.cache
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            # -P: what lies in the working directory is no module
            [sys.executable, "-P", "-m", "rstan_lite.lab.sweep.child", token],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=job.cwd,
            env=environment,
            pass_fds=[lock],
            start_new_session=True,  # Ctrl-C in the terminal is for the sweep, which then ends jobs
        )
    assert process.stdin is not None
    try:
        with suppress(BrokenPipeError):  # it has ended already: its exit code says more
            process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
            process.stdin.flush()
        limit = _wait(process, limits)
    finally:
        if process.poll() is None:  # else its number may be another process's by now
            kill_tree(process.pid)
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
    if limit is not None:
        return Outcome(where=job.command, error=limit, kind="limit")
    return _outcome(job, process.returncode)


def _wait(process: subprocess.Popen[bytes], limits: Limits) -> str | None:
    """Wait for a process; the limit that it went over, None where it ended by itself."""
    start = time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL)
            return None
        if limits.timeout is not None and time.monotonic() - start > limits.timeout:
            return f"ran longer than {limits.timeout:g} s (--timeout)"
        if limits.memory is not None:
            found = tree_memory(process.pid)
            if found > limits.memory:
                return f"took {found >> 20} MiB, more than {limits.memory >> 20} (--memory)"


def _outcome(job: Job, code: int) -> Outcome:
    """What the ended process said, or what its exit code says."""
    path = Path(job.folder) / OUTCOME
    if code in (0, 1) and path.exists():
        outcome = Outcome(**json.loads(path.read_text(encoding="utf-8")))
        path.unlink()
        return outcome
    if code == -signal.SIGTERM:
        return Outcome(where=job.command, error="was stopped", kind=STOPPED)
    said = (Path(job.folder) / LOG).read_text(encoding="utf-8", errors="replace").strip()
    end = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    error = f"ended with {end}; its last words: {said[-LAST_WORDS:] or 'none'}"
    return Outcome(where=job.command, error=error, kind="crash")


def stop_jobs(token: str) -> int:
    """End the jobs of a sweep that run under this process, a worker; returns how many."""
    stopped = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if token in process.cmdline():
                started = process.children(recursive=True)
                process.terminate()
                for one in started:
                    with suppress(psutil.Error):
                        one.kill()
                stopped += 1
    return stopped
