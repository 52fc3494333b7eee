"""Each lesson runs offline, from any folder, at two parameter sets, within 60 s and 2 GB.

The lessons share a cache that holds their clips and features, as a reader's does from the first
lesson on that needs them. The first run of each is that of the teacher copy, in whose kernel the
student copy's exercises are tried as well, so that one execution answers three questions.
"""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from measured import PROPERTY, Measured, check_attempt, offline, run_measured, with_attempt

from rstan_lite.training.features_source import load_parts
from rstan_lite.training.lessons import lesson_config

FOLDER = Path(__file__).parents[2] / "notebooks"
LESSONS = [path for path in sorted(FOLDER.glob("*.ipynb")) if path.stem != "00_tour"]
SECONDS, MEBIBYTES = 60, 2048  # on two free cores
SECOND = {"seed": 1}  # what the second run changes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all lessons run in."""
    home = tmp_path_factory.mktemp("some where")  # a path with a space
    (home / "copies").mkdir()
    load_parts(lesson_config(cache=str(home / "cache")))
    return home


@pytest.fixture(scope="module", params=LESSONS, ids=lambda path: path.stem)
def runs(request: pytest.FixtureRequest, home: Path) -> dict[str, Measured]:
    """Both runs of a lesson."""
    copy = with_attempt(request.param, home / "copies")
    first = run_measured(copy, {}, home)
    kept = first.output.rename(home / f"first-{copy.name}")
    second = run_measured(request.param, SECOND, home)
    return {"defaults": first._replace(output=kept), "seed=1": second}


def test_within_time_and_memory(
    runs: dict[str, Measured], request: pytest.FixtureRequest, record_property
) -> None:
    for which, run in runs.items():
        lesson = request.node.callspec.params["runs"].stem
        record_property(PROPERTY, [lesson, which, *run[:3]])
    for which, run in runs.items():
        assert run.seconds < SECONDS, f"{which}: {run}"
        assert run.mebibytes < MEBIBYTES, f"{which}: {run}"


def test_every_cell_ran_without_an_error(runs: dict[str, Measured]) -> None:
    for run in runs.values():
        code = [c for c in nbformat.read(run.output, as_version=4).cells if c.cell_type == "code"]
        assert all(cell.execution_count for cell in code)
        assert "error" not in {o.output_type for cell in code for o in cell.outputs}


def test_a_student_copy_fails_in_its_blanks_alone(runs: dict[str, Measured]) -> None:
    check_attempt(runs["defaults"].output)


def test_a_run_reaches_no_network(tmp_path: Path) -> None:
    """The guard that the runs above start with does what it says."""
    tries = (
        "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
        ("import urllib.request; urllib.request.urlopen('http://example.invalid')"),
    )
    for code in tries:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=offline(), capture_output=True, text=True, timeout=60)
        assert done.returncode
        assert "no network here" in done.stderr
    inside = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(s.getsockname(), 5)"
    )
    subprocess.run([sys.executable, "-c", inside], env=offline(), check=True, timeout=60)
