"""The house's laws: how large its files are, and what is installed to read them."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "rstan_lite"
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_stay_short() -> None:
    assert [str(path) for path in FILES if lines(path) > LONGEST] == []
