"""Ledgers as Markdown and CSV: one, or those of several splits or folds put together (Table V)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rstan_lite.data.splits import part_name
from rstan_lite.lab.ledger.claims import CLAIMS, NO_NUMBER, NOT_RUN, Claim, Difference, holm
from rstan_lite.lab.ledger.ledger_runs import Ledger
from rstan_lite.lab.over_splits import command, over_splits
from rstan_lite.lab.paper_rows import ROWS, Row
from rstan_lite.system import tables
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import write_atomically

Judged = Sequence[tuple[Claim, Difference]]
Record = Mapping[str, Any]  # a line of a table, its numbers not rounded yet
ROW_COLUMNS = (
    "table", "row", "model", "paper", "mean", "deviation", "lowest", "highest", "seeds",
    "test_clips", "attention_on_silhouette", "why_not", "command",
)  # fmt: skip
CLAIM_COLUMNS = (
    "claim", "place", "better", "worse", "paper", "difference", "low", "high", "by_seed", "p",
    "verdict", "verdict_holm",
)  # fmt: skip
_HOW = (
    "Difference of the test accuracies of two rows, seed by seed on the same clips. The interval "
    "is a bootstrap over seeds and over the videos that clips are cut from. A claim is shown where "
    "the interval lies above zero, contradicted where it lies below, else not shown. The last "
    "column has the verdicts that remain after Holm's correction for the number of claims."
)


@dataclass(frozen=True)
class Pool:
    """Ledgers of the same rows, profile and data set, each of another split or fold."""

    ledgers: Sequence[Ledger]

    def __post_init__(self) -> None:
        """Refuse what does not belong together (ConfigError)."""
        if len(self.ledgers) < 2:
            raise ConfigError("--pool", f"{len(self.ledgers)} ledger", "two or more")
        if len(set(self.parts)) < len(self.parts):
            found, expected = "; ".join(self.parts), "ledgers of different splits or folds"
            raise ConfigError("--pool", found, expected)
        first = self.ledgers[0]
        for other in self.ledgers:
            if _common(other) != _common(first):
                expected = f"what {first.plan.out} has: {_common(first)}"
                raise ConfigError(str(other.plan.out), f"{_common(other)}", expected)

    @property
    def parts(self) -> list[str]:
        """What each ledger tests: its split, and the fold where it tests one."""
        return [_part(ledger) for ledger in self.ledgers]

    @property
    def whole(self) -> Ledger:
        """All parts' clips as one ledger, over the seeds that a row has finished in every part.

        A clip that two splits test counts twice in the mean; the bootstrap draws its video once,
        with all that was cut from it.
        """
        entries = {}
        for name, entry in self.ledgers[0].entries.items():
            parts = [ledger.entries[name] for ledger in self.ledgers if name in ledger.entries]
            seeds = tuple(sorted(set.intersection(*(set(part.seeds) for part in parts))))
            if seeds and len(parts) == len(self.ledgers):
                right = np.hstack([part.right_of(seeds) for part in parts])
                entries[name] = replace(entry, seeds=seeds, right=right)
        sources = tuple(source for ledger in self.ledgers for source in ledger.sources)
        return replace(self.ledgers[0], entries=entries, sources=sources)

    def records(self) -> list[dict[str, Any]]:
        """Each row with a seed that is finished in every part: per cent, by part and on average."""
        found = []
        for name, entry in self.whole.entries.items():
            of_row = [ledger.entries[name].right_of(entry.seeds) for ledger in self.ledgers]
            by_part, mean, spread = over_splits([(100 * r.mean(1)).tolist() for r in of_row])
            record: dict[str, Any] = {"row": name, "model": entry.row.label}
            record |= dict(zip(self.parts, by_part, strict=True))
            found.append(record | {"mean": mean, "deviation": spread, "seeds": len(entry.seeds)})
        return found


def judged(found: Ledger | Pool) -> list[tuple[Claim, Difference]]:
    """The claims both of whose rows have runs, with the difference that was found."""
    ledger = found.whole if isinstance(found, Pool) else found
    every = ((claim, ledger.difference(claim.better, claim.worse)) for claim in CLAIMS)
    return [(claim, it) for claim, it in every if it is not None]


def write_tables(found: Ledger | Pool, out: Path) -> list[Path]:
    """Write `ledger.md` and `ledger.csv`, of a pool `pooled.*`, and `claims.csv`; their paths."""
    if isinstance(found, Pool):
        heads = {part: part.replace(", ", "_").replace(" ", "_") for part in found.parts}
        rows = [{heads.get(k, k): v for k, v in row.items()} for row in found.records()]
        columns = ("row", "model", *heads.values(), "mean", "deviation", "seeds")
        written = {"pooled.md": pool_text(found), "pooled.csv": _csv(columns, rows)}
    else:
        rows = [*_records(found), *({**row, "seeds": 0} for row in NOT_RUN)]
        written = {"ledger.md": ledger_text(found), "ledger.csv": _csv(ROW_COLUMNS, rows)}
    claims = judged(found)
    corrected = holm([it for _, it in claims])
    records = (_claim_record(*one, after) for one, after in zip(claims, corrected, strict=True))
    written["claims.csv"] = _csv(CLAIM_COLUMNS, records)
    for name, text in written.items():
        write_atomically(out / name, text.encode())
    return [out / name for name in written]


def ledger_text(ledger: Ledger) -> str:
    """Both tables, with what they were made of and the commands that repeat them."""
    records, rows = _records(ledger), []
    for row in records:
        drawn = row["paper"] is None and "Fig" in row["table"]
        paper = NO_NUMBER if drawn else _number(row["paper"])
        here = _spread(row) if row["seeds"] else row["why_not"]
        share = _number(row["attention_on_silhouette"], "{:.0%}").replace("%", " %")
        numbers = str(row["seeds"]), str(row["test_clips"] or "")
        rows.append((row["table"], row["model"], paper, here, *numbers, share))
    heads = ("table", "model", "paper", "here", "seeds", "test clips", "on the silhouette")
    lines = [f"# Ledger: {ledger.plan.options.get('dataset', 'puppets')}", "", _made_of(ledger)]
    lines += ["", *tables.markdown(heads, rows), "", *_not_run(), "", *_claims(judged(ledger))]
    lines += ["", "## Commands", "", "Each row's first seed; the others differ in `--seed`.", ""]
    return "\n".join([*lines, "```bash", *(row["command"] for row in records), "```", ""])


def pool_text(pool: Pool) -> str:
    """The rows by split or fold, the paper's rows that were not run, and the claims."""
    dataset, profile, tested = _common(pool.ledgers[0])
    clips = " + ".join(str(len(ledger.clips)) for ledger in pool.ledgers)
    rows = [
        (row["model"], *(_number(row[p]) for p in pool.parts), _spread(row), str(row["seeds"]))
        for row in pool.records()
    ]
    heads = ("model", *pool.parts, "mean of these", "seeds")
    lines = [f"# Ledger over splits or folds: {dataset}", ""]
    lines += [f"{dataset}, profile `{profile}`; tested on {tested}: {clips} clips.", ""]
    lines += [*tables.markdown(heads, rows), "", *_not_run(), "", *_claims(judged(pool)), ""]
    return "\n".join(lines)


