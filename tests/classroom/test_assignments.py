"""nbgrader assignments: what sources hold, what students get, and how submissions are graded."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from rstan_lite.classroom import assignments
from rstan_lite.classroom.assignments import CONFIG, EMPTY, FULL, POINTS
from rstan_lite.classroom.notebook_parameters import load_notebook
from rstan_lite.cli import main
from rstan_lite.system.errors import NotebookError
from tests.classroom.made import BLANK, code, words, write

LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))
CHECK = 'assert twice(2) == 4\nassert twice(0) == 0, """nothing\n of it"""'
HIDDEN = "for x in (-1, 7):\n    assert twice(x) == x + x"
TEXT = "**Exercise 1 (medium).** Write `twice`; see [the next](other.ipynb)."
NAMES = ("twice", "again", "once_more")
NOISY = """    import sys, warnings, logging
    from tqdm import tqdm
    warnings.warn("a warning")
    logging.getLogger("noise").warning("a line of a log")
    print("a print", file=sys.stderr)
    return sum(tqdm([x, x]))"""


def cells(text: str = TEXT, check: str = CHECK, **grading: Any) -> list[dict[str, Any]]:
    made = [
        code("size: int = 9  # of something", "parameters", "parameters"),
        words(text, "exercise-1"),
        code("factor = size", "lesson"),
        code(BLANK, "blank-1", "blank", hidden=True),
        code(check, "check-1", "check"),
        code(HIDDEN, "hidden-1", "hidden", hidden=True),
    ]
    if grading:
        made[0]["metadata"]["grading"] = grading
    return made


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    return write(tmp_path / "lesson.ipynb", *cells())


def by_id(content: dict) -> dict[str, dict]:
    return {cell["id"]: cell for cell in content["cells"]}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_is_an_assignment_that_nbgrader_accepts(path: Path) -> None:
    from nbgrader.nbgraderformat import MetadataValidator

    made = assignments.make_source(path)
    MetadataValidator().validate_nb(nbformat.from_dict(made))
    points = {one.cell: one.points for one in assignments.graded_cells(path)}
    assert sum(points.values()) == sum(POINTS.values())
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            found = cell["metadata"]["nbgrader"]
            assert found["schema_version"] == 3
            assert found["grade_id"] == cell["id"]
            assert found["solution"] == cell["id"].startswith("blank-") != found["locked"]
            assert found["grade"] == (cell["id"] in points)
            assert found.get("points") == points.get(cell["id"])


def test_a_source(lesson: Path) -> None:
    """Points are halved between check and hidden tests, and links lead to folders."""
    assert assignments.graded_cells(lesson) == [("check-1", "medium", 2), ("hidden-1", "medium", 2)]
    made = by_id(assignments.make_source(lesson))
    lines = made["hidden-1"]["source"].splitlines()
    assert lines[0].startswith("# More inputs")
    assert (lines[1], lines[-1]) == ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")
    assert "](../other/other.ipynb)" in made["exercise-1"]["source"]
    assert made["blank-1"]["source"] == BLANK
    for cell in ("blank-1", "hidden-1"):
        assert not made[cell]["metadata"].get("jupyter", {}).get("source_hidden")


def test_parameters_of_grading_hold_while_nbgrader_grades_alone(tmp_path, monkeypatch):
    made = assignments.make_source(write(tmp_path / "lesson.ipynb", *cells(size=2)))["cells"]
    assert [cell["id"] for cell in made[:2]] == ["parameters", "parameters-of-grading"]
    for execution, size in (("autograde", 2), ("validate", 9)):
        monkeypatch.setenv("NBGRADER_EXECUTION", execution)
        names: dict = {}
        for cell in made[:2]:
            exec(cell["source"], names)
        assert names["size"] == size


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (cells("**Exercise 1 (fair).** Write it."), "grade fair"),
        (cells("Write it."), "grade None"),
        (cells(sise=2), "unknown parameter sise"),
        (cells()[:-1], "one cell of hidden tests"),
    ],
)
def test_what_can_t_be_graded_is_refused(made: list, said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "lesson.ipynb", *made)
    with pytest.raises(NotebookError, match=said) as caught:
        assignments.write_course([path], tmp_path / "course")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "course").exists()


def test_nothing_that_somebody_worked_on_is_lost(lesson: Path, tmp_path: Path) -> None:
    course = tmp_path / "course"
    made = course / "source" / "lesson" / "lesson.ipynb"
    for _ in range(2):
        assert assignments.write_course([lesson], course) == ["lesson"]
    for path in (course / CONFIG, made):
        before = path.read_text(encoding="utf-8")
        path.write_text(before + " ", encoding="utf-8")
        with pytest.raises(NotebookError, match="--overwrite"):
            assignments.write_course([lesson], course)
        assert path.read_text(encoding="utf-8") == before + " "
        assignments.write_course([lesson], course, overwrite=True)
        assert path.read_text(encoding="utf-8") == before
    (course / "submitted" / "ada" / "lesson").mkdir(parents=True)
    before = made.read_text(encoding="utf-8")
    write(lesson, *cells(check=CHECK + "\nassert twice(3) == 6"))
    with pytest.raises(NotebookError, match="1 submissions"):
        assignments.write_course([lesson], course, overwrite=True)
    assert made.read_text(encoding="utf-8") == before


def three_exercises() -> list[dict]:
    """The exercise above three times, with a function and a grade of its own each time."""
    made = []
    for number, (name, grade_) in enumerate(zip(NAMES, POINTS, strict=True), start=1):
        for cell in cells()[1:]:
            if cell["id"] != "lesson":
                text = cell["source"].replace("twice", name).replace("medium", grade_)
                text = text.replace("Exercise 1", f"Exercise {number}")
                made.append(cell | {"source": text, "id": cell["id"].replace("1", str(number))})
    return made


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of the small lesson, released by the command."""
    folder = tmp_path_factory.mktemp("some where")  # a path with a space
    lesson = write(folder / "lesson.ipynb", code("factor = 9", "lesson"), *three_exercises())
    assert main(["assignments", str(folder / "course"), str(lesson)]) == 0
    return folder / "course"


