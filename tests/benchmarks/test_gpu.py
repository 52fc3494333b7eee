"""The GPU report's measurements, run on the CPU at tiny sizes."""

import json

import pytest
import torch
from training.synthetic import make_parts

from benchmarks import gpu
from benchmarks.cases import Sizes

TINY = Sizes(2, 3, 6, 5, "window", places=9, d_h=8, d_att=4, classes=21)


def test_agreement_orders_the_precisions():
    rows = gpu.agreement("cpu", TINY)
    assert [row["recurrence"] for row in rows] == ["plain", "fast"] * 3
    for cpu, device, half in (rows[0::2], rows[1::2]):
        assert cpu["gradient"] == device["gradient"] < 1e-5
        assert 1e-4 < half["gradient"] < 0.15
        assert cpu["agrees"]
        assert half["agrees"]


def test_the_report_is_a_page_and_a_file(tmp_path):
    small = {"iterations": 6, "frames": 3, "test_frames": 4, "stored_frames": 4, "d_h": 8}
    config = gpu.training_config("tiny", dataset="puppets", d_att=4, **small)
    parts = make_parts(16, 8, 8)
    report, path = gpu.report(tmp_path, config, "cpu", TINY, rounds=2, parts=parts)
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
    assert all(row["agrees"] for row in gpu.agreement("cuda", TINY))
