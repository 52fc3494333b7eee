"""Hostile input: every case ends in success or in a complaint of the package's own.

The cases made by hand all run here, and some of the drawn ones; `make fuzz` runs the others.
"""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fetch.made import has_tool
from tests.hostile import worker
from tests.hostile.entries import ENTRIES
from tests.hostile.runner import report, run_cases
from tests.hostile.special import CANARY, Bomb
from tests.hostile.world import build

DRAWN = 40
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc are Linux's")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "world"
    folder.mkdir()
    build(folder)
    return folder


@needs_linux
def test_a_hang_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.hostile.runner.WALL", 1.0)  # shorter than the start takes
    (lost,) = run_cases(tmp_path / "no such world", ["config: text"])
    assert "a hang" in lost["finding"]


@needs_linux
def test_cases_made_by_hand_and_some_drawn_ones(world):
    answers = list(run_cases(world, [*worker.cases(), *range(DRAWN)]))
    assert not [answer for answer in answers if answer["finding"]], report(answers, 0)
    refused = {answer["entry"] for answer in answers if answer["outcome"].endswith("Error")}
    assert refused == set(ENTRIES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=has_tool if name == "rar" else ()) for name in ENTRIES]
)
@pytest.mark.filterwarnings("ignore")  # small lists of clips are said to be a part
def test_good_files_pass(world, name):
    """Each entry takes its undamaged file: the suite would prove nothing if all were refused."""
    entry, folder = ENTRIES[name], world.parent / "case"
    shutil.rmtree(folder, ignore_errors=True)
    file = worker._tree(entry, world, folder)
    (good,) = (world / entry.tree).glob(entry.good)
    shutil.copy(good, file)
    entry.call(folder, file)


@pytest.mark.parametrize(
    ("call", "finding"),
    [
        (lambda case, file: 1 / 0, "ZeroDivisionError"),
        (lambda case, file: (case.parent / "out").write_bytes(b"x"), "written outside"),
        (lambda case, file: (case / ".x.part").write_bytes(b"x"), "left behind"),
        (lambda case, file: os.system(Bomb(file).__reduce__()[1][0]), "code of the file was run"),
    ],
)
def test_the_suite_sees_what_is_wrong(world, monkeypatch, call, finding):
    monkeypatch.setitem(ENTRIES, "config", replace(ENTRIES["config"], call=call))
    monkeypatch.chdir(world)  # the bomb that goes off also marks the folder above
    assert finding in worker.run("config: text", world)["finding"]
    (world.parent / "out").unlink(missing_ok=True)
    assert not (world.parent / CANARY).exists()
