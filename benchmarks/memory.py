"""Peak memory of one pass, in a process of its own: what it takes beyond model and mini-batch."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict

import psutil
import torch

from benchmarks.cases import Bench, Sizes


def peak(sizes: Sizes, way: str, backward: bool, threads: int = 2) -> float:
    """MiB that a pass adds to what the process holds before it, gradients included."""
    task = json.dumps({"sizes": asdict(sizes), "way": way, "backward": backward})
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", task],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise RuntimeError(f"measuring {way} failed:\n{done.stderr}")
    return float(done.stdout)


def _highest() -> int:
    """Largest resident memory so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def main(task: str) -> None:
    given = json.loads(task)
    sizes = Sizes(**given["sizes"])
    tiny = Sizes(2, 2, 8, 8, sizes.attention, places=4, d_h=8, d_att=8)
    Bench(tiny).step(given["way"], given["backward"])  # loads what torch loads at first use
    bench = Bench(sizes)
    before, reached = psutil.Process().memory_info().rss, _highest()
    bench.step(given["way"], given["backward"])
    after = _highest()
    # Where the pass stays below what building the model took for a moment, it took at most that.
    print((max(after, reached) - before) / 2**20)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    main(sys.argv[1])
