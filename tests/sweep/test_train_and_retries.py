"""A sweep of training through a cluster, and jobs that are tried again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_runs import write_networks

from rstan_lite.cli import main
from rstan_lite.lab.sweep.job_process import Limits, run_job
from rstan_lite.lab.sweep.sweep_plan import describe, plan
from rstan_lite.lab.sweep.sweeping import sweep
from rstan_lite.training import run_folder as runs
from tests.classroom.made import write


def test_training_over_a_grid_shares_features_and_leaves_runs(
    small_root: Path, tmp_path: Path, capsys
) -> None:
    pairs = {"dataset": "jhmdb", "root": small_root, "cache": tmp_path / "cache", "size": 64,
             "stored_frames": 4, "test_frames": 4, "frames": 3, "iterations": 2, "d_h": 8,
             "d_att": 4, "profile": "tiny", "variant": "lstm,silhouettes-ce"}  # fmt: skip
    for stream, path in write_networks(tmp_path).items():
        pairs[f"{stream}_weights"] = path
    words = [word for name, value in pairs.items() for word in ("-p", f"{name}={value}")]
    command = ["sweep", "train", *words, "--out", str(tmp_path / "out"), "--workers", "2"]
    assert main([*command, "--seeds", "0"]) == 0
    table = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert sorted(table["variant"]) == ["lstm", "silhouettes-ce"]
    assert (table["status"] == "done").all()
    for row in table.to_dict("records"):
        metrics = runs.read_metrics(tmp_path / "out" / row["job"])
        assert metrics is not None
        assert row["test_accuracy"] == pytest.approx(metrics["test_accuracy"])
    capsys.readouterr()
    assert main([*command, "--seeds", "0"]) == 0
    assert "0 ran in this call" in capsys.readouterr().out


def test_a_job_that_fails_is_tried_again_when_asked(tmp_path: Path) -> None:
    body = (
        "from pathlib import Path\n"
        "tries = Path(place)\n"
        "tries.write_text(tries.read_text() + 'x' if tries.exists() else 'x')\n"
        "assert len(tries.read_text()) > 1, 'the first try'"
    )
    path = write(tmp_path / "n.ipynb", body, parameters='place: str = ""')
    given = describe(str(path), [f"place={tmp_path / 'tries'}"])
    report = sweep(given, tmp_path / "once", workers=0, progress=False)
    (failed,) = report.failed
    assert "the first try" in failed["error"]
    assert sweep(given, tmp_path / "once", workers=0, progress=False).ran == 0
    again = sweep(given, tmp_path / "once", workers=0, retry_failed=True, progress=False)
    assert (again.ran, again.failed) == (1, [])
    (tmp_path / "tries").unlink()
    (job,) = plan(given, tmp_path / "twice")
    assert run_job(job, Limits(), "token", retries=1)["status"] == "done"
    assert (tmp_path / "tries").read_text(encoding="utf-8") == "xx"
