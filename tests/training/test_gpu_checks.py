"""The GPU report's measurements, run on the CPU at tiny sizes."""

from __future__ import annotations

import json

import pytest
import torch
from training.synthetic import make_parts

from rstan_lite import gpu_report as command
from rstan_lite.training.gpu_checks import (
    Sizes,
    agreement,
    gpu_report,
    relative_error,
    report_config,
    speed,
)

TINY = Sizes(batch=2, steps=3, places=9, d_cv=6, d_fc=5, d_h=8, d_att=4)


def test_relative_error_by_hand():
    assert relative_error(torch.tensor([3.0, 5.0]), torch.tensor([3.0, 4.0])) == pytest.approx(0.2)


def test_agreement_orders_the_precisions():
    rows = agreement("cpu", TINY)
    assert [row["recurrence"] for row in rows] == ["plain", "fast"] * 3
    for cpu, device, half in (rows[0::2], rows[1::2]):
        assert cpu["gradient"] == device["gradient"] < 1e-5
        assert 1e-4 < half["gradient"] < 0.15
        assert cpu["agrees"]
        assert half["agrees"]


def test_speed_counts_steps():
    found = speed("cpu", "32", TINY, seconds=0.05)
    assert found["clips_per_second"] == pytest.approx(2 * found["iterations_per_second"])
    assert found["iterations_per_second"] > 1
    assert found["peak_memory"] is None
    assert found["recurrence"].startswith("fast")


def test_the_report_is_a_page_and_a_file(tmp_path):
    config = report_config(
        "tiny",
        dataset="puppets",
        iterations=6,
        frames=3,
        test_frames=4,
        stored_frames=4,
        d_h=8,
        d_att=4,
    )
    parts = make_parts(16, 8, 8)
    report, path = gpu_report(tmp_path, config, "cpu", TINY, seconds=0.02, parts=parts)
    page = path.read_text()
    assert "agrees with the CPU" in page
    assert "generated clips" in page
    assert "plain (as asked)" in page
    assert set(report["training"]) == {"float32", "bfloat16"}
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert (tmp_path / "bfloat16" / "metrics.json").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_an_absent_gpu_ends_the_command(tmp_path, capsys):
    assert command.main(["--out", str(tmp_path / "gpu")]) == 2
    assert "error: --device cuda: found" in capsys.readouterr().err
    assert not (tmp_path / "gpu").exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_agrees_with_the_cpu():
    assert all(row["agrees"] for row in agreement("cuda", TINY))
