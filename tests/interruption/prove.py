"""Kill one training many times at random moments, and compare it with one that was left alone.

    python tests/interruption/prove.py FOLDER --kills 20 -- --dataset jhmdb --root /path --cache ...

What follows `--` are options of `rstan-lite train`. FOLDER/whole is never killed; FOLDER/killed is,
by SIGKILL, and given again each time. Both run at once. Every file of the run must be equal byte
for byte in the end, metrics but for seconds and memory.
The exit code is 1 where anything differs. A short form of it is a test, `test_kills.py`.
"""

import argparse
import hashlib
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

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


def main() -> int:
    """Run both trainings and compare them; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--iterations", type=int, default=600, help="of the training")
    parser.add_argument("options", nargs="+", help="of rstan-lite train, after --")
    given = parser.parse_args()
    options = [*given.options, "--iterations", str(given.iterations)]
    whole, killed = given.folder / "whole", given.folder / "killed"
    draw, kills = random.Random(given.seed), list[Kill]()
    given.folder.mkdir(parents=True, exist_ok=True)
    with (given.folder / "whole.txt").open("w", encoding="utf-8") as log:
        alone = subprocess.Popen(train_command(whole, options), stdout=log, stderr=log)
        # one moment in each equal part of the training, so that there is room for all of them
        part = given.iterations / given.kills
        command = train_command(killed, [*options, "--save-seconds", "1"])
        for number in range(given.kills):
            moment = int(part * (number + draw.random()))
            kill = run_until(command, moment, draw.random())
            if kill is None:
                break
            kills.append(kill)
            print(f"kill {len(kills)}: from {kill.resumed} to {kill.killed}", flush=True)
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        alone.wait()
    print(f"{len(kills)} kills")
    found = differences(whole, killed)
    print("different: " + "; ".join(found) if found else "equal bit for bit")
    return int(bool(found) or len(kills) < given.kills)


if __name__ == "__main__":
    sys.exit(main())
