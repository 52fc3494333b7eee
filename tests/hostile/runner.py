"""Runs cases in a worker process, so that a crash or a hang is a finding and not the end."""

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PROCESSOR = 10.0  # seconds of processor time that a case may take
WALL = 30.0  # seconds that it may wait without computing: for ever, if it reads a pipe
START = 300.0  # seconds in which a worker must be ready, on however busy a machine


class Worker:
    """One process that answers cases; it is started again after a crash or a hang."""

    def __init__(self, world: Path):
        self.world = world
        self._process: subprocess.Popen[str] | None = None

    def ask(self, case: str | int) -> dict[str, Any]:
        """A case's answer, see `worker.run`."""
        if self._process is None:
            self._start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        began = moved = time.monotonic()
        spent = last = self._spent()
        process.stdin.write(json.dumps(case) + "\n")
        process.stdin.flush()
        while not self._answered(0.2):
            if process.poll() is not None:
                return self._lost(case, f"the process died (code {process.returncode})")
            if (now := self._spent()) > last:  # on a busy machine it may get there late
                last, moved = now, time.monotonic()
            if now - spent > PROCESSOR or time.monotonic() - moved > WALL:
                return self._lost(case, f"a hang of {time.monotonic() - began:.0f} s")
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            process.wait()
            return self._lost(case, f"the process died (code {process.returncode})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.worker", str(self.world)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd=ROOT, env=environment, encoding="utf-8",
        )  # fmt: skip
        if not self._answered(START) or not self._process.stdout:
            raise RuntimeError("the worker does not start")
        if json.loads(self._process.stdout.readline() or "null") != "ready":
            raise RuntimeError(f"the worker ended with code {self._process.wait()}")

    def _answered(self, seconds: float) -> bool:
        assert self._process is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def _spent(self) -> float:
        """Processor time of the process so far."""
        assert self._process is not None
        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    def _lost(self, case: str | int, finding: str) -> dict[str, Any]:
        self.close()
        name = case.partition(": ")[0] if isinstance(case, str) else ""
        return {"case": case, "entry": name, "kind": "by hand" if name else "", "outcome": "lost",
                "finding": finding, "seconds": PROCESSOR}  # fmt: skip


def run_cases(world: Path, chosen: Iterable[str | int]) -> Iterator[dict[str, Any]]:
    """The answers of cases, in order, each as it comes."""
    worker = Worker(world)
    try:
        for case in chosen:
            yield worker.ask(case)
    finally:
        worker.close()


def report(answers: list[dict[str, Any]], seed: int) -> str:
    """Markdown: how cases of each entry ended, and what was found."""
    lines = [f"# Hostile input: {len(answers)} cases, seeds from {seed}", ""]
    for name in dict.fromkeys(answer["entry"] for answer in answers):
        ends = Counter(answer["outcome"] for answer in answers if answer["entry"] == name)
        lines.append(f"- {name}: {', '.join(f'{n} {end}' for end, n in ends.items())}")
    found = [a for a in answers if a["finding"]]
    lines += ["", f"Findings: {len(found)}", ""]
    lines += [f"- {a['case']!r}: {a['entry']}, {a['kind']}: {a['finding']}" for a in found]
    return "\n".join(lines) + "\n"
