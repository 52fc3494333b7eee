"""notebooks/README.md: its points are those of the assignments, its timetables add up."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from rstan_lite.classroom.assignments import POINTS, graded_cells

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9]*.ipynb"))
TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")
ROWS = [
    tuple(part.strip() for part in line.strip("|").split("|"))
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith("| ---")
]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_rubric_s_points_are_those_of_the_assignment(path: Path) -> None:
    points: dict[str, int] = {}
    for cell, _, number in graded_cells(path):
        exercise = f"{path.stem[:2]}.{cell.partition('-')[2]}"
        points[exercise] = points.get(exercise, 0) + number
    rows = {row[0]: row for row in ROWS if row[0].startswith(f"{path.stem[:2]}.")}
    assert {exercise: int(row[1]) for exercise, row in rows.items()} == points
    assert all(len(row) == 5 and all(row) for row in rows.values())


def test_points_by_grade_are_those_of_the_assignments() -> None:
    rows = {row[0]: row[1:] for row in ROWS if row[0] in POINTS}
    assert rows == {grade: (f"{n // 2}", f"{n // 2}", f"{n}") for grade, n in POINTS.items()}
    assert f"each lesson has {sum(POINTS.values())} points" in TEXT


def test_two_days_have_every_lesson_and_no_gap() -> None:
    """Rows of a timetable: start, minutes, what."""
    tables: list[list[tuple[int, int, str]]] = []
    for row in ROWS:
        if row[0] == "start":
            tables.append([])
        elif found := re.fullmatch(r"(\d+):(\d\d)", row[0]):
            tables[-1].append((60 * int(found[1]) + int(found[2]), int(row[1]), row[2]))
    for table in tables:
        for (start, minutes, _), (next_start, _, _) in pairwise(table):
            assert start + minutes == next_start, next_start
    *_, first, second = tables
    named = re.findall(r"`(\d\d_\w+)`", " ".join(what for _, _, what in (*first, *second)))
    assert sorted(named) == [path.stem for path in NOTEBOOKS]
