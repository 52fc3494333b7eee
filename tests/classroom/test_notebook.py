"""Running notebooks: parameters arrive, failures say where, what ran is kept."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest

from rstan_lite.classroom import run_notebook
from rstan_lite.classroom.notebook import Watch
from rstan_lite.cli import classroom as cli
from rstan_lite.system.errors import ConfigError, NotebookError
from rstan_lite.system.settings import pairs
from tests.classroom.made import CELL, code, printed, write

SIZES = "\nsizes: tuple[int, ...] = (1,)\nnames: list[str] | None = None\nbound: float = 1.0"
SHOW = "import os\nprint(split, repr(name), rate, deep, sizes, names, bound, os.getcwd())"


def test_parameters_arrive_with_their_types_and_the_working_directory_is_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_what_is_absent_or_unknown_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "n.ipynb", "open('ran', 'w').close()")
    with pytest.raises(NotebookError, match="unknown parameter spilt"):
        run_notebook(path, {"spilt": "1"}, tmp_path / "out" / "o.ipynb", progress=False)
    monkeypatch.setattr("rstan_lite.system.settings.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"no nbconvert.*the extra notebooks"):
        run_notebook(path, {}, tmp_path / "out" / "o.ipynb", progress=False)
    assert not (tmp_path / "out").exists()


def test_bad_outputs_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "1")
    with pytest.raises(NotebookError, match="the notebook itself"):
        run_notebook(path, {}, path)
    with pytest.raises(NotebookError, match=r"ends in \.ipynb"):
        run_notebook(path, {}, tmp_path / "o.html")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(NotebookError, match="a folder to write to"):
        run_notebook(path, {}, tmp_path / "file" / "o.ipynb")


def _parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_parsers(parser.add_subparsers())
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


@pytest.mark.parametrize("given", [["split"], ["=3"], ["a=1", "a=2"]])
def test_command_refuses_bad_pairs(given: list[str]) -> None:
    with pytest.raises(ConfigError):
        pairs("-p", given, "NAME=VALUE")


def test_what_is_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heading above the cell that runs, and how long it has run."""
    now = [100.0]
    monkeypatch.setattr("rstan_lite.classroom.notebook.time.monotonic", lambda: now[0])
    watch = Watch()
    cell, words = nbformat.v4.new_code_cell("x"), nbformat.v4.new_markdown_cell
    assert watch.doing() == ""
    watch.start(cell=cell, cell_index=0)
    watch.execute(cell=cell, cell_index=0)
    now[0] += 2
    assert watch.doing() == "2 s"
    watch.start(cell=words("# The `LSTM`\nwords\n# no heading"), cell_index=1)
    assert watch.doing() == ""
    watch.start(cell=words("no heading"), cell_index=2)
    watch.execute(cell=cell, cell_index=3)
    now[0] += 61.2
    assert watch.doing() == "The LSTM: 61 s"


def run(path: Path, stderr: int) -> None:
    command = [sys.executable, "-m", "rstan_lite.cli", "run", str(path), "--no-html"]
    command += ["--output", str(path.with_name("out.ipynb"))]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=stderr, check=True, timeout=120)


def test_a_terminal_is_told_what_goes_on_inside_a_cell_but_no_log_is(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "#md ## Wait here", "import time; time.sleep(3)")
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    run(path, end)
    os.close(end)
    shown = ""
    with suppress(OSError):  # the end of what was written there
        while part := os.read(terminal, 1 << 16).decode():
            shown += part
    os.close(terminal)
    for words in ("Wait here: 1 s", "Wait here: 2 s", "3/3 cells"):
        assert words in shown
    with (tmp_path / "log").open("wb") as log:
        run(path, log.fileno())
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert "3/3 cells" in said
    assert "Wait here" not in said


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


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize(
    ("number", "code", "passes_on"), [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, False)]
)
def test_the_running_cell_is_interrupted_and_no_other_runs(
    tmp_path: Path, number: int, code: int, passes_on: bool
) -> None:
    work = WORK if passes_on else WORK.replace("raise", "pass")
    path = write(tmp_path / "n.ipynb", work, "Path('next').touch()")
    command = [sys.executable, "-m", "rstan_lite.cli", "run", str(path), "--output", "out.ipynb"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        end = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert {one.name for one in tmp_path.iterdir()} == {"begun", "n.ipynb", "out.ipynb", "saved"}
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("interrupted: the same command begins at the first")
