"""notebooks/README.md: its points are those of the assignments, its times add up."""

import re
from itertools import pairwise
from pathlib import Path

import nbformat
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
MINUTES = {"easy": 5, "medium": 10, "hard": 20}  # of an exercise, as the text says
WORDS, LINES = 150, 12  # that are read in a minute
SLACK = 5  # minutes by which a timetable may shorten or stretch a lesson


def reading_minutes(path: Path) -> float:
    """Time to read a lesson without its exercises, by the rule that the text states."""
    words = lines = figures = 0
    for cell in nbformat.read(path, as_version=4).cells:
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "markdown" and not cell.id.startswith("exercise"):
            words += len(cell.source.split())
        elif cell.cell_type == "code" and not tags & {"install", "blank", "check", "hidden"}:
            lines += len(cell.source.splitlines())
            figures += "show.keep(" in cell.source
    return words / WORDS + lines / LINES + figures


def clock(time: str) -> int:
    hours, minutes = time.split(":")
    return 60 * int(hours) + int(minutes)


def timetables() -> list[list[tuple[int, int, str]]]:
    """Each timetable's rows: start and length in minutes, and what."""
    found: list[list[tuple[int, int, str]]] = []
    for row in ROWS:
        if row[0] == "start":
            found.append([])
        elif re.fullmatch(r"\d+:\d\d", row[0]):
            found[-1].append((clock(row[0]), int(row[1]), row[2]))
    return found


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_reading_times_follow_the_rule(path: Path) -> None:
    (row,) = (row for row in ROWS if row[0] == f"`{path.stem}`")
    assert abs(int(row[1]) - reading_minutes(path)) < 2, f"{reading_minutes(path):.0f} minutes"
    assert int(row[2]) == sum(MINUTES[grade] for _, grade, _ in graded_cells(path)) / 2
    assert int(row[3]) > 0


def test_timetables_have_no_gap_and_give_each_lesson_its_time() -> None:
    tables = timetables()
    assert [sum(minutes for _, minutes, _ in table) for table in tables] == [210, 480, 480, 480]
    lessons = {path.stem: path for path in NOTEBOOKS}
    for table in tables:
        for (start, minutes, _), (next_start, _, _) in pairwise(table):
            assert start + minutes == next_start, next_start
        assert any("break" in what for _, _, what in table)
        for _, minutes, what in table:
            for lesson in re.findall(r"`(\d\d_\w+)`", what):
                grades = MINUTES if "all exercises" in what else re.findall("easy|medium", what)
                needed = reading_minutes(lessons[lesson]) + sum(MINUTES[g] for g in grades)
                assert abs(minutes - needed) < SLACK, f"{what}: {needed:.0f}"


def test_two_days_have_every_lesson() -> None:
    *_, first, second = timetables()
    named = re.findall(r"`(\d\d_\w+)`", " ".join(what for _, _, what in (*first, *second)))
    assert sorted(named) == [path.stem for path in NOTEBOOKS]
