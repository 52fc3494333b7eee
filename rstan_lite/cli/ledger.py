"""The command `ledger`. Imports torch when it runs."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.cli.training import add_options, values_of
from rstan_lite.system.errors import ConfigError

if TYPE_CHECKING:
    from rstan_lite.lab.ledger.ledger_runs import Ledger
    from rstan_lite.lab.ledger.ledger_tables import Pool

SEEDS = (0, 1, 2, 3, 4)
PUPPETS = "puppets"
# Generated clips take the networks that ship with the package, in every profile.
SMALL_NETWORKS = {"backbone": "puppetnet", "size": 112}


def add_parsers(subparsers: Any) -> None:
    """Add the command; its `func` takes the arguments and returns an exit code."""
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
    add_options(parser, leave_out=("seed",))
    parser.set_defaults(func=_ledger)


def _ledger(arguments: argparse.Namespace) -> int:
    if arguments.variant is not None:
        raise ConfigError("--variant", arguments.variant, "none: the rows are the variants")
    if len(set(arguments.seeds)) < len(arguments.seeds) or min(arguments.seeds) < 0:
        shown = " ".join(map(str, arguments.seeds))
        raise ConfigError("--seeds", shown, "whole numbers of at least 0, each once")
    if arguments.pool and arguments.out is None:
        raise ConfigError("--out", "none", "a folder for the pooled tables")
    from rstan_lite.lab.ledger.ledger_runs import make, open_plan, read
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
        total, done = len(plan.rows) * len(plan.seeds), 0

        def after(row: Any, seed: int, complaint: str) -> None:
            nonlocal failures, done
            done, failures = done + 1, failures + bool(complaint)
            said = complaint or "done"
            print(f"[{done}/{total}] {row.name}, seed {seed}: {said}", file=sys.stderr)
            if done % len(plan.rows) == 0 and done < total:  # all rows of a seed
                write_files(read(plan), out)

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
    from rstan_lite.training.parts import open_dataset

    if options.get("dataset", PUPPETS) == PUPPETS:
        options = SMALL_NETWORKS | options
    plan = Plan(out, rows_of(arguments.rows), arguments.seeds, arguments.profile, options)
    for row in plan.rows:
        if not row.fused:
            config = plan.config(row, plan.seeds[0])
    return replace(plan, sources={clip.name: clip.source for clip in open_dataset(config).test})
