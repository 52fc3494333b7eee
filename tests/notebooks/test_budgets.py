"""Each lesson runs offline, from any folder, at another seed, within 60 s and 2 GB.

What the text of some says of their run is checked in it.

The lessons share a cache that holds their clips and features, as a reader's does from the first
lesson on that needs them. What runs is the teacher copy, in whose kernel the student copy's
exercises are tried as well. At its own parameters nbval runs each lesson.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from measured import (
    PROPERTY,
    Measured,
    check_attempt,
    measured,
    offline,
    run_measured,
    with_attempt,
)

from rstan_lite.classroom.lesson_config import lesson_config
from rstan_lite.training.parts import load_parts

FOLDER = Path(__file__).parents[2] / "notebooks"
LESSONS = [path for path in sorted(FOLDER.glob("*.ipynb")) if path.stem != "00_tour"]
SECONDS, MEBIBYTES = 60, 2048  # on two free cores
PARAMETERS = {"seed": 1}  # every lesson has a seed
# What the text says of a run, whatever its seed: a cell, and its percentages in their order.
SAID: dict[str, tuple[str, Callable[..., bool]]] = {
    "02_two_stream_features": (
        "fig-receptive",
        lambda middle, other, corner: 2 * max(middle, other) < corner,
    ),
    "04_spatial_attention": ("fig-scores", lambda even, *streams: min(streams) > 1.5 * even),
    "08_actor_attention": (
        "shares",
        lambda even, without, _, with_, __: without < 1.5 * even and with_ > 2 * without,
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all lessons run in."""
    home = tmp_path_factory.mktemp("some where")  # a path with a space
    (home / "copies").mkdir()
    load_parts(lesson_config(cache=str(home / "cache")))
    return home


@pytest.fixture(scope="module", params=LESSONS, ids=lambda path: path.stem)
def run(request: pytest.FixtureRequest, home: Path) -> tuple[Measured, Path]:
    """The run of a lesson: what it took, and its executed copy."""
    return run_measured(with_attempt(request.param, home / "copies"), PARAMETERS, home)


@pytest.fixture(scope="module")
def output(run: tuple[Measured, Path]) -> Path:
    return run[1]


def test_within_time_and_memory(run: tuple[Measured, Path], record_property) -> None:
    took, output = run
    record_property(PROPERTY, [output.stem, "seed=1", *took])
    assert took.seconds < SECONDS
    assert took.mebibytes < MEBIBYTES


def test_every_cell_ran_without_an_error(output: Path) -> None:
    code = [c for c in nbformat.read(output, as_version=4).cells if c.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert "error" not in {o.output_type for cell in code for o in cell.outputs}


def test_the_text_says_what_came_out(output: Path) -> None:
    if output.stem not in SAID:
        pytest.skip("its text says nothing of its numbers")
    id_, agrees = SAID[output.stem]
    (cell,) = (c for c in nbformat.read(output, as_version=4).cells if c.id == id_)
    texts = [o.get("text") or o.data.get("text/plain", "") for o in cell.outputs]
    shares = [int(share) for share in re.findall(r"(\d+)%", "".join(texts))]
    assert agrees(*shares), shares


def test_a_student_copy_fails_in_its_blanks_alone(output: Path) -> None:
    check_attempt(output)


def test_a_command_that_hangs_is_over_its_time(tmp_path: Path) -> None:
    took = measured([sys.executable, "-c", "import time; time.sleep(3)"], tmp_path, offline())
    assert took.cpu < 1.5 < took.idle
    assert took.seconds > 2.5


def test_a_busy_machine_does_not_count(tmp_path: Path) -> None:
    """A second of work, on one core that four other programs want as well."""
    work = "import time\nwhile time.process_time() < 1: pass"
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    rivals = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        took = measured([sys.executable, "-c", work], tmp_path, offline())
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()
        os.sched_setaffinity(0, cores)
    assert took.wall > 3
    assert took.seconds < 2


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
