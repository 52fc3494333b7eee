"""Peak memory of one pass, in a process of its own: what it takes beyond model and mini-batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.cases import Bench, Sizes


def peak(sizes: Sizes, way: str, backward: bool, threads: int = 2) -> float:
    """MiB that a pass adds to what the process holds before it, gradients included. Linux only."""
    task = json.dumps({"sizes": asdict(sizes), "way": way, "backward": backward})
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        # glibc raises this threshold as it runs and then keeps large blocks that were freed:
        # fixed, what is freed is given back, and two runs give the same figure
        "MALLOC_MMAP_THRESHOLD_": str(1 << 17),
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", task],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=environment,
    )
    if done.returncode:
        raise RuntimeError(f"measuring {way} failed:\n{done.stderr}")
    return float(done.stdout)


def _forget_highest() -> None:
    """Begin the system's record of the largest resident memory anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _resident(which: str) -> int:
    """Resident memory in KiB: "VmRSS" now, or "VmHWM", the largest since `_forget_highest`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{which}:"))
    return int(line.split()[1])


def main(task: str) -> None:
    given = json.loads(task)
    sizes = Sizes(**given["sizes"])
    tiny = Sizes(2, 2, 8, 8, sizes.attention, places=4, d_h=8, d_att=8)
    Bench(tiny).step(given["way"], given["backward"])  # loads what torch loads at first use
    bench = Bench(sizes)
    _forget_highest()
    before = _resident("VmRSS")
    bench.step(given["way"], given["backward"])
    print((_resident("VmHWM") - before) / 2**10)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    main(sys.argv[1])
