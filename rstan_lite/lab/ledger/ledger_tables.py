"""Ledgers as Markdown and CSV: one, or those of several splits or folds put together (Table V)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rstan_lite.data.splits import part_name
from rstan_lite.lab.ledger.claims import CLAIMS, NO_NUMBER, NOT_RUN, Claim, Difference, holm
from rstan_lite.lab.ledger.ledger_runs import Ledger
from rstan_lite.lab.over_splits import command, over_splits
from rstan_lite.lab.paper_rows import ROWS, Row
from rstan_lite.system import tables
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import write_atomically

_HOW = (
    "Difference of the test accuracies of two rows, seed by seed on the same clips. The interval "
    "is a bootstrap over seeds and over the videos that clips are cut from. A claim is shown where "
    "the interval lies above zero, contradicted where it lies below, else not shown. `by Holm` has "
    "the verdicts that remain after the correction for the number of claims. `clips needed` says "
    "with how many test clips the paper's own difference is shown four times in five, at this "
    "spread."
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
    claims = _claims(found)
    if isinstance(found, Pool):
        heads = {part: part.replace(", ", "_").replace(" ", "_") for part in found.parts}
        rows = [{heads.get(k, k): v for k, v in row.items()} for row in found.records()]
        written = {"pooled.md": pool_text(found), "pooled.csv": _csv(rows)}
    else:
        rows = [*_records(found), *({**row, "seeds": 0} for row in NOT_RUN)]
        written = {"ledger.md": ledger_text(found), "ledger.csv": _csv(rows)}
    written["claims.csv"] = _csv(claims)
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
    lines += ["", *tables.markdown(heads, rows), *_below(ledger), "## Commands", ""]
    lines += ["Each row's first seed; the others differ in `--seed`.", "", "```bash"]
    return "\n".join([*lines, *(row["command"] for row in records), "```", ""])


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
    return "\n".join([*lines, *tables.markdown(heads, rows), *_below(pool)])


def paper_gain(claim: Claim) -> float | None:
    """The paper's own difference for a claim in points, None where it gives no two numbers."""
    papers = {row.name: row.paper for row in ROWS}
    better, worse = papers[claim.better], papers[claim.worse]
    return None if better is None or worse is None else round(better - worse, 1)


def _below(found: Ledger | Pool) -> list[str]:
    """The paper's rows that were not run, and the claims with their verdicts, as Markdown."""
    not_run = [tuple(map(str, row.values())) for row in NOT_RUN]
    rows = []
    for row in _claims(found):
        gains = [f"{float(gain):+.1f}" for gain in row["by_seed"].split()]
        rows.append((
            f"{row['claim']} ({row['place']})", _number(row["paper"], "{:+.1f}"),
            f"{row['difference']:+.1f}", f"{row['low']:+.1f} to {row['high']:+.1f}",
            ", ".join(gains), f"**{row['verdict']}**", row["verdict_holm"],
            _number(row["clips_needed"], "{}"),
        ))  # fmt: skip
    heads = (
        "claim",
        "in the paper",
        "here, points",
        "95 % interval",
        "by seed",
        "verdict",
        "by Holm",
        "clips needed",
    )
    lines = ["", *tables.markdown(("table", "model", "paper", "why it was not run"), not_run)]
    return [*lines, "", "## Claims", "", _HOW, "", *tables.markdown(heads, rows), ""]


def _claims(found: Ledger | Pool) -> list[dict[str, Any]]:
    """The columns of `claims.csv`: differences in points, verdicts without and with Holm's."""
    claims, rows = judged(found), []
    clips = sum(len(ledger.clips) for ledger in getattr(found, "ledgers", [found]))
    for (claim, it), after in zip(claims, holm([it for _, it in claims]), strict=True):
        gain = paper_gain(claim)
        rows.append({
            "claim": claim.text, "place": claim.place, "better": claim.better,
            "worse": claim.worse, "paper": gain, "difference": 100 * it.mean,
            "low": 100 * it.low, "high": 100 * it.high,
            "by_seed": " ".join(f"{100 * one:.2f}" for one in it.by_seed),
            "p": f"{it.p:.4f}", "verdict": it.verdict, "verdict_holm": after,
            "clips_needed": it.clips_needed(gain / 100, clips) if gain else None,
        })  # fmt: skip
    return rows


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
    """The columns of `ledger.csv`: accuracies in per cent, the attention as a share of 1."""
    records = []
    for entry in ledger.entries.values():
        row, values = entry.row, 100 * entry.accuracies
        known, some = [share for share in entry.share if share is not None], len(values) > 0
        records.append({
            "table": row.table, "row": row.name, "model": row.label, "paper": row.paper,
            "mean": values.mean() if some else None,
            "deviation": values.std(ddof=1) if len(values) > 1 else None,
            "lowest": values.min() if some else None, "highest": values.max() if some else None,
            "seeds": len(values), "test_clips": len(ledger.clips) if some else None,
            "attention_on_silhouette": np.mean(known) if known else None,
            "why_not": entry.why_not, "command": _command(ledger, row),
        })  # fmt: skip
    return records


def _common(ledger: Ledger) -> tuple[str, str, str]:
    """Data set, profile, and which clips are tested: those of folds have trained in splits."""
    options = ledger.plan.options
    tested = "folds of the training list" if options.get("fold") else "the test list"
    return str(options.get("dataset", "puppets")), ledger.plan.profile, tested


def _part(ledger: Ledger) -> str:
    return part_name(ledger.plan.options.get("split", 1), ledger.plan.options.get("fold", 0))


def _command(ledger: Ledger, row: Row) -> str:
    """What makes a row's first seed."""
    plan, seed = ledger.plan, ledger.plan.seeds[0]
    out = plan.folder(row.name, seed)
    if row.fused:
        parts = " ".join(str(plan.folder(name, seed)) for name in row.fused)
        return f"rstan-lite fuse {parts} --weights equal --out {out}"
    return command(plan.config(row, seed), out)


def _spread(row: Mapping[str, Any]) -> str:
    return f"{row['mean']:.1f}" + ("" if row["deviation"] is None else f" ± {row['deviation']:.1f}")


def _number(value: float | None, form: str = "{:.1f}") -> str:
    return "" if value is None else form.format(value)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows under the columns of the first; shares of 1 to four digits, all else to two."""
    rounded = [
        {k: round(float(v), 4 if "attention" in k else 2)
         if isinstance(v, float) else v for k, v in row.items()}
        for row in rows
    ]  # fmt: skip
    return str(pd.DataFrame(rounded, dtype=object).to_csv(index=False, lineterminator="\n"))
