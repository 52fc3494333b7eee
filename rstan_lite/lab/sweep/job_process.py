"""A job's process: `run_job`, which a worker calls, starts it and watches it; `main` runs in it.

The process reads the job from its standard input. When that pipe ends, its worker has ended: the
process then ends itself and all that it started, so that no job runs beside its own repetition.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from filelock import AcquireReturnProxy, FileLock

from rstan_lite.lab.sweep import sweep_plan
from rstan_lite.lab.sweep.sweep_plan import DONE, FAILED, ROW, Job, Row, read_row
from rstan_lite.system import threads
from rstan_lite.system.errors import ConfigError, RstanError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.interruption import OWN_SESSION

if TYPE_CHECKING:
    from rstan_lite.features.extraction import Extraction
    from rstan_lite.training.config import TrainConfig

MODULE = "rstan_lite.lab.sweep.job_process"
LOG = "log.txt"
# Of the worker and of the process; training locks a third one. Each is another file: a process that
# outlives its worker keeps its own, and systems differ in how two locks of one file meet.
WORKER_LOCK, PROCESS_LOCK = ".worker.lock", ".process.lock"
ROW_WRITTEN, STOPPED = 3, 4  # exit codes of a job that failed, and of one that was told to stop
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
    """A job's process was told to end. It has no row: it is neither done nor failed."""


def run_job(job: Job, limits: Limits, token: str, retries: int = 0) -> Row:
    """Run a job in a process of its own and return its row, which then also lies in its folder.

    A job that is done is not run again; one that fails is tried `retries` times more. token: names
    the sweep, so that `stop_jobs` finds the process. Raises JobStoppedError.
    """
    Path(job.folder).mkdir(parents=True, exist_ok=True)
    with _locked(Path(job.folder) / WORKER_LOCK):
        row = read_row(Path(job.folder))
        for _ in range(retries + 1):
            if row is None or row["status"] != DONE:
                row = _watch(job, limits, token)
    assert row is not None
    return row


def stop_jobs(token: str) -> None:
    """Tell the jobs of a sweep that run under this process, a worker, to end."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if token in process.cmdline():
                started = process.children(recursive=True)
                process.terminate()
                _kill(started)


def run_here(job: Job) -> Row:
    """Do a job in this process and write its row, whatever becomes of it."""
    start = time.monotonic()
    try:
        return write_row(job, start, _metrics(job))
    except RstanError as error:
        print(f"error: {error}", file=sys.stderr)
        where, said = (error.where, error.found) if job.target else ("", str(error))
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


def _locked(path: Path) -> AcquireReturnProxy:
    """Hold a lock; waits while another process has it."""
    try:
        return FileLock(path).acquire()
    except (NotImplementedError, OSError) as error:
        found = f"no file locks ({error})"
        raise ConfigError(path.parent, found, "a file system with locks") from error


def _watch(job: Job, limits: Limits, token: str) -> Row:
    """Start a job's process, wait for its end or end it at a limit, and return the row."""
    start = time.monotonic()
    environment = threads.environment(os.environ | dict.fromkeys(THREADS, str(limits.threads)))
    environment.pop(threads.CHOSEN, None)  # the limit is the user's own number
    environment |= {"RSTAN_CACHE": job.cache} if job.cache else {}
    # -P: what lies in the working directory is no module
    words = [sys.executable, "-P", "-m", MODULE, token]
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
                _kill(_tree(process.pid))
    if limit is not None:
        return write_row(job, start, {}, limit, "limit")
    code = process.returncode
    if code in (0, ROW_WRITTEN) and (row := read_row(Path(job.folder))) is not None:
        return row
    if code == STOPPED or abs(code) == signal.SIGTERM:
        raise JobStoppedError(f"the process of {job.name} was told to end")
    said = (Path(job.folder) / LOG).read_text(encoding="utf-8", errors="replace").strip()
    end = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    error = f"ended with {end}; its last words: {said[-LAST_WORDS:] or 'none'}"
    return write_row(job, start, {}, error, "crash")


def _wait(process: subprocess.Popen[bytes], limits: Limits, start: float) -> str | None:
    """Wait for a process; the limit that it went over, None where it ended by itself."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL)
            return None
        if limits.timeout is not None and time.monotonic() - start > limits.timeout:
            return f"ran longer than {limits.timeout:g} s (--timeout)"
        if limits.memory is not None and (found := _memory(process.pid)) > limits.memory:
            return f"took {found >> 20} MiB, more than {limits.memory >> 20} (--memory)"


def _tree(pid: int) -> list[psutil.Process]:
    """All that a process started and that still run, and itself last; empty where it has ended."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    return []


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
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
        with _locked(Path(job.folder) / PROCESS_LOCK):
            return 0 if run_here(job)["status"] == DONE else ROW_WRITTEN
    except KeyboardInterrupt:  # training takes a signal for it, and has saved itself
        return STOPPED


def _end_with_the_worker() -> None:
    while os.read(0, 1):
        pass
    _kill(_tree(os.getpid()))


def _metrics(job: Job) -> dict[str, Any]:
    """Do a job; what it measured, by name."""
    if job.kind == "extract":
        from rstan_lite.training.config import from_mapping

        given, only = job.parameters, frozenset(job.parameters["clips"])
        config = from_mapping(given["config"])
        steps = missing_features_of(config, given["second"], given["networks"], only)
        if steps.todo:
            steps.run(workers=1)
        return {"clips": len(steps.todo)}
    folder = Path(job.folder)
    if job.kind == "train":
        from rstan_lite.lab.model_card import write_card
        from rstan_lite.training.train import train

        config = sweep_plan.train_config(job.parameters)
        if (metrics := train(config, folder, progress=False)) is None:
            return {}
        write_card(folder, config, metrics)
        return numbers(metrics)
    from rstan_lite.classroom import notebook_parameters, run_notebook

    values = sweep_plan.notebook_values(notebook_parameters(job.target), job.parameters, folder)
    output, path = folder / Path(job.target).name, folder / "metrics.json"
    run_notebook(job.target, values, output, html=False, progress=False)
    return numbers(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def missing_features_of(
    config: TrainConfig, second: bool, networks: Mapping[str, str],
    only: frozenset[str] | None = None,
) -> Extraction:  # fmt: skip
    """The steps that make what the stores of a configuration's data set lack.

    second: of its second data set. only: names of clips; None for all.
    """
    from rstan_lite.features.pipeline import PARTS, missing_features
    from rstan_lite.system.devices import choose_device
    from rstan_lite.training import parts as source

    of, parts = (source.second_config(config), ("train",)) if second else (config, PARTS)
    settings, device = source.feature_settings(of, networks), choose_device(of.device).type
    stores = settings, source.cache_folder(of), device
    return missing_features(source.open_dataset(of), parts, *stores, only)


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
