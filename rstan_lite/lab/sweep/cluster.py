"""The workers: a cluster on this machine, or one that runs already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import require_libraries

if TYPE_CHECKING:
    from distributed import Client

LIBRARIES = {
    "cryptography": "cryptography",
    "distributed": "distributed",
    "pandas": "pandas",
    "psutil": "psutil",
    "pyarrow": "pyarrow",
}
MOST_LOST = 10  # workers that may be lost under one job before it counts as its fault
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
    require_libraries("rstan-lite sweep", LIBRARIES, "sweep")


@contextmanager
def connect(
    scheduler: str | None, workers: int | None = None, threads: int = 1
) -> Iterator[Client]:
    """A client of an existing cluster, or of one that lives as long as this context.

    scheduler: address or file (.json) of an existing one. workers: processes of a new one, by
    default as many as cores, divided by threads, the threads of a job.
    A new one listens on the loopback interface alone, speaks TLS with a certificate of its own, so
    that no other user of the machine can talk to it, and has no dashboard.
    Raises ConfigError where no scheduler answers.
    """
    check_libraries()
    import dask
    from distributed import Client, LocalCluster, Security

    if scheduler is not None:
        try:
            client = Client(**_address(scheduler), timeout=ANSWER)
        except (OSError, ValueError) as error:
            raise ConfigError(
                "--scheduler", f"{scheduler} ({error})", "the address of a running Dask scheduler"
            ) from error
        with client:
            yield client
        return
    count = workers or max(1, (os.cpu_count() or 1) // threads)
    security = Security.temporary()
    with (
        dask.config.set(SETTINGS),
        LocalCluster(
            n_workers=count,
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


def _address(scheduler: str) -> Mapping[str, str]:
    """What names an existing scheduler to a client; ConfigError for a file that is absent."""
    if not scheduler.endswith(".json"):
        return {"address": scheduler}
    if not Path(scheduler).exists():  # Dask would wait for it
        raise ConfigError("--scheduler", f"no file {scheduler}", "the file of a running scheduler")
    return {"scheduler_file": scheduler}
