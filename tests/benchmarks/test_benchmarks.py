"""The benchmark's reference computes the package's function, and its arithmetic is right."""

import json
from dataclasses import replace

import psutil
import pytest
import torch
from training.synthetic import make_parts

from benchmarks import busy, explorer, gpu
from benchmarks.cases import Bench, Sizes

TINY = Sizes(2, 4, 6, 5, "window", places=4, d_h=8, d_att=4, classes=3)


@pytest.mark.parametrize("attention", ["all", "window"])
def test_the_reference_computes_the_same_loss_and_gradients(attention):
    bench = Bench(replace(TINY, attention=attention))
    losses, gradients = {}, {}
    for way in ("reference", "plain", "fast"):
        losses[way], _ = bench.step(way, backward=True)
        model = bench.models["fast" if way == "fast" else "plain"]
        gradients[way] = [p.grad for p in model.parameters()]
    for way in ("plain", "fast"):
        torch.testing.assert_close(losses[way], losses["reference"])
        for found, expected in zip(gradients[way], gradients["reference"], strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_the_explorers_moves_are_drawn_and_compared(monkeypatch):
    monkeypatch.setattr(explorer, "MOVES", 1)
    found = explorer.measure(1)
    assert set(found) == {"matplotlib", "everything", "Fig. 7"}
    assert found["matplotlib"]["ratio"] == 1
    assert all(row["cpu_seconds"] > 0 for row in found.values())


def test_commands_beside_busy_processes(monkeypatch):
    monkeypatch.setattr(busy, "COMMANDS", {"short": ("--version",), "wrong": ("--versoin",)})
    before = psutil.Process().children()  # of other tests, as multiprocessing's tracker
    found = busy.measure(2, 1, ["short"])["short"]
    assert set(found["medians"]) == {"alone", "busy"}
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in found["seconds"].values())
    assert found["ratio"] > 0
    assert found["processes"] == busy.cores()
    assert not set(psutil.Process().children()) - set(before)
    with pytest.raises(SystemExit, match=r"wrong ended with 2: .*--versoin"):
        busy.measure(1, 1, ["wrong"])


OF_GPU = Sizes(2, 3, 6, 5, "window", places=9, d_h=8, d_att=4, classes=21)


def test_the_report_is_a_page_and_a_file(tmp_path):
    small = {"iterations": 6, "frames": 3, "test_frames": 4, "stored_frames": 4, "d_h": 8}
    config = gpu.training_config("tiny", dataset="puppets", d_att=4, **small)
    parts = make_parts(16, 8, 8)
    report, path = gpu.report(tmp_path, config, "cpu", OF_GPU, rounds=2, parts=parts)
    page = path.read_text(encoding="utf-8")
    for words in ("agrees with the CPU", "generated clips", "plain (as asked)", "| float32 |"):
        assert words in page
    for row in report["speed"]:
        assert row["clips_per_second"] == pytest.approx(2 * row["iterations_per_second"])
        assert row["peak_memory"] is None
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == report
    assert (tmp_path / "bfloat16" / "metrics.json").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_an_absent_gpu_ends_the_command(tmp_path, capsys):
    assert gpu.main(["--out", str(tmp_path / "gpu")]) == 2
    assert "error: --device cuda: found" in capsys.readouterr().err
    assert not (tmp_path / "gpu").exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_agrees_with_the_cpu():
    assert all(row["agrees"] for row in gpu.agreement("cuda", OF_GPU))
