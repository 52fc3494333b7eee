"""The commands `ledger`, `sweep` and `bench`. The first two import torch and Dask."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.cli.training import add_cluster_options, add_options, check_workers, values_of
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import check_count, whole_paths

if TYPE_CHECKING:
    from rstan_lite.lab.ledger.ledger_runs import Ledger
    from rstan_lite.lab.ledger.ledger_tables import Pool
    from rstan_lite.lab.paper_rows import Row

SEEDS = (0, 1, 2, 3, 4)
PUPPETS = "puppets"
# Generated clips take the networks that ship with the package, in every profile.
SMALL_NETWORKS = {"backbone": "puppetnet", "size": 112}


def add_parsers(subparsers: Any) -> None:
    """Add the commands; each one's `func` takes the arguments and returns an exit code."""
    parser = subparsers.add_parser(
        "ledger",
        help="the paper's tables beside runs of your own, and a verdict on each claim",
        description="Train what is missing of the rows of Tables I to III and Fig. 6, five seeds "
        "each, and write tables and figures. The same command goes on where it was interrupted. "
        "Takes train's options, which hold for all rows.",
    )
    add = parser.add_argument
    add("--out", metavar="LEDGER", help="its folder (runs/ledger-<data set>-...)")
    add("--rows", nargs="+", metavar="ROW", help="some rows only (all)")
    add("--seeds", nargs="+", type=int, default=SEEDS, metavar="N", help="seeds (0 1 2 3 4)")
    add("--report", action="store_true", help="run nothing, write anew what LEDGER holds")
    add("--pool", nargs="+", metavar="LEDGER", help="put ledgers of splits or folds together")
    add_cluster_options(parser, "--workers")
    add_options(parser, leave_out=("seed",))
    parser.set_defaults(func=_ledger)

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
        help="a notebook (.ipynb), train, or ablations (the paper's Tables I to III and Fig. 6)",
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
    parser.set_defaults(func=_sweep)

    parser = subparsers.add_parser(
        "bench",
        help="speed, memory and growth beside a plain reference, in a checkout",
        add_help=False,  # the benchmarks' own options are asked for
    )
    parser.set_defaults(func=_bench, others=[])


def _ledger(arguments: argparse.Namespace) -> int:
    if arguments.variant is not None:
        raise ConfigError("--variant", arguments.variant, "none: the rows are the variants")
    if len(set(arguments.seeds)) < len(arguments.seeds) or min(arguments.seeds) < 0:
        shown = " ".join(map(str, arguments.seeds))
        raise ConfigError("--seeds", shown, "whole numbers of at least 0, each once")
    if arguments.pool and arguments.out is None:
        raise ConfigError("--out", "none", "a folder for the pooled tables")
    scheduler, workers = arguments.scheduler, arguments.cluster_workers
    check_workers(scheduler, workers)
    from rstan_lite.lab.ledger.ledger_runs import make, open_plan, read, train_on
    from rstan_lite.lab.ledger.ledger_tables import Pool

    options = values_of(arguments)
    dataset, split = options.get("dataset", PUPPETS), options.get("split", 1)
    fold = f"-fold{options['fold']}" if options.get("fold") else ""
    out = Path(arguments.out or f"runs/ledger-{dataset}-{split}{fold}-{arguments.profile}")
    failures = 0
    if arguments.pool:
        found: Ledger | Pool = Pool([read(open_plan(Path(name))) for name in arguments.pool])
    elif arguments.report:
        found = read(open_plan(out))
    else:
        plan = _plan(arguments, out, options)

        def after(row: Row, seed: int, complaint: str) -> None:
            nonlocal failures
            failures += bool(complaint)
            print(f"{row.name}, seed {seed}: {complaint or 'done'}", file=sys.stderr)

        if scheduler is not None or workers is not None:
            from rstan_lite.lab.sweep.sweeping import connect

            with connect(scheduler, workers) as client:
                train_on(client, plan)
        make(plan, after)
        found = read(plan)
    for path in write_files(found, out):
        print(f"written: {path}")
    return 1 if failures else 0


def write_files(found: Ledger | Pool, out: Path) -> list[Path]:
    """Write the tables and figures of a ledger, or of pooled ones, into a folder; their paths."""
    from rstan_lite.lab.ledger import ledger_tables
    from rstan_lite.lab.ledger.ledger_runs import Ledger
    from rstan_lite.show.comparisons import claim_figure, row_figure
    from rstan_lite.show.style import keep

    written = ledger_tables.write_tables(found, out)
    if isinstance(found, Ledger) and any(entry.seeds for entry in found.entries.values()):
        written.append(out / "ledger.png")
        keep(row_figure(found), written[-1])
    if claims := ledger_tables.judged(found):
        written.append(out / "claims.png")
        keep(claim_figure(claims), written[-1])
    return written


def _plan(arguments: argparse.Namespace, out: Path, options: dict[str, Any]) -> Any:
    """What is to be run; complains before the first run."""
    from rstan_lite.lab.ledger.ledger_runs import Plan
    from rstan_lite.lab.paper_rows import rows_of
    from rstan_lite.training.config import FOLDERS
    from rstan_lite.training.parts import open_dataset
    from rstan_lite.training.profiles import resolve

    if options.get("dataset", PUPPETS) == PUPPETS:
        options = SMALL_NETWORKS | options
    whole = whole_paths(resolve(arguments.profile, options), FOLDERS, "input_weights")
    options |= {k: getattr(whole, k) for k in (*FOLDERS, "input_weights") if k in options}
    plan = Plan(out, rows_of(arguments.rows), arguments.seeds, arguments.profile, options)
    for row in plan.rows:
        if not row.fused:
            config = plan.config(row, plan.seeds[0])
    return replace(plan, sources={clip.name: clip.source for clip in open_dataset(config).test})


def _sweep(arguments: argparse.Namespace) -> int:
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
    from rstan_lite.lab.sweep.sweeping import Limits, check_libraries, sweep

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
    except (ValueError, KeyError, AttributeError):
        value = 0
    if value <= 0:
        raise ConfigError(option, repr(text), f"more than nothing, for example {example}")
    return value


def _bench(arguments: argparse.Namespace) -> int:
    if not Path("benchmarks/__main__.py").is_file():
        expected = "a checkout of the project: benchmarks are not installed"
        raise ConfigError("rstan-lite bench", f"no benchmarks in {Path.cwd()}", expected)
    return subprocess.call([sys.executable, "-m", "benchmarks", *arguments.others])
