"""The tables of README and docs/results.md say what the ledgers' files say."""

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NUMBER = r"[-+]?\d+(?:\.\d+)?"
# by document and heading: the folder of the ledger that the tables below it come from
SOURCES = {
    ("README.md", "Results"): "ledger-jhmdb-tuned",
    ("docs/results.md", "JHMDB, three splits, motion tuned"): "ledger-jhmdb-tuned",
    ("docs/results.md", "JHMDB, three splits, the shipped motion network"): "ledger-jhmdb-course",
    ("docs/results.md", "JHMDB, split 1, every row"): "ledger-jhmdb-split-1",
}


def tables(document: str, heading: str) -> list[dict[str, str]]:
    """All rows of the tables under a heading, each by the names of its columns."""
    text = (ROOT / document).read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"## {heading}\n", 1)[1], flags=re.MULTILINE)[0]
    rows: list[dict[str, str]] = []
    for block in re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE):
        head, _, *lines = ([c.strip() for c in x.split("|")[1:-1]] for x in block.splitlines())
        rows += [dict(zip(head, line, strict=True)) for line in lines]
    return rows


def records(folder: str, name: str) -> list[dict[str, str]]:
    with (ROOT / "docs" / folder / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def same(said: str, found: str) -> bool:
    """Whether a cell rounds what a file has to two digits, to one, with the same words around."""
    said = said.replace("%", "").strip()
    pairs = zip(re.findall(NUMBER, said), re.findall(NUMBER, found), strict=False)
    near = all(abs(float(one) - float(other)) <= 0.0551 for one, other in pairs)
    return near and re.sub(NUMBER, "#", said) == re.sub(NUMBER, "#", found)


def spread(record: dict[str, str]) -> str:
    return f"{record['mean']} ± {record['deviation']}"


def row_of_ledger(record: dict[str, str]) -> dict[str, str]:
    share = record["attention_on_silhouette"]
    found = {"paper": record["paper"], "here": spread(record)}
    return found | {"on the silhouette": f"{100 * float(share):.0f}" if share else ""}


def row_of_pool(record: dict[str, str]) -> dict[str, str]:
    splits = {f"split {k}": record[f"split_{k}"] for k in (1, 2, 3)}
    return splits | {"mean": spread(record)}


def row_of_claims(record: dict[str, str]) -> dict[str, str]:
    found = {"paper": record["paper"], "here, points": record["difference"]}
    found["95 % interval"] = f"{record['low']} to {record['high']}"
    found["verdict"] = record["verdict"]
    found["clips needed"] = record.get("clips_needed", "")
    return found | {"by Holm": record.get("verdict_holm", "")}


@pytest.mark.parametrize(("document", "heading"), SOURCES)
def test_a_table_has_its_ledgers_numbers(document, heading):
    folder = SOURCES[document, heading]
    if (ROOT / "docs" / folder / "pooled.csv").exists():
        models = {r["model"]: row_of_pool(r) for r in records(folder, "pooled.csv")}
    else:
        models = {r["model"]: row_of_ledger(r) for r in records(folder, "ledger.csv") if r["mean"]}
    claims = {
        f"{r['claim']} ({r['place']})": row_of_claims(r) for r in records(folder, "claims.csv")
    }
    compared = 0
    for row in tables(document, heading):
        name, truth = row.get("model") or row["claim"], models | claims
        assert name in truth, name
        for column, said in row.items():
            if column in truth[name]:
                assert same(said, truth[name][column]), f"{name}: {column}"
                compared += 1
    assert compared >= 4
