"""The doctor's looks at Python, the libraries and the machine, and how a look is shown.

Nothing here imports torch or another library that may be broken into this process: they are
imported in a process of their own, which they can end.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rstan_lite.system.settings import OTHER_CACHE
from rstan_lite.system.tables import aligned
from rstan_lite.system.threads import NUMBERS, asked

PACKAGE = "rstan-lite"
MODULES = {  # of distributions whose module has another name
    "opencv-contrib-python-headless": "cv2",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
}
JUPYTER = ("ipykernel", "ipywidgets", "jupyterlab", "latex2mathml", "nbconvert", "papermill")
MEMORY_NEEDED = 3.0  # GiB, what the tour stays under
PATIENCE = 600.0  # s: on a busy machine all imports take minutes
DISK_NEEDED = 5.0  # GiB, room for features of JHMDB and for runs
NOTEBOOKS = "Notebooks need them: pip install -e '.[notebooks]', or WHEEL[notebooks]."
REINSTALL = "Install again: pip install -e . (or make .venv/.installed) in the checkout."

_TORCH_PROBE = """
import json
said = {}
import torch
said.update(torch=torch.__version__, threads=torch.get_num_threads(), cuda_build=torch.version.cuda)
try:
    import torchvision
    said["torchvision"] = torchvision.__version__
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    said["together"] = len(torchvision.ops.nms(boxes, torch.tensor([1.0, 0.5]), 0.5)) == 1
except Exception as error:
    said["torchvision_error"] = f"{type(error).__name__}: {error}"
said["gpus"] = []
try:
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            one = float(torch.ones(2, device=f"cuda:{index}").sum()) == 2
            said["gpus"].append([torch.cuda.get_device_name(index), free, total, one])
except Exception as error:
    said["gpu_error"] = f"{type(error).__name__}: {error}"
print("\\nsaid " + json.dumps(said))
"""
_LIBRARY_PROBE = """
import importlib, json, sys
for name in sys.argv[1:]:
    why = ""
    try:
        importlib.import_module(name)
    except BaseException as error:
        why = f"{type(error).__name__}: {error}"
    print("\\nsaid " + json.dumps([name, why]), flush=True)
"""


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    state: "ok"; "warn" for what the project can do without; "fail" for what it can't.
    found: what is there. advice: what to do, where the state is not "ok".
    """

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def as_table(checks: Sequence[Check]) -> str:
    """The checks as lines of text: state, name, what was found; advice below."""
    rows: list[tuple[str, str, str]] = []
    for check in checks:
        rows.append((check.state, check.name, check.found))
        rows += [("", "", f"-> {check.advice}")] if check.advice else []
    counts = {state: sum(c.state == state for c in checks) for state in ("ok", "warn", "fail")}
    summary = ", ".join(f"{number} {state}" for state, number in counts.items())
    return "\n".join([*aligned(rows), "", summary])


def probe_torch(python: str = sys.executable, timeout: float = PATIENCE) -> dict[str, Any]:
    """What torch says of itself in a process of its own; {"error": why} where it says nothing."""
    said, why = _probe(python, _TORCH_PROBE, [], timeout)
    return {"error": why} if why else dict(said[-1])


def probe_libraries(
    modules: Sequence[str], python: str = sys.executable, timeout: float = PATIENCE
) -> dict[str, str]:
    """Why each module can't be imported, "" where it can, as a process of its own found out."""
    said, why = _probe(python, _LIBRARY_PROBE, modules, timeout)
    ended = f"Python ended before it: {why}"  # in the first of them, or in those before it
    return dict.fromkeys(modules, ended if why else "") | dict(said)


def _probe(
    python: str, code: str, arguments: Sequence[str], timeout: float
) -> tuple[list[Any], str]:
    """What a piece of Python said in a process of its own, and why that ended early, or ""."""
    command = [python, "-c", code, *arguments]
    printed, why = b"", ""
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
        printed = done.stdout
        if done.returncode:
            complaint = done.stderr.decode(errors="replace").strip().splitlines()
            why = complaint[-1][:300] if complaint else f"it ended with {done.returncode}"
    except subprocess.TimeoutExpired as error:
        printed = error.stdout or b""
        why = f"no end within {timeout:g} s: it hangs, or this machine is very busy"
    lines = printed.decode(errors="replace").splitlines()
    return [json.loads(line[5:]) for line in lines if line.startswith("said ")], why