def released(course: Path) -> dict:
    return load_notebook(course / "release" / "lesson" / "lesson.ipynb")


def test_students_get_no_solution_and_no_hidden_test(course: Path) -> None:
    given = by_id(released(course))
    assert "NotImplementedError" in given["blank-1"]["source"]
    assert "y = x + x" not in given["blank-1"]["source"]
    assert "nothing" in given["check-1"]["source"]
    assert given["hidden-1"]["source"].strip().startswith("# More inputs")
    assert "(-1, 7)" not in json.dumps(given)
    assert given["check-1"]["metadata"]["editable"] is False
    assert given["lesson"]["metadata"].get("editable", True)  # to be played with
    assert "SOLUTION" not in json.dumps(released(course))


def test_a_student_version_is_made_again_if_its_source_changed(course, monkeypatch):
    ran: list[tuple] = []
    monkeypatch.setattr(assignments, "run_nbgrader", lambda *arguments: ran.append(arguments))
    path = course / "release" / "lesson" / "lesson.ipynb"
    assert assignments.release(course, ["lesson"]) == [path]
    assert ran == []
    (course / "source" / "lesson" / "lesson.ipynb").touch()
    assert assignments.release(course, ["lesson"]) == [path]
    assert ran == [(course, "generate_assignment", "lesson", "--force")]


def test_points_of_a_submission(course: Path, tmp_path: Path) -> None:
    """Noise on stderr costs nothing; what is right as far as was shown has half; wrong, nothing."""
    given = released(course)
    cells_of = by_id(given)
    bodies = (NOISY, "    return {2: 4, 0: 0}[x]", "    return 2")
    for number, (name, body) in enumerate(zip(NAMES, bodies, strict=True), start=1):
        cells_of[f"blank-{number}"]["source"] = f"def {name}(x):\n{body}"
    cells_of["lesson"]["source"] = "raise ValueError('played with')"  # locked: put back
    cells_of["check-3"]["source"] = "pass"
    work = write(tmp_path / "work.ipynb", *given["cells"])
    found = assignments.grade(course, "lesson", "ada", work)
    assert {cell: got for cell, (got, _) in found.points.items()} == {
        "check-1": 1, "hidden-1": 1, "check-2": 2, "hidden-2": 0, "check-3": 0, "hidden-3": 0,
    }  # fmt: skip
    assert found.total == (4, sum(POINTS.values()))
    graded = load_notebook(course / "autograded/ada/lesson/lesson.ipynb")
    outputs = by_id(graded)["check-1"]["outputs"]
    assert {one["name"] for one in outputs} == {"stdout"}
    said = "".join("".join(one["text"]) for one in outputs)
    for noise in ("a warning", "a line of a log", "a print", "2/2"):
        assert noise in said


def test_full_and_empty_submissions_of_a_lesson(course: Path) -> None:
    full, empty = assignments.trial(course, ["lesson"])
    most = sum(POINTS.values())
    assert (full.student, *full.total) == (FULL, most, most)
    assert (empty.student, *empty.total) == (EMPTY, 0, most)
    assert full.wrong == empty.wrong == []
    assert full._replace(student=EMPTY).wrong == list(full.points)
    assert not (course / "submitted" / FULL).exists()  # the trial leaves the course as it was
