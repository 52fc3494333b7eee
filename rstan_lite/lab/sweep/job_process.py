"""A job's process: `run_job`, which a worker calls, starts it and watches it; `main` runs in it.

The process reads the job from its standard input. When that pipe ends, its worker has ended: the
process then ends itself and all that it started, so that no job runs beside its own repetition.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from rstan_lite.lab.sweep import sweep_plan
from rstan_lite.lab.sweep.sweep_plan import DONE, FAILED, ROW, Job, Row, read_row
from rstan_lite.system import threads
from rstan_lite.system.errors import RstanError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.interruption import OWN_SESSION

MODULE = "rstan_lite.lab.sweep.job_process"
LOG = "log.txt"
LOCK = ".process.lock"  # not the one of training: systems differ in how two locks of a file meet
STOPPED = 4  # exit code of a job that was told to stop
POLL = 0.2  # seconds between looks at a job
LAST_WORDS = 400  # letters of the log that the row of a crashed job quotes
THREADS = (*threads.NUMBERS, "NUMEXPR_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
NOT_NUMBERS = ("versions", "networks")  # tables in metrics.json that say how, not how well


@dataclass(frozen=True)
class Limits:
    """What a job may take.

    threads: of OpenMP, torch and OpenCV. timeout: seconds. memory: bytes of all its processes.
    """

    threads: int = 1
    timeout: float | None = None
    memory: int | None = None


class JobStoppedError(Exception):
    """A job was told to end. It has no row: it is neither done nor failed."""


def run_job(job: Job, limits: Limits, retries: int = 0) -> Row:
    """Run a job in a process of its own and return its row, which then also lies in its folder.

    A job that is done is not run again; one that fails is tried `retries` times more. Raises
    JobStoppedError, also where this runs as Dask's task and the task is cancelled.
    """
    Path(job.folder).mkdir(parents=True, exist_ok=True)
    for _ in range(retries + 1):
        if not _is_done(job):
            _watch(job, limits)
    row = read_row(Path(job.folder))
    assert row is not None
    return row


def _is_done(job: Job) -> bool:
    row = read_row(Path(job.folder))
    return row is not None and row["status"] == DONE


def run_here(job: Job) -> Row:
    """Do a job in this process and write its row, whatever becomes of it."""
    start = time.monotonic()
    try:
        return write_row(job, start, _metrics(job))
    except RstanError as error:
        print(f"error: {error}", file=sys.stderr)
        where, said = (error.where, error.found) if job.notebook else ("", str(error))
        return write_row(job, start, {}, said, type(error).__name__, where)
    except Exception as error:
        traceback.print_exc()
        kind = type(error).__name__
        return write_row(job, start, {}, f"{kind}: {error}", kind)


def write_row(
    job: Job, start: float, metrics: Mapping[str, Any], error: str = "", kind: str = "",
    where: str = "",
) -> Row:  # fmt: skip
    """Write a job's row into its folder: what it was, how it ended, what it measured.

    start: of the monotonic clock. metrics: of a good end; error, kind, where: of a bad one, by
    default at the job's command. Raises StoreError (disk).
    """
    ends: Row = {"seconds": round(time.monotonic() - start, 2), "host": socket.gethostname()}
    ends |= {"where": (where or job.command) if error else None}
    ends |= {"error": error or None, "error_type": kind or None}
    row: Row = {"job": job.name, "status": FAILED if error else DONE}
    given = {name: sweep_plan.shown(value) for name, value in job.parameters.items()}
    taken = {*row, *ends}
    row |= {f"parameters.{k}" if k in taken else k: value for k, value in given.items()} | ends
    row |= {f"metrics.{k}" if k in row else k: value for k, value in metrics.items()}
    write_atomically(Path(job.folder) / ROW, json.dumps(row, indent=1).encode())
    return row


def _watch(job: Job, limits: Limits) -> None:
    """Start a job's process, wait for its end or end it at a limit; then its row is written."""
    start = time.monotonic()
    environment = threads.environment(os.environ | dict.fromkeys(THREADS, str(limits.threads)))
    environment.pop(threads.CHOSEN, None)  # the limit is the user's own number
    environment |= {"RSTAN_CACHE": job.cache} if job.cache else {}
    # -P: what lies in the working directory is no module
    words = [sys.executable, "-P", "-m", MODULE]
    how: dict[str, Any] = {"cwd": job.cwd, "env": environment, "bufsize": 0}
    how |= OWN_SESSION  # Ctrl-C in the terminal is for the sweep, which ends jobs
    with (
        (Path(job.folder) / LOG).open("ab") as log,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=log, stderr=log, **how) as process,
    ):
        assert process.stdin is not None
        try:
            with suppress(OSError):  # it has ended already: its exit code says more
                process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
            limit = _wait(process, limits, start)
        finally:
            if process.poll() is None:  # else its number may be another process's by now
                _kill(process.pid)
    code = process.returncode
    if limit is not None:
        write_row(job, start, {}, limit, "limit")
    elif code == STOPPED or abs(code) == signal.SIGTERM:
        raise JobStoppedError(f"the process of {job.name} was told to end")
    elif code != 0:  # else it has written its row itself
        said = (Path(job.folder) / LOG).read_text(encoding="utf-8", errors="replace").strip()
        end = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        error = f"ended with {end}; its last words: {said[-LAST_WORDS:] or 'none'}"
        write_row(job, start, {}, error, "crash")


