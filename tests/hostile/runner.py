"""Runs cases in a worker process, so that a crash or a hang is a finding and not the end."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from tests.hostile import worker

WALL = 120.0  # seconds that a case may take on a busy machine: one that reads a pipe never ends


def run_cases(world: Path, chosen: Iterable[str | int]) -> Iterator[dict[str, Any]]:
    """The answers of cases, see `worker.run`, in order, each as it comes."""
    pool = _pool()
    try:
        for case in chosen:
            try:
                yield pool.submit(worker.run, case, world).result(WALL)
                continue
            except BrokenExecutor:
                finding = "the process died"
            except TimeoutError:
                finding = f"a hang of {WALL:.0f} s"
            _end(pool)
            pool = _pool()
            name = case.partition(": ")[0] if isinstance(case, str) else worker.draw(case)[0]
            yield {"case": case, "entry": name, "kind": "", "outcome": "lost", "finding": finding}
    finally:
        _end(pool)


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), worker.limit)


def _end(pool: ProcessPoolExecutor) -> None:
    for process in active_children():
        process.kill()
    pool.shutdown(cancel_futures=True)


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
