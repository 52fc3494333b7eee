"""Every dependency has wheels for every supported Python, on three systems: a maintainer asks.

    RSTAN_REGISTRY=1 .venv/bin/python -m pytest tests/test_wheels.py

uv resolves the requirements of all extras without building anything. Python 3.15 is not supported:
PyAV has no wheels for it on macOS, and scikit-image has release candidates alone.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rstan_lite.system.machine import PYTHON_RANGE

ROOT = Path(__file__).resolve().parent.parent
(MAJOR, LOW), (_, BEYOND) = PYTHON_RANGE


@pytest.mark.registry
@pytest.mark.skipif(not os.environ.get("RSTAN_REGISTRY"), reason="RSTAN_REGISTRY is not set")
@pytest.mark.parametrize("platform", ["linux", "windows", "macos"])
@pytest.mark.parametrize("minor", range(LOW, BEYOND))
def test_every_dependency_has_wheels(platform: str, minor: int, tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    done = subprocess.run(
        [
            uv, "pip", "compile", "pyproject.toml", "--all-extras", "--quiet", "--no-header",
            "--only-binary", ":all:", "--python-platform", platform,
            "--python-version", f"{MAJOR}.{minor}", "--output-file", tmp_path / "found.txt",
        ],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "torch==" in (tmp_path / "found.txt").read_text(encoding="utf-8")
