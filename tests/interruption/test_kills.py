"""Killed at any moment, a command goes on to what it would have made without it."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from interruption.prove import differences, run_until, train_command
from small_runs import write_networks

from rstan_lite.cli import main
from rstan_lite.puppets import generate
from rstan_lite.system.errors import ConfigError

CLASSES = ["run", "wave"]
PUPPETS = {"clips_per_class": 4, "classes": CLASSES, "workers": 1, "size": (64, 80),
           "progress": False}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Generated clips, random networks, and the features of both."""
    folder = tmp_path_factory.mktemp("kills")
    generate(folder / "clips", **PUPPETS)
    write_networks(folder)
    assert main(["extract", *options(folder, folder / "cache")]) == 0
    return folder


def options(place: Path, cache: Path) -> list[str]:
    """Of a training on the clips that takes some seconds; with dropout, which draws numbers."""
    given = {
        "root": place / "clips", "cache": cache, "profile": "tiny", "size": 64, "frames": 3,
        "stored-frames": 4, "test-frames": 4, "validation": 0.25, "device": "cpu",
        "dropout": 0.3, "batch-size": 2, "views": "centre",
        "appearance-weights": place / "appearance.safetensors",
        "motion-weights": place / "motion.safetensors",
    }  # fmt: skip
    return [str(x) for name, value in given.items() for x in (f"--{name}", value)]


def stored(folder: Path) -> dict[str, bytes]:
    """What lies in the folders below, by name."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def interrupted(command: list[str], number: int, folder: Path, pattern: str):
    """A command that gets a signal as soon as a file of that pattern is there.

    SIGINT goes to its processes, too, as from a terminal.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, start_new_session=True, **pipes)
    end = time.monotonic() + 60
    while process.poll() is None and not list(folder.rglob(pattern)) and time.monotonic() < end:
        time.sleep(0.002)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, error = process.communicate(timeout=60)
    return process.returncode, error


def test_a_training_that_is_killed_at_random_moments_ends_as_if_it_had_not_been(place, tmp_path):
    given = [*options(place, place / "cache"), "--iterations", "150"]
    assert main(["train", "--out", str(tmp_path / "whole"), *given, "--quiet"]) == 0
    draw, kills = random.Random(0), []
    command = train_command(tmp_path / "killed", [*given, "--save-seconds", "0.05"])
    for moment in (10, 60):
        kills.append(run_until(command, moment, 0.1 * draw.random()))
    assert None not in kills
    assert kills[1].resumed > 0  # it went on, and not from the start
    assert main([*command[3:], "--quiet"]) == 0
    assert differences(tmp_path / "whole", tmp_path / "killed") == []


def test_ctrl_c_saves_a_training_and_says_how_to_go_on(place, tmp_path):
    run = tmp_path / "run"
    given = [*options(place, place / "cache"), "--iterations", "100000", "--quiet"]
    command = train_command(run, [*given, "--save-seconds", "0", "--save-every", "1"])
    # after the first epoch's save it is in the midst of the mini-batches
    found, error = interrupted(command, signal.SIGINT, run, "resume.pt")
    assert found == 130
    assert error.strip().splitlines()[-1].startswith("interrupted: run the same command again")
    assert "Traceback" not in error
    names = {path.name for path in run.iterdir()}
    assert {"resume.pt", "log.csv"} <= names
    assert not {name for name in names if name.startswith(".")}


def test_an_extraction_that_is_killed_stores_the_rest(place, tmp_path):
    command = [sys.executable, "-m", "rstan_lite.cli", "extract", *options(place, tmp_path)]
    code, _ = interrupted(command, signal.SIGKILL, tmp_path, "run/*.safetensors")
    assert code == -signal.SIGKILL
    before = stored(tmp_path)
    whole = stored(place / "cache")
    assert len([name for name in before if name in whole]) < len(whole)
    assert main(command[3:]) == 0
    assert stored(tmp_path) == whole


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_puppets_that_are_interrupted_are_the_same_clips(place, tmp_path, number, code):
    root = tmp_path / "root"
    command = [sys.executable, "-m", "rstan_lite.cli", "puppets", str(root), "--quiet"]
    command += ["--clips-per-class", "4", "--classes", ",".join(CLASSES), "--size", "64", "80"]
    found, error = interrupted(command, number, root, "*.mat")
    assert found == code
    assert "Traceback" not in error
    with pytest.raises(ConfigError, match="seed = "):
        generate(root, seed=3, **PUPPETS)
    generate(root, **PUPPETS)
    assert stored(root) == stored(place / "clips")
