"""Trainings beside other work: how much longer they take if every core is busy.

Each round trains once alone and once beside as many busy processes per core as asked, in turn, so
that both meet the same other load of the machine. Clips and features are made before.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from rstan_lite.system.threads import cores, environment

PROFILES = {"tiny": (), "course": ("--backbone", "puppetnet", "--iterations", "60")}
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


def train(profile: str, out: Path) -> float:
    """Seconds of a command that trains on generated clips."""
    words = ["train", "--dataset", "puppets", "--profile", profile, "--out", str(out), "--quiet"]
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "rstan_lite", *words, *PROFILES[profile]],
        check=True,
        capture_output=True,
        env=environment(),
    )
    return time.perf_counter() - start


def measure(rounds: int, per_core: int = 1) -> dict[str, dict[str, Any]]:
    """For each profile: seconds of both ways by round, medians, their ratio, and the load before.

    per_core: busy processes for each core.
    """
    found: dict[str, dict[str, Any]] = {}
    for profile in PROFILES:
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        with tempfile.TemporaryDirectory() as folder:
            train(profile, Path(folder) / "first")  # makes clips and features
            load = psutil.getloadavg()[0]
            for i in range(rounds):
                for way in WAYS if i % 2 == 0 else reversed(WAYS):
                    with busy(per_core * cores() if way == "busy" else 0):
                        seconds[way].append(train(profile, Path(folder) / f"{way}-{i}"))
        middle = {way: statistics.median(seconds[way]) for way in WAYS}
        ratios = [b / a for a, b in zip(seconds["alone"], seconds["busy"], strict=True)]
        found[profile] = {
            "seconds": seconds,
            "medians": middle,
            "ratio": statistics.median(ratios),
            "processes": per_core * cores(),
            "load": load,
        }
        said = ", ".join(f"{way} {value:.1f} s" for way, value in middle.items())
        print(
            f"{profile}: {said}, x{found[profile]['ratio']:.2f}; load before {load:.1f}", flush=True
        )
    return found
