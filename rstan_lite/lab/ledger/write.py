"""A ledger as Markdown, CSV and figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rstan_lite.data.splits import part_name
from rstan_lite.lab.ledger.experiment import Entry, Ledger
from rstan_lite.lab.ledger.rows import CLAIMS, NO_NUMBER, NOT_RUN, Claim
from rstan_lite.lab.ledger.statistics import Difference
from rstan_lite.lab.splits import command
from rstan_lite.system import tables
from rstan_lite.system.files import write_atomically
from rstan_lite.training.paper_rows import ROWS

FILES = ("ledger.md", "ledger.csv", "claims.csv", "ledger.png", "claims.png")
ROW_COLUMNS = (
    "table", "row", "model", "paper", "mean", "deviation", "lowest", "highest", "seeds",
    "test_clips", "attention_on_silhouette", "why_not", "command",
)  # fmt: skip
CLAIM_COLUMNS = (
    "claim", "place", "better", "worse", "paper", "difference", "low", "high", "by_seed", "verdict",
)  # fmt: skip


def write(ledger: Ledger) -> list[Path]:
    """Write FILES into the plan's folder and return their paths."""
    from rstan_lite.show.comparisons import claim_figure, row_figure
    from rstan_lite.show.style import keep

    out = ledger.plan.out
    write_atomically(out / "ledger.csv", csv_bytes(ROW_COLUMNS, _row_cells(ledger)))
    write_atomically(out / "claims.csv", csv_bytes(CLAIM_COLUMNS, claim_cells(judged(ledger))))
    write_atomically(out / "ledger.md", markdown(ledger).encode())
    if any(entry.seeds for entry in ledger.entries.values()):
        keep(row_figure(ledger), out / "ledger.png")
    if judged(ledger):
        keep(claim_figure(judged(ledger)), out / "claims.png")
    return [out / name for name in FILES if (out / name).exists()]


def judged(ledger: Ledger) -> list[tuple[Claim, Difference]]:
    """The claims both of whose rows have runs, with the difference that was found."""
    found = ((claim, ledger.difference(claim.better, claim.worse)) for claim in CLAIMS)
    return [(claim, it) for claim, it in found if it is not None]


def spread(entry: Entry) -> str:
    """Mean and standard deviation over seeds in per cent, or why there is none."""
    values = 100 * entry.accuracies
    if not len(values):
        return why_not(entry)
    text = f"{values.mean():.1f}"
    if len(values) > 1:
        text += f" ± {values.std(ddof=1):.1f}"
    return text


def why_not(entry: Entry) -> str:
    """Why seeds are missing, each reason once."""
    return "; ".join(dict.fromkeys(entry.failed.values()))


def paper_gain(claim: Claim) -> float | None:
    """The paper's own difference for a claim in points, None where it gives no two numbers."""
    papers = [row.paper for name in (claim.better, claim.worse) for row in ROWS if row.name == name]
    return None if None in papers else round(papers[0] - papers[1], 1)  # type: ignore[operator]


def markdown(ledger: Ledger) -> str:
    """Both tables, with what they were made of and the commands that repeat them."""
    lines = [f"# Ledger: {ledger.plan.options.get('dataset', 'puppets')}", "", _made_of(ledger), ""]
    lines += tables.markdown(
        ("table", "model", "paper", "here", "seeds", "test clips", "on the silhouette"),
        (
            (
                e.row.table,
                e.row.label,
                NO_NUMBER if e.row.paper is None and "Fig" in e.row.table else number(e.row.paper),
                spread(e),
                str(len(e.seeds)),
                str(len(ledger.clips)) if e.seeds else "",
                _percent(_share(e)),
            )
            for e in ledger.entries.values()
        ),
    )
    lines += ["", *not_run_lines(), "", "## Claims", "", *claim_lines(judged(ledger))]
    lines += ["", "## Commands", "", "Each row's first seed; the others differ in `--seed`.", ""]
    lines += ["```bash", *(_command(ledger, e) for e in ledger.entries.values()), "```", ""]
    return "\n".join(lines)


def not_run_lines() -> list[str]:
    """The paper's rows that were not run, as Markdown."""
    return tables.markdown(
        ("table", "model", "paper", "why it was not run"),
        ((row.table, row.label, number(row.paper), row.why) for row in NOT_RUN),
    )


