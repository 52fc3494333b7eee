"""Commands in processes in which what Unix alone has is hidden, and that spawn others.

It shows that the package asks for nothing that other systems lack. It is no trial on Windows or
macOS: paths, locks and signals are those of the system that runs it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clips import STEPS
from small_runs import train_command, write_networks

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
HIDDEN = """
import multiprocessing, os, signal
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(name + " is there")
assert not hasattr(os, "fork") and not hasattr(os, "getuid") and not hasattr(signal, "SIGKILL")
assert multiprocessing.get_start_method() == "spawn"
"""
IMPORTS = """
import importlib, pkgutil, rstan_lite
for found in pkgutil.walk_packages(rstan_lite.__path__, "rstan_lite."):
    if not found.name.endswith(("__main__", "triton_places")):  # a module of Triton's, with a GPU
        importlib.import_module(found.name)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, small_root: Path) -> Path:
    folder = tmp_path_factory.mktemp("portable")
    (folder / "clips").symlink_to(small_root, target_is_directory=True)
    write_networks(folder)
    (folder / "hidden.py").write_text(HIDDEN, encoding="utf-8")
    (folder / "imports.py").write_text(IMPORTS, encoding="utf-8")
    return folder


def python(place: Path, *words: str) -> str:
    """What a Python without Unix printed; it must end well."""
    paths = os.pathsep.join(map(str, (HERE, ROOT)))
    done = subprocess.run(
        [sys.executable, *words],
        cwd=place,
        env=os.environ | {"PYTHONPATH": paths, "RSTAN_CACHE": str(place / "cache")},
        capture_output=True,
        encoding="utf-8",
        timeout=900,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def command(place: Path, *words: str) -> str:
    return python(place, "-m", "rstan_lite", *words)


def test_what_unix_alone_has_is_hidden(place: Path) -> None:
    python(place, "hidden.py")


def test_every_module_is_imported(place: Path) -> None:
    python(place, "imports.py")


def test_doctor_finds_nothing_that_fails(place: Path) -> None:
    checks = json.loads(command(place, "doctor", "--json"))
    assert [check for check in checks if check["state"] == "fail"] == []


def test_a_training_and_its_prediction(place: Path) -> None:
    command(place, *train_command(place, "run", dataset="jhmdb"))
    assert json.loads((place / "run" / "metrics.json").read_bytes())["n_test"] == 6
    video = next((place / "clips" / "ReCompress_Videos").rglob("*.avi"))
    command(place, "predict", str(video), "--run", "run", "--out", "out", "--device", "cpu")
    (answer,) = (place / "out").glob("*-prediction.json")
    assert set(json.loads(answer.read_bytes())["classes"]) == set(STEPS)


def test_a_lesson(place: Path) -> None:
    lesson = str(ROOT / "notebooks" / "03_lstm.ipynb")
    given = ["dataset=jhmdb", f"root={place / 'clips'}", "iterations=2", "out=lesson"]
    parameters = [word for pair in given for word in ("-p", pair)]
    command(place, "run", lesson, *parameters, "--no-html")
    assert (place / "lesson" / "03_lstm.ipynb").is_file()


def test_a_sweep_of_two_jobs(place: Path) -> None:
    _, *words, _ = train_command(place, "run", dataset="jhmdb")
    given = dict(zip(words[::2], words[1::2], strict=True))
    del given["--out"]
    grid = [
        x for name, value in given.items() for x in ("-p", f"{name[2:].replace('-', '_')}={value}")
    ]
    sweep = ["sweep", "train", *grid, "--seeds", "0,1", "--workers", "1", "--out", "sweep"]
    assert "2 of 2 jobs done, 0 failed" in command(place, *sweep, "--quiet")
