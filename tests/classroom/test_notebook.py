"""Running notebooks: typed parameters arrive, failures say where, what ran is kept."""

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from measured import sends_signals, until

from rstan_lite.classroom import run_notebook
from rstan_lite.classroom.notebook_parameters import (
    Parameter,
    check_parameters,
    notebook_parameters,
)
from rstan_lite.cli import main
from rstan_lite.system.errors import ConfigError, NotebookError
from rstan_lite.system.settings import parsed
from tests.classroom.made import CELL, code, printed, write

SIZES = "\nsizes: tuple[int, ...] = (1,)\nnames: list[str] | None = None\nbound: float = 1.0"
SHOW = "import os\nprint(split, repr(name), rate, deep, sizes, names, bound, os.getcwd())"


def test_parameters_arrive_with_their_types_and_the_working_directory_is_the_callers(
    tmp_path, monkeypatch
):
    """A cell that an earlier run put in is replaced."""
    folder, elsewhere = tmp_path / "a folder {with} 50% odd 'names'", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    given = code(CELL + SIZES, "given", "parameters")
    old = code("sizes = 99", "old", "injected-parameters")
    path = write(folder / "n.ipynb", given, old, code(SHOW, "show"))
    before = path.read_bytes()
    values = {"split": "2", "name": 'it\'s {x} \\ "q"', "rate": "inf", "deep": "yes"}
    values |= {"sizes": (3,), "names": ["a", "b"], "bound": float("nan")}
    output = run_notebook(path, values, folder / "out" / "n.ipynb", html=False, progress=False)
    said = f"2 {values['name']!r} inf True (3,) ['a', 'b'] nan {os.path.realpath(elsewhere)}\n"
    assert printed(output) == said
    assert "sizes = 99" not in output.read_text(encoding="utf-8")
    assert path.read_bytes() == before
    assert not (folder / "out" / "n.html").exists()


def test_a_failing_cell_is_named_by_its_own_line_and_the_rest_kept(tmp_path: Path) -> None:
    failing = "import json\n\nx = json.loads('{')\n"  # in a function that the cell calls
    path = write(tmp_path / "n.ipynb", "print('ran')", failing, "print('never')")
    output = tmp_path / "kept" / "n.ipynb"
    with pytest.raises(NotebookError) as raised:
        run_notebook(path, {"split": "3"}, output, progress=False)
    error = raised.value
    cell = nbformat.read(path, as_version=4).cells[2]
    place = f"cell 2 (counted from 0; id {cell.id}), line 3, `x = json.loads('{{')`"
    assert error.where == f"{path}, {place}"
    assert error.found.startswith("JSONDecodeError: ")
    assert str(output) in error.hint
    assert printed(output) == "ran\n"


def test_a_kernel_that_dies_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "import os\nos._exit(1)")
    with pytest.raises(NotebookError, match=r"(?s)DeadKernelError.*memory"):
        run_notebook(path, {}, tmp_path / "o.ipynb", progress=False)


def test_what_is_absent_or_unknown_is_said_before_anything_runs(tmp_path, monkeypatch):
    path = write(tmp_path / "n.ipynb", "open('ran', 'w').close()")
    with pytest.raises(NotebookError, match="unknown parameter spilt"):
        run_notebook(path, {"spilt": "1"}, tmp_path / "out" / "o.ipynb", progress=False)
    monkeypatch.setattr("rstan_lite.system.settings.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"no nbconvert.*the extra notebooks"):
        run_notebook(path, {}, tmp_path / "out" / "o.ipynb", progress=False)
    assert not (tmp_path / "out").exists()


def test_bad_outputs_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "1")
    (tmp_path / "file").touch()
    for output, said in (
        (path, "the notebook itself"),
        (tmp_path / "o.html", r"ends in \.ipynb"),
        (tmp_path / "file" / "o.ipynb", "a folder to write to"),
    ):
        with pytest.raises(NotebookError, match=said):
            run_notebook(path, {}, output)


