"""Commands in processes in which what Unix alone has is hidden, and that spawn others.

It shows that the package asks for nothing that other systems lack. It is no trial on Windows or
macOS: paths, locks and signals are those of the system that runs it.
"""

import ast
import json
import os
from pathlib import Path

import pytest
from clips import STEPS
from measured import ROOT, python
from small_runs import as_pairs, small_options, train_command, write_networks

HERE = Path(__file__).parent
UNIX = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog"}
HIDDEN = """
import multiprocessing, os, signal
for name in {}:
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(name + " is there")
assert not hasattr(os, "fork") and not hasattr(os, "getuid") and not hasattr(signal, "SIGKILL")
assert multiprocessing.get_start_method() == "spawn"
"""
COMMANDS = """
import json, sys
from rstan_lite.cli import main
if __name__ == "__main__":  # processes that are spawned import this file
    for words in json.loads(sys.argv[1]):
        code = main(words)
        assert code == 0, f"{words[0]} ended with {code}"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, small_root: Path) -> Path:
    folder = tmp_path_factory.mktemp("portable")
    (folder / "clips").symlink_to(small_root, target_is_directory=True)
    write_networks(folder)
    (folder / "hidden.py").write_text(HIDDEN.format(UNIX), encoding="utf-8")
    (folder / "commands.py").write_text(COMMANDS, encoding="utf-8")
    return folder


def without_unix(place: Path, *words: str) -> str:
    """What a Python without Unix printed; it must end well."""
    paths = os.pathsep.join(map(str, (HERE, ROOT)))
    env = os.environ | {"PYTHONPATH": paths, "RSTAN_CACHE": str(place / "cache")}
    done = python(*words, cwd=place, env=env, timeout=900)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def test_what_unix_alone_has_is_hidden(place: Path) -> None:
    without_unix(place, "hidden.py")


@pytest.mark.parametrize("folder", ["rstan_lite", "tests", "benchmarks", "data_scripts", "website"])
def test_every_file_can_be_imported_elsewhere(folder: str) -> None:
    """Tests, too: those that need what Unix alone has import it inside, or are left out."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [name.name for name in getattr(node, "names", ())]
            assert not UNIX & {getattr(node, "module", None), *names}, path


def test_commands_and_the_processes_that_they_spawn(place: Path) -> None:
    """`doctor`, which imports every module, a training, prediction, notebook and sweep."""
    video = next((place / "clips" / "ReCompress_Videos").rglob("*.avi"))
    grid = as_pairs(small_options(place, dataset="jhmdb", profile="tiny"))
    small = ("out=lesson", "dataset=jhmdb", "root=clips", "iterations=5")
    lesson = [word for pair in small for word in ("-p", pair)]
    commands = [
        ["doctor"],
        train_command(place, "run", dataset="jhmdb"),
        ["predict", str(video), "--run", "run", "--out", "out", "--device", "cpu"],
        ["run", str(ROOT / "notebooks" / "03_lstm.ipynb"), *lesson, "--no-html"],
        ["sweep", "train", *grid, "--seeds", "0", "--workers", "1", "--out", "sweep"],
    ]
    said = without_unix(place, "commands.py", json.dumps(commands))
    assert "1 of 1 jobs done, 0 failed" in said
    assert json.loads((place / "run" / "metrics.json").read_bytes())["n_test"] == 6
    (answer,) = (place / "out").glob("*-prediction.json")
    assert set(json.loads(answer.read_bytes())["classes"]) == set(STEPS)
    assert (place / "lesson" / "03_lstm.ipynb").is_file()
