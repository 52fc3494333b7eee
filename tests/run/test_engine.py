"""The bar of a run goes on inside a cell, and an interruption reaches the cell."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest

from rstan_lite.classroom.engine import doing
from tests.run.notebooks import write

START = datetime(2030, 1, 1, tzinfo=UTC)


def cells(*sources: str, running: int | None) -> list[nbformat.NotebookNode]:
    """Cells as papermill marks them: Markdown where a source starts with #."""
    made = []
    for i, source in enumerate(sources):
        kind = "markdown" if source.startswith("#") else "code"
        cell = getattr(nbformat.v4, f"new_{kind}_cell")(source)
        cell.metadata.papermill = {"status": "pending", "start_time": None}
        if i == running:
            cell.metadata.papermill = {"status": "running", "start_time": START.isoformat()}
        made.append(cell)
    return made


def test_the_heading_above_the_running_cell_is_named():
    made = cells("x", "# The `LSTM`\nwords", "y", "## Train\n# no heading\n", "z", running=2)
    assert doing(made, START + timedelta(seconds=61.2)) == "The LSTM: 61 s"
    made = cells("x", "# The `LSTM`", "y", "## Train\n# no heading\n", "z", running=4)
    assert doing(made, START) == "Train: 0 s"


def test_without_a_heading_or_a_running_cell():
    assert doing(cells("x", "# Later", running=0), START + timedelta(seconds=2)) == "2 s"
    assert doing(cells("x", "# Later", running=None), START) == ""


def run(path: Path, stderr: int) -> None:
    command = [sys.executable, "-m", "rstan_lite.cli", "run", str(path), "--no-html"]
    command += ["--output", str(path.with_name("out.ipynb"))]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=stderr, check=True, timeout=120)


def test_on_a_terminal_it_goes_on_inside_a_cell(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "#md ## Wait here", "import time; time.sleep(3)")
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    run(path, end)
    os.close(end)
    shown = ""
    with suppress(OSError):  # the end of what was written there
        while part := os.read(terminal, 1 << 16).decode():
            shown += part
    os.close(terminal)
    assert "Wait here: 1 s" in shown
    assert "Wait here: 2 s" in shown
    assert "3/3 cells" in shown


def test_a_log_gets_no_line_for_each_second(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "#md ## Wait here", "import time; time.sleep(3)")
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
@pytest.mark.parametrize("passes_on", [True, False])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_running_cell_is_interrupted_and_no_other_runs(
    tmp_path: Path, number: int, code: int, passes_on: bool
) -> None:
    work = WORK if passes_on else WORK.replace("raise", "pass")
    path = write(tmp_path / "n.ipynb", work, "Path('next').touch()")
    command = [sys.executable, "-m", "rstan_lite.cli", "run", str(path), "--output", "out.ipynb"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert {one.name for one in tmp_path.iterdir()} == {"begun", "n.ipynb", "out.ipynb", "saved"}
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("interrupted: the same command begins at the first")
