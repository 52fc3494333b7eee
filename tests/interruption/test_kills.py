"""Killed at any moment, a command goes on to what it would have made without it."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from small_runs import write_networks

from rstan_lite.cli import main
from rstan_lite.puppets import generate
from rstan_lite.system.errors import ConfigError

pty, termios = map(pytest.importorskip, ("pty", "termios"))  # Windows has neither

CLASSES = ["run", "wave"]
PUPPETS = {"clips_per_class": 4, "classes": CLASSES, "workers": 1, "size": (64, 80),
           "progress": False}  # fmt: skip


EXACT = (
    "checkpoint.safetensors", "checkpoint.json", "log.csv", "confusion.csv", "predictions.npz",
    "predictions_validation.npz",
)  # fmt: skip
TIMED = ("seconds", "peak_memory", "peak_gpu_memory")
_BAR = re.compile(rb"train:[^\r]*?(\d+)/\d+ \[")


class Kill(NamedTuple):
    """Iterations that the bar showed: the first after the start, and the last before the kill."""

    resumed: int
    killed: int


def train_command(out: Path, options: list[str]) -> list[str]:
    """The command line of a training, with a bar that is written at every mini-batch."""
    return [sys.executable, "-m", "rstan_lite.cli", "train", "--out", str(out), *options]


def run_until(command: list[str], iteration: int, delay: float) -> Kill | None:
    """Start a command and kill it `delay` seconds after its bar shows an iteration.

    None where it came to its end before; RuntimeError, with its last words, where it failed.
    """
    environment = os.environ | {"TQDM_MININTERVAL": "0"}
    terminal, inside = pty.openpty()  # there is a bar at a terminal alone
    termios.tcsetwinsize(inside, (24, 100))
    os.set_blocking(terminal, False)
    process = subprocess.Popen(command, stderr=inside, env=environment)
    os.close(inside)
    text, shown, end = b"", [-1], float("inf")
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
        if more := _waiting(terminal):
            text += more
            shown = [int(number) for number in _BAR.findall(text)] or shown
        if shown[-1] >= iteration and end == float("inf"):
            end = time.monotonic() + delay
    process.kill()
    code = process.wait()
    text += _waiting(terminal)
    os.close(terminal)
    if code == -signal.SIGKILL:
        shown = [int(number) for number in _BAR.findall(text)] or shown
        return Kill(shown[0], shown[-1])
    if code:
        raise RuntimeError(f"{' '.join(command)}: exit code {code}: {text.decode()[-2000:]}")
    return None


def _waiting(terminal: int) -> bytes:
    """What was written to a terminal and not read yet."""
    text = b""
    with suppress(BlockingIOError, OSError):  # nothing yet; nobody who could write any more
        while more := os.read(terminal, 2**16):
            text += more
    return text


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two finished run folders, in words; prints the hashes."""
    found = []
    for name in EXACT:
        hashes = [hashlib.sha256((run / name).read_bytes()).hexdigest() for run in (one, other)]
        print(f"{name}: {hashes[0][:16]} {hashes[1][:16]}")
        if hashes[0] != hashes[1]:
            found.append(name)
    first, second = (
        json.loads((run / "metrics.json").read_text(encoding="utf-8")) for run in (one, other)
    )
    names = sorted(n for n in {*first, *second} if first.get(n) != second.get(n))
    found += [f"metrics.json: {name}" for name in names if name not in TIMED]
    print(f"metrics.json: {len(first)} numbers; different: {', '.join(names) or 'none'}")
    left = [p.name for p in other.iterdir() if p.name.startswith(("resume", "."))]
    return found + [f"left behind: {name}" for name in sorted(left)]


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


def test_puppets_that_are_killed_are_the_same_clips(place, tmp_path):
    root = tmp_path / "root"
    command = [sys.executable, "-m", "rstan_lite.cli", "puppets", str(root), "--quiet"]
    command += ["--clips-per-class", "4", "--classes", ",".join(CLASSES), "--size", "64", "80"]
    assert interrupted(command, signal.SIGKILL, root, "*.mat")[0] == -signal.SIGKILL
    with pytest.raises(ConfigError, match="seed = "):
        generate(root, seed=3, **PUPPETS)
    generate(root, **PUPPETS)
    assert stored(root) == stored(place / "clips")