def paper_gain(claim: Claim) -> float | None:
    """The paper's own difference for a claim in points, None where it gives no two numbers."""
    papers = {row.name: row.paper for row in ROWS}
    better, worse = papers[claim.better], papers[claim.worse]
    return None if better is None or worse is None else round(better - worse, 1)


def _not_run() -> list[str]:
    """The paper's rows that were not run, as Markdown."""
    rows = (tuple(str(value) for value in row.values()) for row in NOT_RUN)
    return tables.markdown(("table", "model", "paper", "why it was not run"), rows)


def _claims(found: Judged) -> list[str]:
    """Claims with their figures and verdicts, as Markdown."""
    heads = "claim", "in the paper", "here, points", "95 % interval", "by seed"
    rows = []
    for (claim, it), after in zip(found, holm([it for _, it in found]), strict=True):
        gains = [f"{100 * gain:+.1f}" for gain in (it.mean, it.low, it.high, *it.by_seed)]
        named, paper = f"{claim.text} ({claim.place})", _number(paper_gain(claim), "{:+.1f}")
        here = gains[0], " to ".join(gains[1:3]), ", ".join(gains[3:])
        rows.append((named, paper, *here, f"**{it.verdict}**", after))
    table = tables.markdown((*heads, "verdict", "by Holm"), rows)
    return ["## Claims", "", _HOW, "", *table]