def _wait(process: subprocess.Popen[bytes], limits: Limits, start: float) -> str | None:
    """Wait for a process; the limit that it went over, None where it ended by itself."""
    cancelled = _cancellation()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL)
            return None
        if cancelled():
            raise JobStoppedError("the sweep has taken it back")
        if limits.timeout is not None and time.monotonic() - start > limits.timeout:
            return f"ran longer than {limits.timeout:g} s (--timeout)"
        if limits.memory is not None and (found := _memory(process.pid)) > limits.memory:
            return f"took {found >> 20} MiB, more than {limits.memory >> 20} (--memory)"


def _cancellation() -> Callable[[], bool]:
    """Tells whether the Dask task that asks for it, if it is one, has been cancelled since."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:
        return lambda: False
    task = worker.state.tasks[worker.get_current_task()]
    return lambda: task.state == "cancelled"


def _tree(pid: int) -> list[psutil.Process]:
    """All that a process started and that still run, and itself last; empty where it has ended."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    return []


def _kill(pid: int) -> None:
    """End a process and all that it started."""
    for process in _tree(pid):
        with suppress(psutil.Error):  # ended meanwhile
            process.kill()


def _memory(pid: int) -> int:
    """Bytes of a process and all that it started; shared pages once, as far as the system tells."""
    total = 0
    for process in _tree(pid):
        with suppress(psutil.Error):  # ended meanwhile
            info = process.memory_full_info()
            total += getattr(info, "pss", 0) or info.rss
    return total


def main() -> int:
    """Do the job on the standard input; returns an exit code."""
    job = Job(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    try:
        # a process whose worker is lost may still run when the job is repeated
        with FileLock(Path(job.folder) / LOCK):
            if not _is_done(job):
                run_here(job)
            return 0
    except KeyboardInterrupt:  # training takes a signal for it, and has saved itself
        return STOPPED


def _end_with_the_worker() -> None:
    while os.read(0, 1):
        pass
    _kill(os.getpid())


def _metrics(job: Job) -> dict[str, Any]:
    """Do a job; what it measured, by name."""
    folder = Path(job.folder)
    if not job.notebook:
        from rstan_lite.lab.model_card import write_card
        from rstan_lite.training.train import train

        config = sweep_plan.train_config(job.parameters)
        if (metrics := train(config, folder, progress=False)) is None:
            return {}
        write_card(folder, config, metrics)
        return numbers(metrics)
    from rstan_lite.classroom import notebook_parameters, run_notebook

    values = sweep_plan.notebook_values(notebook_parameters(job.notebook), job.parameters, folder)
    output, path = folder / Path(job.notebook).name, folder / "metrics.json"
    run_notebook(job.notebook, values, output, html=False, progress=False)
    return numbers(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def numbers(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Numbers and texts of metrics.json by name, those of tables inside it as `table.name`."""
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, dict) and name not in NOT_NUMBERS:
            found |= numbers(value, f"{prefix}{name}.")
        elif value is None or isinstance(value, int | float | str):
            found[prefix + name] = value
    return found


if __name__ == "__main__":
    sys.exit(main())
