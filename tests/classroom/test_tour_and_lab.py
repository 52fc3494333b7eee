"""`rstan-lite tour` and `lab`: from any folder, with a checkout's notebooks and one cache."""

from pathlib import Path
from typing import Any

import jupyterlab.labapp
import platformdirs
import pytest

from rstan_lite import classroom
from rstan_lite.classroom import copies
from rstan_lite.cli import main
from rstan_lite.system.settings import default_cache
from tests.classroom.made import code, write

ROOT = Path(__file__).parents[2]
Called = list[tuple[Path, dict[str, str]]]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Called:
    """The notebooks that commands would run, with their values; from a folder of its own."""
    ran: Called = []

    def run(path: Path, values: dict[str, str], output: Any, html: bool) -> Path:
        ran.append((path, values))
        return tmp_path / "out.ipynb"

    monkeypatch.setattr(classroom, "run_notebook", run)
    monkeypatch.chdir(tmp_path)
    return ran


def test_the_tour_is_the_checkouts_notebook_on_generated_clips(called: Called) -> None:
    assert main(["tour", "-p", "seed=3", "-p", "out=elsewhere"]) == 0
    expected = {"dataset": "puppets", "seed": "3", "out": "elsewhere"}
    assert called == [(ROOT / "notebooks" / "00_tour.ipynb", expected)]


def test_a_copy_of_jhmdb_is_looked_for_before_the_work(called, tmp_path, refused):
    assert main(["tour", "--root", str(tmp_path)]) == 0
    values = {"dataset": "jhmdb", "root": str(tmp_path), "out": "runs/tour-jhmdb"}
    assert called.pop()[1] == values
    other = ["run", "a.ipynb", "-p", "dataset=jhmdb", "-p", "root=none"]
    for words in (["tour", "--root", "none"], other):
        said = "error: none: found no such folder; expected the folder of the jhmdb clips.\n"
        assert refused(words) == said
    assert main(["run", "a.ipynb", "-p", "dataset=puppets", "-p", "root=none"]) == 0  # it is made
    assert len(called) == 1


def test_without_a_checkout_the_tour_says_what_it_needs(called, tmp_path, monkeypatch, refused):
    monkeypatch.setattr(copies, "OWN", (tmp_path,))
    refused(["tour"], "found no 00_tour.ipynb; expected a checkout")


def test_lab_opens_copies_for_students_or_teachers_and_renews_them(tmp_path, monkeypatch, capsys):
    opened: list[list[str]] = []
    monkeypatch.setattr(jupyterlab.labapp, "main", opened.append)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    lesson = tmp_path / "notebooks" / "00_tour.ipynb"
    write(lesson, code("print(1)", "show"))
    assert main(["lab", "--no-browser", "--port", "8899"]) == 0
    assert main(["lab", "teacher", "--no-browser"]) == 0
    assert opened == [
        [str(Path("build/student")), "--no-browser", "--port", "8899"],
        [str(Path("build/teacher")), "--no-browser"],
    ]
    copy = tmp_path / "build" / "student" / "00_tour.ipynb"
    write(lesson, code("print(2)", "show"))
    assert main(["lab"]) == 0  # nobody has worked in the copy
    assert "print(2)" in copy.read_text(encoding="utf-8")
    copy.write_text(copy.read_text(encoding="utf-8").replace("print(2)", "mine"), encoding="utf-8")
    capsys.readouterr()
    assert main(["lab"]) == 0
    assert "changed" not in capsys.readouterr().out
    write(lesson, code("print(3)", "show"))
    assert main(["lab"]) == 0
    assert "00_tour.ipynb: the lesson has changed since" in capsys.readouterr().out
    assert "mine" in copy.read_text(encoding="utf-8")
    copy.write_text("no notebook", encoding="utf-8")
    assert main(["lab"]) == 0
    assert copy.read_text(encoding="utf-8") == "no notebook"


def test_one_cache_wherever_a_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSTAN_CACHE", "here")
    assert default_cache() == "here"
    monkeypatch.delenv("RSTAN_CACHE")
    found = default_cache()
    monkeypatch.chdir(tmp_path)
    assert default_cache() == found == platformdirs.user_cache_dir("rstan-lite", appauthor=False)
    assert Path(found).is_absolute()
