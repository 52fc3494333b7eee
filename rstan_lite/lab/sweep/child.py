"""The process of one job: `python -m rstan_lite.lab.sweep.child`, started by `supervise`.

It reads the job from its standard input, and takes the end of that pipe for the end of the worker
that holds the other side: then it ends itself with all that it started, so that no job goes on
beside its own repetition elsewhere.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rstan_lite.lab.sweep.jobs import OUTCOME, Job, Outcome
from rstan_lite.lab.sweep.processes import kill_tree
from rstan_lite.system.errors import RstanError
from rstan_lite.system.files import write_atomically

NOT_NUMBERS = ("versions", "networks")  # tables in metrics.json that say how, not how well


def main() -> int:
    job = Job(**json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    threads = int(os.environ["OMP_NUM_THREADS"])
    if job.kind != "notebook":  # whose kernel is another process
        import cv2

        cv2.setNumThreads(threads)
    outcome = outcome_of(job)
    write_atomically(Path(job.folder) / OUTCOME, json.dumps(asdict(outcome)).encode())
    return 1 if outcome.error else 0


def outcome_of(job: Job) -> Outcome:
    """Do a job here. Whatever it raises is its outcome, to become a row."""
    try:
        return Outcome(metrics=run(job))
    except RstanError as error:
        print(f"error: {error}", file=sys.stderr)
        where = error.where if job.kind == "notebook" else job.command
        said = error.found if job.kind == "notebook" else str(error)
        return Outcome(where=where, error=said, kind=type(error).__name__)
    except Exception as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}"
        return Outcome(where=job.command, error=said, kind=type(error).__name__)


def _end_with_the_worker() -> None:
    while os.read(0, 1):
        pass
    kill_tree(os.getpid())


def run(job: Job) -> dict[str, Any]:
    """Do a job and return its metrics: numbers by name."""
    if job.kind == "notebook":
        return _run_notebook(job)
    if job.kind == "train":
        from rstan_lite.lab.sweep.plan import train_config
        from rstan_lite.training.train import train

        metrics = train(train_config(job.parameters), Path(job.folder), progress=False)
        return {} if metrics is None else numbers(metrics)
    from rstan_lite.lab.sweep.extract import extract_piece

    return {"clips": extract_piece(job.parameters)}


def _run_notebook(job: Job) -> dict[str, Any]:
    from rstan_lite.classroom import notebook_parameters, run_notebook
    from rstan_lite.lab.sweep.plan import executed_copy, given_out

    values = given_out(notebook_parameters(job.target), job.parameters, job.folder)
    output = executed_copy(job.target, job.folder)
    run_notebook(job.target, values, output, html=False, progress=False)
    path = Path(job.folder) / "metrics.json"
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
