"""The README: short enough for one sitting, and true of the house that it draws."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "rstan_lite"
ROOMS = re.findall(r"^ {2,}(\w[\w/]*?)(?:/|\.py) +.* (\d[\d,]*) lines$", README, flags=re.MULTILINE)


def lines_of(place: Path) -> int:
    files = [place.with_suffix(".py")] if place.with_suffix(".py").is_file() else []
    files += sorted(place.rglob("*.py"))
    assert files, f"the README draws {place.relative_to(ROOT)}, which is not there"
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def test_it_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) <= 200


def test_it_draws_every_room() -> None:
    drawn = {name.partition("/")[0] for name, _ in ROOMS}
    there = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert drawn == there


@pytest.mark.parametrize(("name", "said"), ROOMS)
def test_line_counts_are_right_to_the_hundred(name: str, said: str) -> None:
    assert abs(lines_of(PACKAGE / name) - int(said.replace(",", ""))) <= 100


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
