"""Student and teacher copies: what is replaced, what stays, and which mistakes are refused."""

import json
from pathlib import Path

import pytest

from rstan_lite.classroom.copies import make_copy, write_copies
from rstan_lite.cli import main
from rstan_lite.system.errors import ConfigError, NotebookError
from tests.run.exercises import BLANK, code, source, write

STUDENT = """def twice(x):
    # x: a number
    raise NotImplementedError("Exercise 1: your code here")"""
TEACHER = """def twice(x):
    # x: a number
    y = x + x
    return y"""


OUTPUT = {"output_type": "stream", "name": "stdout", "text": "4\n"}


def cells(blank: str = BLANK) -> list[dict]:
    return [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A title"},
        code("print(4)", "table", "nbval-check-output", outputs=[OUTPUT], execution_count=1),
        code(blank, "blank-1", "blank", hidden=True),
        code("assert twice(2) == 4", "check-1", "check"),
    ]


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write(tmp_path / "lesson.ipynb", cells())


@pytest.mark.parametrize(("kind", "expected"), [("student", STUDENT), ("teacher", TEACHER)])
def test_only_the_blank_differs_and_nothing_is_hidden(
    kind: str, expected: str, notebook: Path
) -> None:
    found = make_copy(notebook, kind)["cells"]
    assert source(found[2]) == expected
    assert not found[2]["metadata"].get("jupyter", {}).get("source_hidden")
    for i in (0, 1, 3):
        assert found[i]["source"] == cells()[i]["source"]
        assert found[i]["id"] == cells()[i]["id"]
        assert found[i]["metadata"] == cells()[i]["metadata"]


def test_outputs_are_stripped_for_students_alone(notebook: Path) -> None:
    student, teacher = (make_copy(notebook, kind)["cells"][1] for kind in ("student", "teacher"))
    assert (student["outputs"], student["execution_count"]) == ([], None)
    assert (teacher["outputs"], teacher["execution_count"]) == ([OUTPUT], 1)


def test_a_student_meets_the_exercise_s_number_where_the_function_is_called(notebook: Path) -> None:
    names: dict = {}
    exec(source(make_copy(notebook, "student")["cells"][2]), names)
    with pytest.raises(NotImplementedError, match="Exercise 1"):
        names["twice"](2)


def test_links_to_folders_above_become_words(tmp_path: Path) -> None:
    text = "[here](03_lstm.ipynb), [there](https://example.org/../a), the [README](../README.md)"
    path = write(tmp_path / "lesson.ipynb", [cells()[0] | {"source": text}, *cells()[1:]])
    for kind in ("student", "teacher"):
        words = source(make_copy(path, kind)["cells"][0])
        assert words == text.replace("[README](../README.md)", "README")


def test_several_regions_in_a_cell(tmp_path: Path) -> None:
    both = BLANK + "\n\n" + BLANK.replace("twice", "again")
    path = write(tmp_path / "lesson.ipynb", cells(both))
    text = source(make_copy(path, "student")["cells"][2])
    assert text == STUDENT + "\n\n" + STUDENT.replace("twice", "again")


