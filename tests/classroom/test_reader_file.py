"""my_rstan.py: what is kept, what is taken from the finished file, and who makes that."""

import ast
import importlib
import linecache
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch

from rstan_lite.classroom.hints import compare
from rstan_lite.classroom.reader_file import FINISHED, definitions, keep, need
from rstan_lite.system.errors import NotebookError

FOLDER = Path(__file__).parents[2] / "notebooks"
BUILD = sorted(FOLDER.glob("0[3-8]_*.ipynb"))


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


def test_whoever_comes_in_later_gets_the_finished_classes(cells: Callable[..., None]) -> None:
    cells()
    need("SpatialTemporalLSTM", "SpatialLSTM", "LSTM", *definitions(FINISHED.read_text("utf-8")))
    module = importlib.import_module("my_rstan")  # each class stands after the one it extends
    logits, betas = module.SpatialTemporalLSTM(4, 3, d_h=5, d_att=2)(torch.randn(2, 6, 9, 4))
    assert (logits.shape, betas.shape) == ((2, 6, 3), (2, 6, 6))


def test_says_what_is_missing(cells: Callable[..., None]) -> None:
    cells("x = 1")
    with pytest.raises(NotebookError, match="no cell with LSTM; expected cells that define LSTM"):
        keep("LSTM")
    with pytest.raises(NotebookError, match="found GRU; expected fresh, lstm_step"):
        need("GRU")
    Path("my_rstan.py").write_text("def broken(:\n", encoding="utf-8")
    with pytest.raises(NotebookError, match=r"in line 1; expected Python"):
        need("LSTM")


def test_the_finished_file_leans_on_torch_alone() -> None:
    tree = ast.parse(FINISHED.read_text(encoding="utf-8"))
    names = {n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}
    names |= {str(n.module).split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names == {"torch"}


def test_the_lessons_make_the_finished_file() -> None:
    made: dict[str, str] = {}
    for path in BUILD:
        kept: set[str] = set()
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code":
                continue
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "keep":
                    kept |= {ast.literal_eval(one) for one in node.args}
            made |= {name: text for name, text in definitions(cell.source).items()}
        assert kept <= set(made), path
        assert any("nn.Module" in made[name] or "LSTM)" in made[name] for name in kept), path
    finished = definitions(FINISHED.read_text(encoding="utf-8"))
    for name, text in finished.items():
        assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(made[name])), name


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