def test_command_writes_beside_the_parameter_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "n.ipynb", "print(out)", parameters=CELL + "\nout: str = 'runs/n'")
    assert main(["run", "n.ipynb", "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "split: int = 1  # which split"
    assert main(["run", "n.ipynb", "-p", "out=my runs/x", "-p", "split=2"]) == 0
    assert printed(tmp_path / "my runs" / "x" / "n.ipynb") == "my runs/x\n"
    assert (tmp_path / "my runs" / "x" / "n.html").stat().st_size > 1000
    assert "Page: my runs/x/n.html" in capsys.readouterr().out


def test_a_terminal_has_a_bar_that_names_the_section_and_a_log_has_none(
    tmp_path, capsys, monkeypatch
):
    path = write(tmp_path / "n.ipynb", "#md ## Wait `here`\nwords", "1")
    run_notebook(path, {}, tmp_path / "o.ipynb", html=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run_notebook(path, {}, tmp_path / "o.ipynb", html=False)
    said = capsys.readouterr().err
    assert "3/3 cells" in said
    assert "Wait here" in said


WORK = """
from pathlib import Path
import time
try:
    Path("begun").touch()
    time.sleep(60)
except KeyboardInterrupt:
    Path("saved").touch()
    raise
"""


@sends_signals
@pytest.mark.usefixtures("signals")
def test_the_running_cell_is_interrupted_and_no_other_runs(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", WORK, "Path('next').touch()")
    command = [sys.executable, "-m", "rstan_lite.cli", "run", str(path), "--output", "out.ipynb"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        until((tmp_path / "begun").exists)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert {one.name for one in tmp_path.iterdir()} == {"begun", "n.ipynb", "out.ipynb", "saved"}
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("interrupted: the same command begins at the first")


def test_reads_name_type_default_and_comment(tmp_path: Path) -> None:
    cell = (
        "# what to run on\n"
        'dataset: str = "puppets"  # jhmdb or puppets\n'
        "split: int = 1\n"
        "rates: list[float] = [\n    0.1,\n    0.2,\n]  # tried in turn\n"
        "bound: float | None = None"
    )
    found = notebook_parameters(write(tmp_path / "a.ipynb", parameters=cell))
    assert found == [
        Parameter("dataset", "str", "puppets", "jhmdb or puppets"),
        Parameter("split", "int", 1, ""),
        Parameter("rates", "list[float]", [0.1, 0.2], "tried in turn"),
        Parameter("bound", "float | None", None, ""),
    ]


def test_a_notebook_without_the_cell_has_none(tmp_path: Path) -> None:
    assert notebook_parameters(write(tmp_path / "a.ipynb", "1 + 1", parameters=None)) == []


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("x = 1", "`name: type = value`"),
        ("import os", "`name: type = value`"),
        ("x: int", "`name: type = value`"),
        ("x: int = 1 +", "Python"),
        ("x: int = len('a')", "a plain value"),
        ("x: int = 'a'", "value of type int"),
        ("x: int = True", "value of type int"),
        ("x: dict = {}", "bool, int, float, str"),
    ],
)
def test_a_cell_that_is_not_typed_lines_is_refused(tmp_path, cell, expected):
    with pytest.raises(NotebookError) as raised:
        notebook_parameters(write(tmp_path / "a.ipynb", parameters=cell))
    assert expected in raised.value.expected
    assert "a.ipynb, cell 0" in raised.value.where


def test_two_parameters_cells_are_refused(tmp_path: Path) -> None:
    twice = [code("x: int = 1", f"cell-{i}", "parameters") for i in range(2)]
    with pytest.raises(NotebookError, match="2 cells tagged"):
        notebook_parameters(write(tmp_path / "a.ipynb", *twice))


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": 3}', '{"cells": [1]}', "\x00\xff", None])
def test_a_file_that_is_no_notebook(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "a.ipynb"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(NotebookError, match=r"a\.ipynb" if text else "no such file"):
        notebook_parameters(path)


def test_text_is_read_by_the_declared_type() -> None:
    for annotation, text, value in (
        ("bool", "true", True), ("bool", "No", False), ("int", "-3", -3), ("float", "2", 2.0),
        ("str", "none", "none"), ("str", "a=b, c", "a=b, c"), ("list[int]", "1, 2,3", [1, 2, 3]),
        ("list[int]", "", []), ("list[str]", "[ a, b ]", ["a", "b"]),
        ("tuple[float, ...]", "1,2.5", (1.0, 2.5)), ("int | None", "none", None),
        ("int | None", "7", 7), ("list[int] | None", "1", [1]),
    ):  # fmt: skip
        result = parsed("x", annotation, text)
        assert (type(result), result) == (type(value), value)
    assert math.isnan(parsed("x", "float", "nan"))


def test_wrong_values_are_refused() -> None:
    for annotation, value in (
        ("bool", "maybe"), ("bool", 1), ("int", "1.5"), ("int", True), ("float", "fast"),
        ("float", True), ("str", 3), ("list[int]", "1,x"), ("list[int]", (1, 2)),
        ("list[int]", [1, True]), ("int | None", "nothing"),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as raised:
            parsed("x", annotation, value)
        assert repr(value) in raised.value.found
        assert annotation in raised.value.expected


def test_errors_list_the_real_parameters() -> None:
    known = [Parameter("split", "int", 1, "1 to 3"), Parameter("name", "str", "a", "")]
    with pytest.raises(NotebookError) as unknown:
        check_parameters("a.ipynb", known, {"spilt": "2"})
    assert "spilt" in unknown.value.found
    with pytest.raises(NotebookError) as wrong:
        check_parameters("a.ipynb", known, {"split": "two"})
    assert unknown.value.hint.startswith("Did you mean split?")
    for raised in (unknown, wrong):
        assert "parameters: split, name. Their types and defaults: --list" in raised.value.hint
    assert check_parameters("a.ipynb", known, {"split": "2"}) == {"split": 2}
