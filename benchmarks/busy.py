"""Trainings and the tour beside other work: how much longer they take if every core is busy.

Each round runs once alone and once beside as many busy processes per core as asked, in turn, so
that both meet the same other load of the machine. Clips and features of trainings are made before;
a tour makes its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from rstan_lite.system.threads import cores, environment

TRAIN = ("train", "--dataset", "puppets", "--quiet", "--out", "{out}", "--profile")
COMMANDS = {
    "tiny": (*TRAIN, "tiny"),
    "course": (*TRAIN, "course", "--backbone", "puppetnet", "--iterations", "60"),
    "tour": ("tour", "-p", "out={out}"),
}
WAYS = ("alone", "busy")


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Inside, so many processes compute without an end."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: 1"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def run(name: str, out: Path) -> float:
    """Seconds of one of the COMMANDS, which writes into a folder."""
    words = [word.format(out=out) for word in COMMANDS[name]]
    command = [sys.executable, "-m", "rstan_lite", *words]
    own = {"RSTAN_CACHE": str(out / "cache")} if name == "tour" else {}
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, env=environment() | own, encoding="utf-8")
    if done.returncode:
        sys.exit(f"{name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return time.perf_counter() - start


def measure(rounds: int, per_core: int, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """For each command: seconds of both ways by round, medians, their ratio, and the load before.

    per_core: busy processes for each core. names: of COMMANDS.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        with tempfile.TemporaryDirectory() as folder:
            if name != "tour":
                run(name, Path(folder) / "first")  # makes clips and features
            load = psutil.getloadavg()[0]
            for i in range(rounds):
                for way in WAYS if i % 2 == 0 else reversed(WAYS):
                    with busy(per_core * cores() if way == "busy" else 0):
                        seconds[way].append(run(name, Path(folder) / f"{way}-{i}"))
        middle = {way: statistics.median(seconds[way]) for way in WAYS}
        ratios = [b / a for a, b in zip(seconds["alone"], seconds["busy"], strict=True)]
        found[name] = {
            "seconds": seconds,
            "medians": middle,
            "ratio": statistics.median(ratios),
            "processes": per_core * cores(),
            "load": load,
        }
        said = ", ".join(f"{way} {value:.1f} s" for way, value in middle.items())
        print(f"{name}: {said}, x{found[name]['ratio']:.2f}; load before {load:.1f}", flush=True)
    return found
