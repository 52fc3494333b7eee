"""`rstan-lite sweep`: runs over a grid of parameters. Imports Dask when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rstan_lite.cli.training import add_cluster_options, check_workers
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import check_count


def add_parsers(subparsers: Any) -> None:
    """Add the command `sweep`; its `func` takes the parsed arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "sweep",
        help="run a notebook or train over a grid of parameters, on many cores or machines",
        description="Run a notebook, or train, once for each point of a grid, on a Dask cluster. "
        "Results go into one table, results.parquet and results.csv, as they come. The same "
        "command goes on where it was interrupted, and only reports where it has finished.",
        epilog="exit code: 0 all jobs are done; 1 some failed; 2 nothing ran, for the reason that "
        "is said; 130 interrupted.",
    )
    add = parser.add_argument
    add(
        "what",
        help="a notebook (.ipynb), train, ablations (the paper's Tables I to III and Fig. 6), or a "
        "description of a sweep (.toml, .json)",
    )
    add(
        "-p", "--grid", dest="grid", action="append", default=[], metavar="NAME=V1,V2,...",
        help="values of a parameter of the notebook or of an option of train; several times for a "
        "grid. A list is one value in brackets: streams=[appearance],[appearance,motion]",
    )  # fmt: skip
    add("--seeds", metavar="V1,V2,...", help="the same as -p seed=V1,V2,...")
    add("--out", metavar="FOLDER", help="of the sweep (runs/sweep-<name>)")
    add("--dry-run", action="store_true", help="print each job and its command; do nothing")
    add_cluster_options(parser, "--workers")
    add("--threads", type=int, default=1, help="of each job (1)")
    add("--retries", type=int, default=0, help="of a job that fails (0)")
    add("--retry-failed", action="store_true", help="run the jobs that failed before once more")
    add("--timeout", metavar="TIME", help="of a job: 90s, 30m, 2h (none)")
    add("--memory", metavar="SIZE", help="of a job's processes: 4GB (no limit)")
    add("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(func=main)


def main(arguments: argparse.Namespace) -> int:
    """Run what `add_parser` parsed; RstanError is the caller's to show."""
    from rstan_lite.lab.sweep.sweep_plan import describe, plan

    check_workers(arguments.scheduler, arguments.cluster_workers)
    check_count("--threads", arguments.threads)
    check_count("--retries", arguments.retries, 0)
    description = describe(arguments.what, arguments.grid, arguments.seeds)
    out = Path(arguments.out or f"runs/sweep-{Path(arguments.what).stem}")
    if arguments.dry_run:
        for job in plan(description, out):
            print(f"{job.name}: {job.command}")
        return 0
    from rstan_lite.lab.sweep.dask_jobs import Limits, check_libraries
    from rstan_lite.lab.sweep.sweeping import sweep

    check_libraries()
    timeout = _parsed("--timeout", arguments.timeout, "90s, 30m or 2h")
    memory = _parsed("--memory", arguments.memory, "500MB or 4GB")
    how = {"scheduler": arguments.scheduler, "workers": arguments.cluster_workers}
    how |= {"limits": Limits(arguments.threads, timeout, memory), "retries": arguments.retries}
    how |= {"retry_failed": arguments.retry_failed, "progress": not arguments.quiet}
    try:
        report = sweep(description, out, **how)
    except KeyboardInterrupt:
        print(f"\nstopped: what is done is in {out}; the same command goes on with the rest.")
        return 130
    print("\n".join(report.lines(out)))
    return 1 if report.failed else 0


def _parsed(option: str, text: str | None, example: str) -> Any:
    """Text as seconds or bytes, as Dask writes them; ConfigError unless positive."""
    from dask.utils import parse_bytes, parse_timedelta

    if text is None:
        return None
    try:
        value = parse_timedelta(text) if option == "--timeout" else parse_bytes(text)
    except (ValueError, KeyError, AttributeError) as error:
        raise ConfigError(option, repr(text), example) from error
    if value <= 0:
        raise ConfigError(option, repr(text), f"more than nothing, for example {example}")
    return value