def _claim_record(claim: Claim, it: Difference, after: str) -> Record:
    by_seed = " ".join(f"{100 * gain:.2f}" for gain in it.by_seed)
    found = (claim.text, claim.place, claim.better, claim.worse, paper_gain(claim),
             100 * it.mean, 100 * it.low, 100 * it.high, by_seed, f"{it.p:.4f}",
             it.verdict, after)  # fmt: skip
    return dict(zip(CLAIM_COLUMNS, found, strict=True))


def _made_of(ledger: Ledger) -> str:
    """Data, extractors, seeds and versions, in a line or two."""
    found, plan = ledger.metrics, ledger.plan
    if not found:
        return "No run has finished."
    missing, versions = len(found["missing_clips"]), found["versions"]
    clips = f"{found['n_train']} training, {found['n_validation']} validation and "
    clips += f"{found['n_test']} test clips"
    clips += f" ({missing} that the lists name lack)" if missing else ""
    parts = [f"{plan.options.get('dataset', 'puppets')}, {_part(ledger)}: {clips}"]
    parts += [f"profile `{plan.profile}`, seeds {', '.join(map(str, plan.seeds))}"]
    for stream, one in sorted(ledger.networks.items()):
        weights = f"{Path(one['file']).name}, {one['hash'][:12]}"
        parts.append(f"{stream} network {one['backbone']} ({weights})")
    named = (name for name in ("python", "rstan_lite", "torch", "torchvision") if name in versions)
    return "; ".join([*parts, ", ".join(f"{name} {versions[name]}" for name in named)]) + "."


def _records(ledger: Ledger) -> list[dict[str, Any]]:
    """A ledger's rows by ROW_COLUMNS: accuracies in per cent, the attention as a share of 1."""
    records = []
    for entry in ledger.entries.values():
        row, values = entry.row, 100 * entry.accuracies
        found: dict[str, Any] = dict.fromkeys(ROW_COLUMNS)
        found |= {"table": row.table, "row": row.name, "model": row.label, "paper": row.paper}
        found |= {"seeds": len(values), "why_not": entry.why_not, "command": _command(ledger, row)}
        if len(values):
            found |= {"mean": values.mean(), "lowest": values.min(), "highest": values.max()}
            found |= {"test_clips": len(ledger.clips)}
            found |= {"deviation": values.std(ddof=1) if len(values) > 1 else None}
        if known := [share for share in entry.share if share is not None]:
            found["attention_on_silhouette"] = np.mean(known)
        records.append(found)
    return records


def _common(ledger: Ledger) -> tuple[str, str, str]:
    """Data set, profile, and which clips are tested: those of folds have trained in splits."""
    options = ledger.plan.options
    tested = "folds of the training list" if options.get("fold") else "the test list"
    return str(options.get("dataset", "puppets")), ledger.plan.profile, tested


def _part(ledger: Ledger) -> str:
    """What a ledger tests, in words."""
    options = ledger.plan.options
    return part_name(options.get("split", 1), options.get("fold", 0))


def _command(ledger: Ledger, row: Row) -> str:
    """What makes a row's first seed."""
    plan, seed = ledger.plan, ledger.plan.seeds[0]
    out = plan.folder(row.name, seed)
    if row.fused:
        parts = " ".join(str(plan.folder(name, seed)) for name in row.fused)
        return f"rstan-lite fuse {parts} --weights equal --out {out}"
    return command(plan.config(row, seed), out)


def _spread(row: Record) -> str:
    """Mean and standard deviation of a record, in words."""
    return f"{row['mean']:.1f}" + ("" if row["deviation"] is None else f" ± {row['deviation']:.1f}")


def _number(value: float | None, form: str = "{:.1f}") -> str:
    """A number as text, or nothing where there is none."""
    return "" if value is None else form.format(value)


def _csv(columns: Sequence[str], rows: Iterable[Record]) -> str:
    """Rows under their columns; shares of 1 to four digits, all else to two."""
    digits, text = {"attention_on_silhouette": 4}, io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        rounded = {
            k: round(float(v), digits.get(k, 2)) for k, v in row.items() if isinstance(v, float)
        }
        writer.writerow({**row, **rounded})
    return text.getvalue()
