"""Looks at Python, the libraries and the machine. Nothing here imports torch into this process.

torch is asked in a process of its own: a broken installation can end the process that imports it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rstan_lite.system.check import Check

PYTHON_RANGE = ((3, 11), (3, 14))
LIBRARIES = {  # distributions whose absence stops the project, with the module each one gives
    "av": "av",
    "filelock": "filelock",
    "lightning-fabric": "lightning_fabric",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "opencv-contrib-python-headless": "cv2",
    "pillow": "PIL",
    "psutil": "psutil",
    "rarfile": "rarfile",
    "safetensors": "safetensors",
    "scikit-learn": "sklearn",
    "scipy": "scipy",
    "seaborn": "seaborn",
    "torchmetrics": "torchmetrics",
    "tqdm": "tqdm",
}
JUPYTER = ("ipykernel", "ipywidgets", "jupyterlab", "latex2mathml", "nbconvert", "papermill")
MEMORY_NEEDED = 3.0  # GiB, what the tour stays under
DISK_NEEDED = 5.0  # GiB, room for features of JHMDB and for runs
REINSTALL = "Install again: pip install -e . (or make .venv/.installed) in the checkout."

_TORCH_PROBE = """
import json, sys
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
print("\\n" + json.dumps(said))
"""


def probe_torch(python: str = sys.executable, timeout: float = 180.0) -> dict[str, Any]:
    """What torch says of itself in a process of its own; {"error": why} where it says nothing."""
    try:
        done = subprocess.run(
            [python, "-c", _TORCH_PROBE],
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
        return {"error": last[0][:300]}
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


def check_python(version: tuple[int, int], executable: str) -> Check:
    """The interpreter is one that the project supports."""
    found = f"{version[0]}.{version[1]} ({executable})"
    if PYTHON_RANGE[0] <= version < PYTHON_RANGE[1]:
        return Check("Python", "ok", found)
    return Check("Python", "fail", found, "Use Python 3.11, 3.12 or 3.13.")


def check_torch(said: Mapping[str, Any]) -> Check:
    """torch and torchvision are there and fit each other."""
    if "error" in said:
        return Check("PyTorch", "fail", f"does not import: {said['error']}", REINSTALL)
    found = f"torch {said['torch']}, torchvision {said.get('torchvision', '(none)')}"
    release = re.match(r"(\d+)\.(\d+)", said["torch"])
    if release is None or (int(release[1]), int(release[2])) < (2, 6):
        return Check("PyTorch", "fail", found, "Use torch 2.6 or newer.")
    if not said.get("together"):
        why = said.get("torchvision_error", "an operator of torchvision computes nonsense")
        advice = "They must be a pair of releases from one source. " + REINSTALL
        return Check("PyTorch", "fail", f"{found}; not working together: {why}", advice)
    return Check("PyTorch", "ok", found)


def check_gpu(said: Mapping[str, Any], driver: bool) -> Check:
    """The GPUs that torch can compute on. driver: whether NVIDIA's driver tool is installed."""
    gpus = said.get("gpus", [])
    if gpus:
        shown = [
            f"{n}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free" for n, free, total, _ in gpus
        ]
        if all(works for *_, works in gpus):
            return Check("GPU", "ok", "; ".join(shown))
        return Check("GPU", "warn", "; ".join(shown) + "; computes nonsense", "Update its driver.")
    if "gpu_error" in said:
        return Check("GPU", "warn", said["gpu_error"], "Restart the machine or update its driver.")
    advice = "Everything runs on the CPU; the profile `paper` is meant for a GPU."
    if driver and said.get("cuda_build") is None and "error" not in said:
        advice = "There is an NVIDIA driver, but this torch is a CPU build: install a CUDA build."
    elif driver:
        advice = f"There is an NVIDIA driver; it may be too old for CUDA {said.get('cuda_build')}."
    return Check("GPU", "warn", "none that torch can use", advice)


