"""Prose by the house's rules: short sentences, and no turn of phrase that a reader stumbles over.

Checked are the words of notebooks, README and docs: not code, tables, formulas or exercises' code.
What was long before this test stands in `long_sentences.csv`, which may shrink and must not grow.
"""

import csv
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
MOST_WORDS = 20
BANNED = (
    r"\bwhat (?:it|they)\b", r"\bthe ones?\b(?! hand)", r"\bsuch\b(?! as)", r"\bgo(?:es)? on\b",
    r"\bwhoever\b", r"\bcomes? upon\b", r"\bso as to\b", r"\bhears? little\b",
)  # fmt: skip
FORMERLY = Path(__file__).with_name("long_sentences.csv")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "notebooks/*.ipynb", "notebooks/README.md", "docs/*.md")
    for path in ROOT.glob(pattern)
)
NOT_PROSE = re.compile(
    r"^```.*?^```|\$\$.*?\$\$|<!--.*?-->|^\s*\|.*?$|^#.*?$|^!\[.*?$", re.MULTILINE | re.DOTALL
)
ONE_WORD = re.compile(r"`[^`]*`|\$[^$]*\$")
ENDS = re.compile(r"(?<=[.!?:;])[)*_\"]*\s+(?=\S)|\n\s*\n|\n(?=\s*(?:[-*>]|\d+\.)\s)")


def text_of(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def sentences(text: str) -> list[str]:
    """The sentences of Markdown; a formula, a piece of code and a link's target are no words."""
    text = NOT_PROSE.sub("\n\n", text)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", ONE_WORD.sub("X", text))
    text = re.sub(r"(?m)^\s*>\s?", "", re.sub(r"\b(Eq|Fig)\.\s", r"\1 ", text))
    found = (" ".join(part.split()) for part in ENDS.split(text))
    return [part for part in found if part]


def stumbles(page: str) -> list[str]:
    """Sentences that are too long, and those with a banned turn of phrase."""
    found = sentences(text_of(ROOT / page))
    long = [s for s in found if len(re.findall(r"\w[\w'.-]*", s)) > MOST_WORDS]
    return long + [s for s in found if any(re.search(turn, s) for turn in BANNED)]


def allowed() -> dict[str, int]:
    with FORMERLY.open(encoding="utf-8", newline="") as file:
        return {page: int(number) for page, number in csv.reader(file)}


@pytest.mark.parametrize("page", PAGES)
def test_sentences_are_short_and_plain(page: str) -> None:
    found = stumbles(page)
    assert len(found) <= allowed().get(page, 0), "\n".join(found)
