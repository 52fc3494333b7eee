"""Running notebooks: parameters arrive, failures say where, what ran is kept."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import nbformat
import pytest

from rstan_lite.classroom import run_notebook
from rstan_lite.cli import classroom as cli
from rstan_lite.system.errors import ConfigError, NotebookError
from tests.run.notebooks import CELL, printed, write

SHOW = "import os\nprint(split, repr(name), rate, deep, os.getcwd())"


def test_parameters_arrive_and_the_working_directory_is_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a folder {with} 50% odd 'names'"
    folder.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    path = write(folder / "n.ipynb", SHOW)
    before = path.read_bytes()
    values = {"split": "2", "name": 'it\'s {x} \\ "q"', "rate": "inf", "deep": "yes"}
    output = run_notebook(path, values, folder / "out" / "n.ipynb", html=False, progress=False)
    expected = f"2 {values['name']!r} inf True {os.path.realpath(elsewhere)}\n"
    assert printed(output) == expected
    assert path.read_bytes() == before
    assert not (folder / "out" / "n.html").exists()


def test_tuples_stay_tuples_and_an_old_injected_cell_is_replaced(tmp_path: Path) -> None:
    cell = "sizes: tuple[int, ...] = (1,)\nnames: list[str] | None = None\nbound: float = 1.0"
    path = write(tmp_path / "n.ipynb", "print(sizes, names, bound)", parameters=cell)
    node = nbformat.read(path, as_version=4)
    old = nbformat.v4.new_code_cell("sizes = 99", metadata={"tags": ["injected-parameters"]})
    node.cells.insert(1, old)
    nbformat.write(node, path)
    values = {"sizes": (3,), "names": ["a", "b"], "bound": float("nan")}
    output = run_notebook(path, values, tmp_path / "out.ipynb", html=False, progress=False)
    assert printed(output) == "(3,) ['a', 'b'] nan\n"
    sources = [cell.source for cell in nbformat.read(output, as_version=4).cells]
    assert "sizes = 99" not in sources


def test_a_failing_cell_is_named_and_the_rest_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "print('ran')", "a = 1\nb = a / 0\n", "print('never')")
    output = tmp_path / "kept" / "n.ipynb"
    with pytest.raises(NotebookError) as raised:
        run_notebook(path, {"split": "3"}, output, progress=False)
    error = raised.value
    cell = nbformat.read(path, as_version=4).cells[2]
    place = f"cell 2 (counted from 0; id {cell.id}), line 2, `b = a / 0`"
    assert error.where == f"{path}, {place}"
    assert error.found == "ZeroDivisionError: division by zero"
    assert str(output) in error.hint
    assert printed(output) == "ran\n"


def test_a_failure_inside_a_called_function_points_at_the_cells_own_line(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "import json\n\n\nx = json.loads('{')\n", parameters=None)
    with pytest.raises(NotebookError) as raised:
        run_notebook(path, {}, tmp_path / "o.ipynb", progress=False)
    assert "), line 4, `x = json.loads('{')`" in raised.value.where
    assert raised.value.found.startswith("JSONDecodeError: ")


def test_a_kernel_that_dies_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "import os\nos._exit(1)")
    with pytest.raises(NotebookError) as raised:
        run_notebook(path, {}, tmp_path / "o.ipynb", progress=False)
    assert "DeadKernelError" in raised.value.found
    assert "memory" in raised.value.hint


def test_unknown_names_are_refused_before_anything_runs(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "open('ran', 'w').close()")
    with pytest.raises(NotebookError, match="unknown parameter spilt"):
        run_notebook(path, {"spilt": "1"}, tmp_path / "out" / "o.ipynb", progress=False)
    assert not (tmp_path / "out").exists()


def test_bad_outputs_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "1")
    with pytest.raises(NotebookError, match="the notebook itself"):
        run_notebook(path, {}, path)
    with pytest.raises(NotebookError, match=r"ends in \.ipynb"):
        run_notebook(path, {}, tmp_path / "o.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotebookError, match="a folder to write to"):
        run_notebook(path, {}, tmp_path / "file" / "o.ipynb")


def _parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    return parser.parse_args(["run", *arguments])


def test_command_writes_beside_the_parameter_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "n.ipynb", "print(out)", parameters=CELL + "\nout: str = 'runs/n'")
    arguments = _parse("n.ipynb", "-p", "out=my runs/x", "-p", "split=2")
    assert arguments.func(arguments) == 0
    assert printed(tmp_path / "my runs" / "x" / "n.ipynb") == "my runs/x\n"
    assert (tmp_path / "my runs" / "x" / "n.html").stat().st_size > 1000
    assert "Page: my runs/x/n.html" in capsys.readouterr().out


def test_command_lists_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = _parse(str(write(tmp_path / "n.ipynb")), "--list")
    assert arguments.func(arguments) == 0
    assert capsys.readouterr().out.splitlines()[0] == "split: int = 1  # which split"


@pytest.mark.parametrize("pairs", [["split"], ["=3"], ["a=1", "a=2"]])
def test_command_refuses_bad_pairs(pairs: list[str]) -> None:
    with pytest.raises(ConfigError):
        cli.assignments(pairs)
