"""Ledgers of several splits or folds put together: their mean, as in Table V, and the claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rstan_lite.lab.ledger.experiment import Ledger
from rstan_lite.lab.ledger.rows import CLAIMS, Claim
from rstan_lite.lab.ledger.statistics import Difference, difference
from rstan_lite.lab.ledger.write import (
    CLAIM_COLUMNS,
    claim_cells,
    claim_lines,
    csv_bytes,
    not_run_lines,
    number,
    part_of,
)
from rstan_lite.system import tables
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import write_atomically
from rstan_lite.training.paper_rows import Row

FILES = ("pooled.md", "pooled.csv", "claims.csv", "claims.png")


@dataclass(frozen=True)
class Pool:
    """Ledgers of the same rows, profile and data set, each of another split or fold."""

    ledgers: Sequence[Ledger]

    def __post_init__(self) -> None:
        """Refuse what does not belong together (ConfigError)."""
        if len(self.ledgers) < 2:
            raise ConfigError("--pool", f"{len(self.ledgers)} ledger", "two or more")
        first, *others = self.ledgers
        if len(set(self.parts)) < len(self.parts):
            found = "; ".join(self.parts)
            raise ConfigError("--pool", found, "ledgers of different splits or folds")
        for other in others:
            if _common(other) != _common(first):
                raise ConfigError(
                    str(other.plan.out),
                    f"{_common(other)}",
                    f"what {first.plan.out} has: {_common(first)}",
                )

    @property
    def parts(self) -> list[str]:
        """What each ledger tests: its split, and the fold where it tests one."""
        return [part_of(ledger.plan.options) for ledger in self.ledgers]

    @property
    def rows(self) -> list[Row]:
        """The rows that have a seed which is finished in every part."""
        return [e.row for e in self.ledgers[0].entries.values() if self.seeds(e.row.name)]

    def seeds(self, *names: str) -> list[int]:
        """The seeds that rows share in all parts."""
        entries = [ledger.entries.get(name) for ledger in self.ledgers for name in names]
        common = [set(entry.seeds) if entry is not None else set() for entry in entries]
        return sorted(set.intersection(*common))

    def right(self, name: str, seeds: Sequence[int]) -> list[np.ndarray]:
        """Of each part, which clips a row's runs name rightly: bool (seeds, clips)."""
        entries = [ledger.entries[name] for ledger in self.ledgers]
        return [e.right[[e.seeds.index(seed) for seed in seeds]] for e in entries]

    def accuracies(self, name: str) -> np.ndarray:
        """Test accuracies of a row, (parts, seeds)."""
        return np.stack([right.mean(1) for right in self.right(name, self.seeds(name))])

    def difference(self, better: str, worse: str) -> Difference | None:
        """Of two rows over all parts' clips; None where no seed has both in every part.

        A clip that two splits test counts twice in the mean; the bootstrap draws its video once,
        with all that was cut from it.
        """
        seeds = self.seeds(better, worse)
        if not seeds:
            return None
        first, second = (np.hstack(self.right(name, seeds)) for name in (better, worse))
        return difference(first, second, [s for ledger in self.ledgers for s in ledger.sources])

    def judged(self) -> list[tuple[Claim, Difference]]:
        """The claims both of whose rows have runs, with the difference that was found."""
        found = ((claim, self.difference(claim.better, claim.worse)) for claim in CLAIMS)
        return [(claim, it) for claim, it in found if it is not None]


def _common(ledger: Ledger) -> tuple[str, str, str]:
    """Data set, profile, and which clips are tested: those of folds have trained in splits."""
    options = ledger.plan.options
    tested = "folds of the training list" if options.get("fold") else "the test list"
    return str(options.get("dataset", "puppets")), ledger.plan.profile, tested


def write_pool(pool: Pool, out: Path) -> list[Path]:
    """Write FILES into a folder and return their paths."""
    from rstan_lite.show.comparisons import claim_figure
    from rstan_lite.show.style import keep

    judged = pool.judged()
    write_atomically(out / "pooled.md", markdown(pool).encode())
    write_atomically(out / "pooled.csv", csv_bytes(_columns(pool), _cells(pool)))
    write_atomically(out / "claims.csv", csv_bytes(CLAIM_COLUMNS, claim_cells(judged)))
    if judged:
        keep(claim_figure(judged), out / "claims.png")
    return [out / name for name in FILES if (out / name).exists()]


def markdown(pool: Pool) -> str:
    """The rows by split or fold, the paper's rows that were not run, and the claims."""
    dataset, profile, tested = _common(pool.ledgers[0])
    clips = " + ".join(str(len(ledger.clips)) for ledger in pool.ledgers)
    made_of = f"{dataset}, profile `{profile}`; tested on {tested}: {clips} clips."
    heads = ("model", *pool.parts, "mean of these", "seeds")
    lines = [f"# Ledger over splits or folds: {dataset}", "", made_of, ""]
    lines += tables.markdown(heads, (_shown(pool, row) for row in pool.rows))
    lines += ["", *not_run_lines(), "", "## Claims", "", *claim_lines(pool.judged()), ""]
    return "\n".join(lines)


def _shown(pool: Pool, row: Row) -> list[str]:
    values = 100 * pool.accuracies(row.name)  # (parts, seeds)
    means = values.mean(0)  # of the parts, by seed
    spread = f" ± {means.std(ddof=1):.1f}" if len(means) > 1 else ""
    by_split = [number(float(value)) for value in values.mean(1)]
    return [row.label, *by_split, f"{means.mean():.1f}{spread}", str(len(means))]


def _columns(pool: Pool) -> list[str]:
    return ["row", "model", *(_snake(part) for part in pool.parts), "mean", "seeds"]


def _snake(part: str) -> str:
    return part.replace(", ", "_").replace(" ", "_")


def _cells(pool: Pool) -> list[list[object]]:
    found = []
    for row in pool.rows:
        values = 100 * pool.accuracies(row.name)
        by_split = [round(float(value), 2) for value in values.mean(1)]
        mean = round(float(values.mean()), 2)
        found.append([row.name, row.label, *by_split, mean, values.shape[1]])
    return found