def check_threads(cores: int, said: Mapping[str, Any], asked: str | None) -> Check:
    """CPU cores, and how many of them torch uses."""
    threads = said.get("threads")
    found = f"{cores} cores, {threads if threads else 'unknown'} threads in torch"
    if asked:
        found += f" (OMP_NUM_THREADS={asked})"
    if threads and threads > cores:
        return Check("CPU", "warn", found, f"Set OMP_NUM_THREADS={cores}: more threads are slower.")
    return Check("CPU", "ok", found)


def available_memory() -> float | None:
    """GiB that programs may still take; None without the library that asks the system."""
    try:
        import psutil
    except ImportError:
        return None
    return float(psutil.virtual_memory().available) / 2**30


def check_memory(available: float | None) -> Check:
    """Enough memory for the tour. available: GiB."""
    if available is None:
        return Check("Memory", "warn", "unknown", f"The tour takes up to {MEMORY_NEEDED:.0f} GiB.")
    found = f"{available:.1f} GiB available"
    if available >= MEMORY_NEEDED:
        return Check("Memory", "ok", found)
    return Check(
        "Memory", "warn", found, f"Close programs: the tour takes {MEMORY_NEEDED:.0f} GiB."
    )


def check_disk(folder: str | os.PathLike[str]) -> Check:
    """Room for stores and runs in a folder."""
    free = shutil.disk_usage(folder).free / 2**30
    found = f"{free:.1f} GiB free in {Path(folder).resolve()}"
    if free >= DISK_NEEDED:
        return Check("Disk", "ok", found)
    return Check(
        "Disk", "warn", found, f"Features of JHMDB take a few GiB: free {DISK_NEEDED:.0f}."
    )


def versions(names: Sequence[str]) -> dict[str, str | None]:
    """Installed version of each distribution, None where it is absent."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def has_module(name: str) -> bool:
    """Whether a module could be imported, without importing it."""
    return importlib.util.find_spec(name) is not None


def check_libraries(found: Mapping[str, str | None], modules: Mapping[str, bool]) -> Check:
    """The libraries that everything needs. modules: whether each one's module is importable."""
    missing = [name for name in found if not modules[name]]
    if missing:
        return Check("Libraries", "fail", f"missing: {', '.join(missing)}", REINSTALL)
    shown = (f"{name} {version or '(another distribution)'}" for name, version in found.items())
    return Check("Libraries", "ok", ", ".join(shown))


def check_flow() -> Check:
    """OpenCV's two optical flow methods compute."""
    import numpy as np

    advice = "Only one OpenCV may be installed: remove opencv-python*, then install "
    advice += "opencv-contrib-python-headless again."
    try:
        from rstan_lite.features.flow import OPENCV, flow_sequence

        frames = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
        for method in OPENCV:
            flow_sequence(frames, method)
    except (ImportError, AttributeError) as error:  # a stripped OpenCV lacks names
        return Check("Optical flow", "fail", f"{type(error).__name__}: {error}", advice)
    return Check("Optical flow", "ok", f"{' and '.join(OPENCV)} compute")


def check_jupyter(found: Mapping[str, str | None]) -> Check:
    """The notebooks' libraries."""
    missing = [name for name, version in found.items() if version is None]
    if not missing:
        return Check("Jupyter", "ok", ", ".join(f"{n} {v}" for n, v in found.items()))
    advice = "Notebooks need them: pip install 'rstan-lite[notebooks]'. Training does not."
    return Check("Jupyter", "warn", f"missing: {', '.join(missing)}", advice)


def check_compiler() -> Check:
    """What torch.compile needs: a C++ compiler and Python's headers."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++", "cl"]
    compiler = next((path for name in names if (path := shutil.which(name))), None)
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    advice = "Only torch.compile needs them; everything runs without, a little slower."
    if compiler is None:
        return Check("Compiler", "warn", f"none ({', '.join(names)})", advice)
    if not header.is_file():
        return Check("Compiler", "warn", f"{compiler}, but no {header}", advice)
    return Check("Compiler", "ok", f"{compiler}, with Python's headers")
