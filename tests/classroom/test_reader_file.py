"""my_rstan.py: what is kept, and what is taken from the lessons."""

import ast
import importlib
import linecache
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rstan_lite.classroom import copies
from rstan_lite.classroom.hints import compare
from rstan_lite.classroom.reader_file import definitions, finished, keep, need
from rstan_lite.system.errors import NotebookError

FOLDER = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Stand in an empty folder, in a kernel that has run these cells."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def ran(*sources: str) -> None:
        names: dict = {}
        for number, source in enumerate(sources):
            cell = f"<cell {number}>"  # as IPython does, so that tracebacks show the source
            linecache.cache[cell] = len(source), None, source.splitlines(keepends=True), cell
            exec(compile(source, cell, "exec"), names)
        shell = SimpleNamespace(user_ns=names)
        monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: shell)

    return ran


def test_keeps_the_last_definition_without_marks(cells: Callable[..., None], capsys) -> None:
    last = "def lstm_step():\n    ### BEGIN SOLUTION\n    return 2\n    ### END SOLUTION\n"
    cells("def lstm_step():\n    return 1", last, "x = 1")
    keep("lstm_step")
    assert "my_rstan.py now has your lstm_step" in capsys.readouterr().out
    text = Path("my_rstan.py").read_text(encoding="utf-8")
    assert "SOLUTION" not in text
    need("lstm_step", "fresh")
    said = capsys.readouterr().out
    assert "yours, from my_rstan.py: lstm_step" in said
    assert "taken from the finished one: fresh" in said
    module = importlib.import_module("my_rstan")
    assert module.lstm_step() == 2
    assert module.fresh(4, 3).shape == (4, 3)


@pytest.mark.parametrize("place", ["checkout", "wheel", "copies"])
def test_whoever_comes_in_later_gets_the_finished_classes(place, cells, monkeypatch):
    """From the lessons' solutions, wherever they lie, and not from the blanks of copies beside."""
    if place == "wheel":
        shutil.copytree(FOLDER, "site/rstan_lite/notebooks")
        monkeypatch.setattr(copies, "OWN", (Path("site"), Path("site/rstan_lite")))
    elif place == "copies":
        copies.write_copies("student", copies.lessons(), "notebooks")
    cells()
    finished.cache_clear()
    need("RSTAN")  # with all that it uses
    importlib.import_module("my_rstan").RSTAN({"motion": (5, 4)}, classes=3)
    need("SpatialTemporalLSTM", "SpatialLSTM", "LSTM", *finished())
    module = importlib.import_module("my_rstan")  # each class stands after the one it extends
    logits, betas = module.SpatialTemporalLSTM(4, 3, d_h=5, d_att=2)(torch.randn(2, 6, 9, 4))
    assert (logits.shape, betas.shape) == ((2, 6, 3), (2, 6, 6))
    text = Path("my_rstan.py").read_text(encoding="utf-8")
    assert list(definitions(text)) == list(finished())
    assert "SOLUTION" not in text
    imported = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    assert {str(node.module).split(".")[0] for node in imported} == {"torch"}  # alone


def test_says_what_is_missing(cells: Callable[..., None]) -> None:
    cells("x = 1")
    with pytest.raises(NotebookError, match="no cell with LSTM; expected cells that define LSTM"):
        keep("LSTM")
    with pytest.raises(NotebookError, match="found GRU; expected fresh, lstm_step"):
        need("GRU")
    Path("my_rstan.py").write_text("def broken(:\n", encoding="utf-8")
    with pytest.raises(NotebookError, match=r"in line 1; expected Python"):
        need("LSTM")


def test_a_check_says_what_is_wrong() -> None:
    right = torch.tensor([1.0, 2.0])
    compare(right + 1e-7, right)
    for wrong, words in (
        (None, "return"),
        ("text", "is a str"),
        (torch.ones(3), r"shape \(3,\), where \(2,\)"),
        (right / 0, "infinite"),
        (2 * right, "a factor of two"),
        (right + 1, "off by up to 1: 2, where 1 is expected. Look again"),
    ):
        with pytest.raises(AssertionError, match=words):
            compare(wrong, right, {"You have a factor of two.": 2 * right}, hint="Look again.")


def test_other_code_of_the_readers_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = "import math\n\nD = 5\n\n\ndef mine():\n    return math.pi * D\n"
    path = tmp_path / "my_rstan.py"
    path.write_text(own + '\n\nif __name__ == "__main__":\n    print(mine())\n', encoding="utf-8")
    for _ in range(2):  # also when it is read again
        need("lstm_step")
        text = path.read_text(encoding="utf-8")
        names: dict = {"__name__": "my_rstan"}
        exec(text, names)
        assert names["mine"]() == pytest.approx(15.708, abs=1e-3)
        assert text.rstrip().endswith("print(mine())")
        assert text.count("import math") == text.count("D = 5") == 1