def check_torch(said: Mapping[str, Any]) -> Check:
    """torch and torchvision are there and fit each other."""
    if "error" in said:
        return Check("PyTorch", "fail", f"does not import: {said['error']}", REINSTALL)
    found = f"torch {said['torch']}, torchvision {said.get('torchvision', '(none)')}"
    if not said.get("together"):
        why = said.get("torchvision_error", "an operator of torchvision computes nonsense")
        advice = "They must be a pair of releases from one source. " + REINSTALL
        return Check("PyTorch", "fail", f"{found}; not working together: {why}", advice)
    return Check("PyTorch", "ok", found)


def libraries() -> dict[str, str]:
    """The distributions without which nothing runs, PyTorch's two aside, and their modules."""
    required = importlib.metadata.requires(PACKAGE) or []
    names = [re.split(r"[^\w-]", line)[0] for line in required if "extra ==" not in line]
    kept = [name for name in names if name not in ("torch", "torchvision")]
    return {name: MODULES.get(name, name.replace("-", "_")) for name in kept}


def check_libraries(
    title: str, problems: Mapping[str, str], state: Literal["warn", "fail"], advice: str
) -> Check:
    """Libraries are there and can be imported; a problem has this state and advice.

    problems: why each distribution's module can't be imported, "" where it can.
    """
    broken = [f"{name} does not import ({why[:300]})" for name, why in problems.items() if why]
    if broken:
        return Check(title, state, "; ".join(broken), advice)
    found = versions(list(problems)).items()
    shown = ", ".join(f"{name} {known or '(another distribution)'}" for name, known in found)
    return Check(title, "ok", shown)


def check_gpu(said: Mapping[str, Any], driver: bool) -> Check:
    """The GPUs that torch can compute on. driver: whether NVIDIA's driver tool is installed."""
    if gpus := said.get("gpus", []):
        room = [(n, free / 2**30, total / 2**30) for n, free, total, _ in gpus]
        shown = "; ".join(f"{n}, {free:.1f} of {total:.1f} GiB free" for n, free, total in room)
        if all(works for *_, works in gpus):
            return Check("GPU", "ok", shown)
        return Check("GPU", "warn", f"{shown}; computes nonsense", "Update its driver.")
    if "gpu_error" in said:
        return Check("GPU", "warn", said["gpu_error"], "Restart the machine or update its driver.")
    advice = "Everything runs on the CPU; the profile `paper` is meant for a GPU."
    if driver and said.get("cuda_build") is None and "error" not in said:
        advice = "There is an NVIDIA driver, but this torch is a CPU build: install a CUDA build."
    elif driver:
        advice = f"There is an NVIDIA driver; it may be too old for CUDA {said.get('cuda_build')}."
    return Check("GPU", "warn", "none that torch can use", advice)


def check_threads(cores: int, said: Mapping[str, Any]) -> Check:
    """CPU cores, and how many threads compute."""
    numbers = ", ".join(f"{name}={os.environ[name]}" for name in NUMBERS if name in os.environ)
    if not asked():
        found = f"{cores} cores; 1 thread for small work, {cores} for large work"
        return Check("CPU", "ok", found)
    found = f"{cores} cores; {said.get('threads', 'unknown')} threads in torch ({numbers})"
    if said.get("threads", 0) > cores:
        advice = f"Set OMP_NUM_THREADS={cores}: more threads are slower."
        return Check("CPU", "warn", found, advice)
    return Check("CPU", "ok", found)


def check_memory() -> Check:
    """Enough memory for the tour."""
    import psutil  # not above: it may be broken

    available = psutil.virtual_memory().available / 2**30
    enough = available >= MEMORY_NEEDED
    advice = "" if enough else f"Close programs: the tour takes up to {MEMORY_NEEDED:.0f} GiB."
    return Check("Memory", "ok" if enough else "warn", f"{available:.1f} GiB available", advice)


def check_disk(folder: str | os.PathLike[str]) -> Check:
    """Room for stores in a folder, which need not be there yet; whether it can be written."""
    place = Path(folder).resolve()
    there = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(there).free / 2**30
    enough = free >= DISK_NEEDED
    advice = "" if enough else f"Features of JHMDB take a few GiB: free {DISK_NEEDED:.0f}."
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Check("Disk", "warn", f"{there} can't be written", OTHER_CACHE)
    found = f"{free:.1f} GiB free in {place}"
    return Check("Disk", "ok" if enough else "warn", found, advice)


def versions(names: Sequence[str]) -> dict[str, str | None]:
    """Installed version of each distribution, None where it is absent."""
    found: dict[str, str | None] = dict.fromkeys(names)
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
