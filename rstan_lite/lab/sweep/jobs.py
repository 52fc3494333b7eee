"""What a job is, and what it leaves in its folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rstan_lite.system.errors import CheckpointError

ROW, LOG, LOCK, OUTCOME = "row.json", "log.txt", ".lock", ".outcome.json"
DONE, FAILED = "done", "failed"
LONGEST = 100  # letters of a folder's name, before its digest
Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One notebook run, one training run or one piece of an extraction.

    kind: "notebook", "train" or "extract". name: of its folder. folder: absolute, on a file system
    that all workers share. target: the notebook's absolute path. parameters: JSON values. shown:
    those that the table has a column for. command: what runs the same by hand. cwd: where it runs.
    cache: for RSTAN_CACHE, "" where it is not set.
    """

    kind: str
    name: str
    folder: str
    parameters: Mapping[str, Any]
    shown: Mapping[str, Any]
    target: str = ""
    command: str = ""
    cwd: str = "."
    cache: str = ""


@dataclass(frozen=True)
class Limits:
    """What a job may take.

    threads: of OpenMP, torch and OpenCV. timeout: seconds. memory: bytes of all its processes.
    """

    threads: int = 1
    timeout: float | None = None
    memory: int | None = None


@dataclass
class Outcome:
    """How a job's process ended. metrics: of a good end; where, error, kind: of a bad one."""

    metrics: dict[str, Any] = field(default_factory=dict)
    where: str = ""
    error: str = ""
    kind: str = ""


def job_name(varied: Mapping[str, Any], all_of: Mapping[str, Any]) -> str:
    """A folder's name from parameters: those that vary, to be read, and a digest of all.

    Letters that a file system or a shell may stumble over become `_`.
    """
    said = ",".join(f"{name}={shown(value)}" for name, value in varied.items()) or "job"
    said = re.sub(r"[^A-Za-z0-9._+=,-]", "_", said)[:LONGEST].lstrip(".-")
    text = json.dumps(all_of, sort_keys=True)
    return f"{said}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def shown(value: Any) -> Any:
    """A parameter as one cell of a table: a list as `a+b`, all else as it is."""
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else value


def read_row(folder: Path) -> Row | None:
    """What a job left; None where it has not ended. CheckpointError for a damaged file."""
    path = folder / ROW
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CheckpointError(
            path, str(error), "a job's row", "Remove the file to run the job again."
        ) from error
    if not isinstance(row, dict) or row.get("status") not in (DONE, FAILED):
        raise CheckpointError(
            path, "JSON of something else", "a job's row", "Remove the file to run the job again."
        )
    return row