def claim_lines(judged: Sequence[tuple[Claim, Difference]]) -> list[str]:
    """Claims with their figures and verdicts, as Markdown."""
    heads = ("claim", "in the paper", "here, points", "95 % interval", "by seed", "verdict")
    rows = (
        (
            f"{claim.text} ({claim.place})",
            _signed(paper_gain(claim)),
            f"{100 * found.mean:+.1f}",
            f"{100 * found.low:+.1f} to {100 * found.high:+.1f}",
            ", ".join(f"{100 * gain:+.1f}" for gain in found.by_seed),
            f"**{found.verdict}**",
        )
        for claim, found in judged
    )
    return [_HOW, "", *tables.markdown(heads, rows)]


_HOW = (
    "Difference of the test accuracies of two rows, seed by seed on the same clips. The interval "
    "is a bootstrap over seeds and over the videos that clips are cut from. A claim is shown where "
    "the interval lies above zero, contradicted where it lies below, else not shown."
)


def part_of(options: Mapping[str, Any]) -> str:
    """What a ledger of these options tests, in words."""
    return part_name(options.get("split", 1), options.get("fold", 0))


def _made_of(ledger: Ledger) -> str:
    """Data, extractors, seeds and versions, in a line or two."""
    found, options = ledger.metrics, ledger.plan.options
    if not found:
        return "No run has finished."
    missing = len(found["missing_clips"])
    parts = [
        f"{options.get('dataset', 'puppets')}, {part_of(options)}: "
        f"{found['n_train']} training, {found['n_validation']} validation and "
        f"{found['n_test']} test clips"
        + (f" ({missing} that the lists name lack)" * bool(missing)),
        f"profile `{ledger.plan.profile}`, seeds {', '.join(map(str, ledger.plan.seeds))}",
        *(
            f"{stream} network {one['backbone']} ({Path(one['file']).name}, {one['hash'][:12]})"
            for stream, one in sorted(ledger.networks.items())
        ),
        ", ".join(
            f"{name} {found['versions'][name]}"
            for name in ("python", "rstan_lite", "torch", "torchvision")
            if name in found["versions"]
        ),
    ]
    return "; ".join(parts) + "."


def _row_cells(ledger: Ledger) -> Iterator[Sequence[object]]:
    for entry in ledger.entries.values():
        values = 100 * entry.accuracies
        some = len(values) > 0
        yield (
            entry.row.table, entry.row.name, entry.row.label, entry.row.paper,
            round(values.mean(), 2) if some else None,
            round(values.std(ddof=1), 2) if len(values) > 1 else None,
            round(values.min(), 2) if some else None,
            round(values.max(), 2) if some else None,
            len(values), len(ledger.clips) if some else None,
            _share(entry), why_not(entry), _command(ledger, entry),
        )  # fmt: skip
    for row in NOT_RUN:
        cells: dict[str, object] = {"table": row.table, "model": row.label, "paper": row.paper}
        cells |= {"seeds": 0, "why_not": row.why}
        yield [cells.get(name) for name in ROW_COLUMNS]


def claim_cells(judged: Sequence[tuple[Claim, Difference]]) -> Iterator[Sequence[object]]:
    """Cells of CLAIM_COLUMNS."""
    for claim, found in judged:
        ends = [round(100 * x, 2) for x in (found.mean, found.low, found.high)]
        by_seed = " ".join(f"{100 * gain:.2f}" for gain in found.by_seed)
        yield (
            claim.text, claim.place, claim.better, claim.worse, paper_gain(claim), *ends,
            by_seed, found.verdict,
        )  # fmt: skip


def _command(ledger: Ledger, entry: Entry) -> str:
    """What makes a row's first seed."""
    plan = ledger.plan
    seed = plan.seeds[0]
    out = plan.folder(entry.row.name, seed)
    if entry.row.fused:
        parts = " ".join(str(plan.folder(name, seed)) for name in entry.row.fused)
        return f"rstan-lite fuse {parts} --weights equal --out {out}"
    return command(plan.config(entry.row, seed), out)


def _share(entry: Entry) -> float | None:
    known = [value for value in entry.share if value is not None]
    return round(float(np.mean(known)), 4) if known else None


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Rows of a CSV file, with their heads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def number(value: float | None) -> str:
    """A percentage, or nothing where there is none."""
    return "" if value is None else f"{value:.1f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.1f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"
