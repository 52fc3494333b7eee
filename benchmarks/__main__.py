"""`make bench`: measure, print, and write bench.json and bench.png into a folder.

`python -m benchmarks gpu`, which is `make gpu`, checks a GPU instead: see gpu.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import torch

from benchmarks import busy, gpu
from benchmarks.cases import PAPER, SMALL, WAYS, Bench
from benchmarks.figure import draw
from benchmarks.floor import floor, rates
from benchmarks.growth import growth
from benchmarks.inputs import measure
from benchmarks.memory import peak
from benchmarks.timing import interleaved

PARTS = ("speed", "memory", "growth", "inputs", "startup", "explorer", "busy")


def speed(names: list[str], device: str, precision: str, rounds: int) -> list[dict[str, Any]]:
    """A row for each size and pass: all ways, ratios to the reference and to the floor."""
    rate, rows = rates(device, precision), []
    for name in names:
        sizes = {**PAPER, **SMALL}[name]
        bench = Bench(sizes, device, precision)
        for title, run in bench.passes().items():
            least = floor(sizes, "backward" in title, rate)
            # An overhead of milliseconds needs more rounds than an arithmetic of seconds.
            times = rounds if name in PAPER else 10 * rounds
            row = {
                "size": name,
                "pass": title,
                "device": device,
                "precision": precision,
                "threads": torch.get_num_threads(),
                "rounds": times,
                "sizes": asdict(sizes),
                "floor": least,
                "ways": interleaved(run, WAYS, times, "reference"),
                "load": psutil.getloadavg()[0],
            }
            rows.append(row)
            print(_line(row), flush=True)
    return rows


def memory() -> dict[str, dict[str, float]]:
    """MiB that a training step takes, by size and way: UCF101's, and the same at T 32."""
    found: dict[str, dict[str, float]] = {}
    sizes = PAPER["UCF101"]
    for name, size in {"UCF101, T 32": replace(sizes, steps=32), "UCF101": sizes}.items():
        found[name] = {way: peak(size, way, True) for way in WAYS}
        print(name, {way: f"{value:.0f} MiB" for way, value in found[name].items()}, flush=True)
    return found


def startup(rounds: int) -> dict[str, float]:
    """Seconds, the best of some, that commands take which compute nothing."""
    commands = {
        "rstan-lite --help": ["-m", "rstan_lite.cli", "--help"],
        "import rstan_lite.model": ["-c", "import rstan_lite.model"],
    }
    found = {}
    for name, command in commands.items():
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
        found[name] = min(seconds)
    return found


def merged(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of both, a new one in the place of an old one of the same setting."""
    keys = ("size", "pass", "device", "precision", "threads")
    rows = {tuple(row[key] for key in keys): row for row in [*old, *new]}
    return list(rows.values())


def _line(row: dict[str, Any]) -> str:
    ways = ", ".join(
        f"{way} {1000 * found['seconds']:.0f} ms (x{found['ratio']:.2f}, processor "
        f"x{found['cpu_ratio']:.2f})"
        for way, found in row["ways"].items()
    )
    title = f"{row['size']}, {row['pass']}, {row['device']}, {row['precision']}, "
    title += f"{row['threads']} threads"
    return f"{title}: {ways}; floor {1000 * row['floor']:.0f} ms; load {row['load']:.1f}"


def explorer(rounds: int) -> dict[str, dict[str, Any]]:
    """What a move of the attention explorer's slider costs; needs what draws it."""
    from benchmarks.explorer import MOVES, measure

    found = measure(rounds)
    for way, row in found.items():
        each = 1000 * row["cpu_seconds"] / MOVES
        print(f"{way}: {each:.1f} ms of the processor a move, x{row['cpu_ratio']:.1f}")
    return found


def main() -> int:
    """The command line; the exit code."""
    if sys.argv[1:2] == ["gpu"]:
        return gpu.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="rstan-lite bench", description=__doc__)
    parser.add_argument("--out", default="runs/bench", help="folder of the results")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each timing")
    parser.add_argument("--threads", type=int, default=2, help="threads on the CPU")
    parser.add_argument("--per-core", type=int, default=1, help="busy processes a core, of `busy`")
    names = "tiny,course"  # the tour takes minutes
    parser.add_argument("--busy", default=names, help=f"commands of `busy`: {names},tour")
    parser.add_argument("--parts", default=",".join(PARTS), help="of: " + ", ".join(PARTS))
    sizes = ",".join([*PAPER, *SMALL])
    parser.add_argument("--sizes", default=sizes, help=f"sizes of `speed`, of: {sizes}")
    parser.add_argument("--root", help="clips of `inputs`, in JHMDB's layout (none: generated)")
    arguments = parser.parse_args()
    parts, out = arguments.parts.split(","), Path(arguments.out)
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"--parts: found {', '.join(unknown)}; expected some of {', '.join(PARTS)}")
    torch.set_num_threads(arguments.threads)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "bench.json"
    # Parts measured before stay, so that a long measurement can be made piece by piece.
    report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    report["machine"] = gpu.machine()
    settings = [("cpu", "32")]
    if torch.cuda.is_available():
        settings += [("cuda", "32"), ("cuda", "bf16")]
    else:
        print("no GPU here: its speed is not measured", flush=True)
    work = {
        "speed": lambda: [
            row
            for device, precision in settings
            for row in speed(arguments.sizes.split(","), device, precision, arguments.rounds)
        ],
        "memory": memory,
        "growth": lambda: growth(arguments.rounds, arguments.threads),
        "inputs": lambda: measure(Path(arguments.root) if arguments.root else None),
        "startup": lambda: startup(arguments.rounds),
        "explorer": lambda: explorer(arguments.rounds),
        "busy": lambda: busy.measure(
            arguments.rounds, arguments.per_core, arguments.busy.split(",")
        ),
    }
    for part in parts:
        found = work[part]()
        report[part] = merged(report.get(part, []), found) if part == "speed" else found
        if part in ("inputs", "startup"):
            print("\n".join(f"{name}: {value:.3g}" for name, value in found.items()), flush=True)
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    draw(report, out / "bench.png")
    print(f"written: {path} and {out / 'bench.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
