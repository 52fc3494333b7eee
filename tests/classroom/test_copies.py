"""Student and teacher copies: what is replaced, what stays, and which mistakes are refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from rstan_lite.classroom.copies import make_copy, write_copies
from rstan_lite.classroom.notebook_parameters import load_notebook
from rstan_lite.cli import main
from rstan_lite.system.errors import NotebookError
from tests.classroom.made import BLANK, code, words, write

STUDENT = """def twice(x):
    # x: a number
    raise NotImplementedError("Exercise 1: your code here")"""
TEACHER = """def twice(x):
    # x: a number
    y = x + x
    return y"""
OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["4\n"]}
LINKS = "[here](03_lstm.ipynb), [there](https://example.org/../a), the [README](../README.md)"
CHECK = code("assert twice(2) == 4", "check-1", "check")
HIDDEN = code("assert twice(5) == 10", "hidden-1", "hidden", hidden=True)


def blank(source: str = BLANK, id_: str = "blank-1", tag: str = "blank") -> dict[str, Any]:
    return code(source, id_, tag, hidden=True)


def cells(source: str = BLANK) -> list[dict[str, Any]]:
    return [
        words(LINKS),
        code("print(4)", "table", "nbval-check-output", outputs=[OUTPUT], execution_count=1),
        blank(source),
        CHECK,
        HIDDEN,
    ]


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write(tmp_path / "lesson.ipynb", *cells())


@pytest.mark.parametrize(("kind", "filled"), [("student", STUDENT), ("teacher", TEACHER)])
def test_what_a_copy_has(kind: str, filled: str, notebook: Path) -> None:
    text, table, blank_, check, *hidden = make_copy(notebook, kind)["cells"]
    student = kind == "student"
    assert text["source"] == LINKS.replace("[README](../README.md)", "README")
    kept = ([], None) if student else ([OUTPUT], 1)
    assert (table["outputs"], table["execution_count"]) == kept
    assert blank_["source"] == filled
    assert check == load_notebook(notebook)["cells"][3]
    assert [cell["id"] for cell in hidden] == ([] if student else ["hidden-1"])
    for cell in (blank_, *hidden):
        assert not cell["metadata"]["jupyter"].get("source_hidden")


def test_several_regions_in_a_cell(tmp_path: Path) -> None:
    path = write(tmp_path / "lesson.ipynb", *cells(BLANK + "\n\n" + BLANK))
    text = make_copy(path, "student")["cells"][2]["source"]
    assert text == STUDENT + "\n\n" + STUDENT


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (blank("def twice(x):\n    return x + x"), "no solution markers"),
        (blank(BLANK.replace("    ### END SOLUTION", "")), "out of turn"),
        (blank(BLANK.replace("    ### BEGIN SOLUTION\n", "")), "out of turn"),
        (blank(BLANK.replace("    return y", "    ### BEGIN SOLUTION")), "out of turn"),
        (blank("### BEGIN SOLUTION\nx = 1\n### END SOLUTION"), "at the margin"),
        (blank(tag="other"), "the tag 'blank'"),
        (blank(id_="blank"), "an id `blank-1`"),
    ],
)
def test_markers_out_of_order_are_refused_with_the_cell(cell, said, tmp_path):
    path = write(tmp_path / "lesson.ipynb", words(LINKS), cell, CHECK)
    for kind in ("student", "teacher"):
        with pytest.raises(NotebookError, match=said) as caught:
            make_copy(path, kind)
        assert f"{path}, cell blank" in str(caught.value)


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


def test_nothing_is_written_where_one_notebook_is_refused(notebook: Path, tmp_path: Path) -> None:
    before = notebook.read_bytes()
    with pytest.raises(NotebookError, match="the notebook itself"):
        write_copies("student", [notebook], notebook.parent, overwrite=True)
    assert notebook.read_bytes() == before
    bad = write(tmp_path / "other.ipynb", *cells("x = 1"))
    with pytest.raises(NotebookError):
        write_copies("student", [notebook, bad], tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_command(notebook, monkeypatch, capsys, refused):
    monkeypatch.chdir(notebook.parent)
    assert main(["copies", "student", "made", "lesson.ipynb"]) == 0
    assert load_notebook("made/lesson.ipynb")["cells"][2]["source"] == STUDENT
    assert "made/lesson.ipynb" in capsys.readouterr().out
    refused(["copies", "pupil", "made", "lesson.ipynb"], "student, teacher")
    Path("notebooks").mkdir()
    shutil.copy(notebook, "notebooks/00_tour.ipynb")  # without a tour they are another project's
    notebook.rename("notebooks/lesson.ipynb")  # of the working folder's notebooks
    assert main(["copies", "teacher", "teachers"]) == 0
    assert load_notebook("teachers/lesson.ipynb")["cells"][2]["source"] == TEACHER