@pytest.mark.parametrize(
    ("blank", "words"),
    [
        ("def twice(x):\n    return x + x", "no solution markers"),
        (BLANK.replace("    ### END SOLUTION", ""), "without an end"),
        (BLANK.replace("    ### BEGIN SOLUTION\n", ""), "out of turn"),
        (BLANK.replace("    return y", "    ### BEGIN SOLUTION"), "out of turn"),
        (BLANK.replace("    y = x + x\n    return y\n", "\n"), "an empty solution"),
        ("### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "at the margin"),
        (BLANK + "\n  return 3", "line"),
    ],
)
def test_markers_out_of_order_are_refused_with_the_cell(
    blank: str, words: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "lesson.ipynb", cells(blank))
    with pytest.raises(NotebookError, match=words) as caught:
        make_copy(path, "student")
    assert f"{path}, cell blank-1" in str(caught.value)


def test_a_marker_in_an_untagged_cell_is_refused(tmp_path: Path) -> None:
    content = cells()
    content[2]["metadata"]["tags"] = []
    with pytest.raises(NotebookError, match="the tag 'blank'"):
        make_copy(write(tmp_path / "lesson.ipynb", content), "teacher")


def test_hidden_tests_are_the_teacher_s_alone(tmp_path: Path) -> None:
    hidden = code("assert twice(5) == 10", "hidden-1", "hidden", hidden=True)
    path = write(tmp_path / "lesson.ipynb", [*cells(), hidden])
    assert "hidden-1" not in [cell["id"] for cell in make_copy(path, "student")["cells"]]
    shown = make_copy(path, "teacher")["cells"][-1]
    assert (shown["id"], source(shown)) == ("hidden-1", hidden["source"])
    assert not shown["metadata"]["jupyter"].get("source_hidden")


def test_hidden_tests_without_a_check_before_them_are_refused(tmp_path: Path) -> None:
    content = cells()
    content.insert(3, code("assert twice(5) == 10", "hidden-1", "hidden"))
    with pytest.raises(NotebookError, match="tagged 'check' before"):
        make_copy(write(tmp_path / "lesson.ipynb", content), "student")


@pytest.mark.parametrize("extra", [[], [code(BLANK, "blank-2", "blank")]])
def test_a_blank_without_a_check_is_refused(extra: list, tmp_path: Path) -> None:
    content = cells()[:3] if not extra else cells() + extra
    with pytest.raises(NotebookError, match="no check after it"):
        make_copy(write(tmp_path / "lesson.ipynb", content), "student")


def test_a_blank_needs_a_number(tmp_path: Path) -> None:
    content = cells()
    content[2]["id"] = "blank"
    with pytest.raises(NotebookError, match="an id `blank-1`"):
        make_copy(write(tmp_path / "lesson.ipynb", content), "student")


def test_an_unknown_kind_is_refused(notebook: Path) -> None:
    with pytest.raises(ConfigError, match="student, teacher"):
        make_copy(notebook, "pupil")


def test_somebody_s_work_is_not_overwritten_unless_asked(notebook: Path, tmp_path: Path) -> None:
    (path,) = write_copies("student", [notebook], tmp_path / "made")
    assert write_copies("student", [notebook], tmp_path / "made") == [path]  # the same again
    work = path.read_text(encoding="utf-8").replace("your code here", "mine")
    path.write_text(work, encoding="utf-8")
    with pytest.raises(NotebookError, match="--overwrite"):
        write_copies("student", [notebook], tmp_path / "made")
    assert path.read_text(encoding="utf-8") == work
    write_copies("student", [notebook], tmp_path / "made", overwrite=True)
    assert "your code here" in path.read_text(encoding="utf-8")


def test_a_copy_never_takes_its_source_s_place(notebook: Path) -> None:
    before = notebook.read_bytes()
    with pytest.raises(NotebookError, match="the notebook itself"):
        write_copies("student", [notebook], notebook.parent, overwrite=True)
    assert notebook.read_bytes() == before


def test_nothing_is_written_where_one_notebook_is_refused(notebook: Path, tmp_path: Path) -> None:
    bad = write(tmp_path / "other.ipynb", cells("x = 1"))
    with pytest.raises(NotebookError):
        write_copies("student", [notebook, bad], tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_command(notebook: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made = tmp_path / "made"
    assert main(["copies", "student", str(made), str(notebook)]) == 0
    assert source(json.loads((made / "lesson.ipynb").read_text())["cells"][2]) == STUDENT
    assert str(made) in capsys.readouterr().out
    assert main(["copies", "pupil", str(made), str(notebook)]) == 2
    assert "student, teacher" in capsys.readouterr().err


def test_command_takes_the_notebooks_of_the_working_folder(
    notebook: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(notebook.parent)
    assert main(["copies", "teacher", "made"]) == 2
    assert "notebooks" in capsys.readouterr().err
    Path("notebooks").mkdir()
    notebook.rename("notebooks/lesson.ipynb")
    assert main(["copies", "teacher", "made"]) == 0
    assert Path("made/lesson.ipynb").exists()
