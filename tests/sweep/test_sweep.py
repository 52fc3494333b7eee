"""Sweeps and extractions with real schedulers and workers in processes of their own; some die.

RSTAN_SWEEP_JOBS: jobs of the sweep whose workers are killed; 24 for the long one (8).
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dask
import pandas as pd
import psutil
import pytest
from clips import contents
from distributed import LocalCluster
from measured import sends_signals, until
from small_runs import as_pairs, as_words, small_options, write_networks

from rstan_lite.cli import main
from rstan_lite.lab.sweep import sweeping
from rstan_lite.lab.sweep.job_process import Limits, run_job
from rstan_lite.lab.sweep.sweep_plan import Description, Job, describe, plan, read_row
from rstan_lite.lab.sweep.sweeping import connect, extract, frame, read_table, sweep
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.training import run_folder as runs
from rstan_lite.training.parts import load_parts
from rstan_lite.training.profiles import resolve
from tests.classroom.made import printed, write

JOBS = int(os.environ.get("RSTAN_SWEEP_JOBS", "8"))
FAILURES, KILLS = JOBS // 8, max(2, JOBS * 5 // 24)
CHILD = "rstan_lite.lab.sweep.job_process"
CELL = """number: int = 1  # of the job; every eighth fails
how: str = "well"  # how it ends
out: str = "runs/n"  # its folder"""
BODY = """import json, os, time
from pathlib import Path
assert number % 8 != 7, "planned"
while how == "stuck": time.sleep(0.1)
waste = b"x" * (1200 << 20 if how == "fat" else 0)
if how == "crash": os.kill(os.getppid(), 11)
text = json.dumps({"test_accuracy": number / 100, "per_class": {"run": 0.5}, "versions": {"a": 1}})
Path(out).mkdir(parents=True, exist_ok=True)
(Path(out) / "metrics.json").write_text(text)"""


def notebook(folder: Path) -> str:
    return str(write(folder / "small.ipynb", BODY, parameters=CELL))


def job_processes(root: psutil.Process) -> list[psutil.Process]:
    """The processes of jobs under a process."""
    found = []
    with suppress(psutil.Error):
        for process in root.children(recursive=True):
            with suppress(psutil.Error):  # ended meanwhile
                if CHILD in process.cmdline():
                    found.append(process)
    return found


def works(process: psutil.Process) -> bool:
    """Whether a process still runs; one that nobody has waited for does not."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The scheduler file of a cluster of two workers with nannies."""
    file = tmp_path / "scheduler.json"
    options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": "CRITICAL"}
    with dask.config.set(sweeping.SETTINGS), LocalCluster(n_workers=2, **options) as cluster:
        file.write_text(json.dumps({"address": cluster.scheduler_address}), encoding="utf-8")
        yield str(file)


def test_killed_workers_lose_nothing_and_failures_are_rows(scheduler, tmp_path, monkeypatch):
    """Workers are killed while they run a job; every job still ends once, as it was planned to."""
    draw, out = random.Random(0), tmp_path / "out"
    moments = set(draw.sample(range(1, JOBS - 2), KILLS))
    seen, killed = [], []

    def kill_sometimes(row: dict) -> None:
        seen.append(row["job"])
        while len(seen) in moments and len(killed) < sum(m <= len(seen) for m in moments):
            job = draw.choice(until(lambda: job_processes(psutil.Process())))
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile: another one, then
                family, worker = [job, *job.children(recursive=True)], job.parent()
                if worker is None:
                    continue
                worker.kill()
                until(lambda one=family: not any(map(works, one)), 30)  # no orphan works on
                killed.append(job.pid)

    numbers = "number=" + ",".join(map(str, range(JOBS)))
    description = describe(notebook(tmp_path), [numbers])
    report = sweep(description, out, scheduler=scheduler, on_row=kill_sometimes, progress=False)
    assert len(killed) == KILLS
    assert sorted(seen) == sorted(report.rows)
    assert len(seen) == report.ran == JOBS
    table = read_table(out)
    assert table["number"].tolist() == list(range(JOBS))  # the grid's order
    done, failed = (table[table["status"] == status] for status in ("done", "failed"))
    assert (len(done), len(failed)) == (JOBS - FAILURES, FAILURES)
    assert done["test_accuracy"].tolist() == [n / 100 for n in done["number"]]
    assert done["per_class.run"].eq(0.5).all()
    assert failed["number"].tolist() == [n for n in range(JOBS) if n % 8 == 7]
    for _, row in failed.iterrows():
        assert "small.ipynb, cell 1 (" in row["where"]
        assert "line 3" in row["where"]
        assert row["error"] == "AssertionError: planned"
    pd.testing.assert_frame_equal(pd.read_csv(out / "results.csv"), table, check_dtype=False)

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    monkeypatch.setattr(sweeping, "connect", None)  # no cluster is needed to report
    again = sweep(description, out, progress=False)
    assert (again.ran, again.rows) == (0, report.rows)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    said = f"{JOBS - FAILURES} of {JOBS} jobs done, {FAILURES} failed; 0 ran in this call"
    assert said in again.lines(out)


def rows(out: Path) -> int:
    return len(list(out.glob("*/row.json")))


@sends_signals
@pytest.mark.usefixtures("signals")
def test_a_sweep_that_is_stopped_or_killed_goes_on(tmp_path: Path) -> None:
    """Ctrl-C, then SIGKILL, each in the middle of a job: nothing goes on, and nothing is lost."""
    out, path = tmp_path / "out", notebook(tmp_path)
    words = [sys.executable, "-m", "rstan_lite.cli", "sweep", path, "--out", str(out)]
    words += ["--workers", "1", "--quiet", "-p", "number=1,2,3"]
    for end, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        had = rows(out)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
        process = subprocess.Popen(words, **pipes)
        main = psutil.Process(process.pid)
        until(lambda had=had: rows(out) > had)
        until(lambda main=main: job_processes(main))
        family = main.children(recursive=True)
        process.send_signal(end)
        said_, _ = process.communicate(timeout=60)
        assert process.returncode == code
        psutil.wait_procs(family, 30)
        assert not [one for one in family if one.is_running() and one.status() != "zombie"]
        if end == signal.SIGINT:
            assert "the same command goes on" in said_
            assert len(read_table(out)) == rows(out)
    had = rows(out)
    assert 2 <= had < 4
    rest = sweep(describe(path, ["number=1,2,3"]), out, workers=0, progress=False)
    assert (rest.ran, rest.failed) == (3 - had, [])
    assert sorted(read_table(out)["test_accuracy"]) == [0.01, 0.02, 0.03]


def one_job(tmp_path: Path, *pairs: str) -> Job:
    (job,) = plan(describe(notebook(tmp_path), list(pairs)), tmp_path / "out")
    return job


@pytest.mark.parametrize(
    ("how", "limits", "words"),
    [
        ("stuck", Limits(timeout=1), "ran longer than 1 s (--timeout)"),
        ("fat", Limits(memory=600 << 20), "more than 600 (--memory)"),
        ("crash", Limits(), "ended with signal SIGSEGV; its last words: none"),
    ],
)
def test_a_job_that_can_not_end_is_ended(how, limits, words, tmp_path):
    job = one_job(tmp_path, f"how={how}")
    row = run_job(job, limits)
    assert (row["status"], row["how"]) == ("failed", how)
    assert words in row["error"]
    assert row["where"] == job.command
    assert read_row(Path(job.folder)) == row
    until(lambda: not job_processes(psutil.Process()))


def test_a_job_whose_task_is_cancelled_ends_without_a_row(scheduler, tmp_path: Path) -> None:
    job = one_job(tmp_path, "how=stuck")
    with connect(scheduler) as client:
        future = client.submit(run_job, job, Limits())
        until(lambda: job_processes(psutil.Process()))
        future.cancel(force=True)
        until(lambda: not job_processes(psutil.Process()))
    assert read_row(Path(job.folder)) is None


def test_threads_of_a_job_are_limited_and_a_done_one_is_not_repeated(tmp_path: Path) -> None:
    body = "import os, cv2\nprint(os.environ['OMP_NUM_THREADS'], cv2.getNumThreads())"
    path = write(tmp_path / "n.ipynb", body, parameters="number: int = 1")
    (job,) = plan(Description(str(path), {"number": 2}), tmp_path / "out")
    row = run_job(job, Limits(threads=3))
    assert row["status"] == "done"
    output = Path(job.folder) / "n.ipynb"
    assert printed(output) == "3 3\n"
    before = output.stat().st_mtime_ns
    assert run_job(job, Limits()) == row
    assert output.stat().st_mtime_ns == before


def test_a_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    path = notebook(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sweep.json").write_text('{"run": "train"}', encoding="utf-8")
    with pytest.raises(ConfigError, match="other code"):
        sweep(describe(path, []), tmp_path / "out", progress=False)


def test_columns_of_two_kinds_become_text() -> None:
    table = frame([{"a": 1, "b": 1, "c": True}, {"a": 0.5, "b": "x", "c": None}, {"a": None}])
    assert table["a"].tolist()[:2] == [1.0, 0.5]
    assert table["b"].tolist()[:2] == ["1", "x"]
    assert bytes(table.to_parquet())


def test_training_over_a_grid_shares_features_and_leaves_runs(small_root, tmp_path, capsys):
    write_networks(tmp_path)
    (tmp_path / "clips").symlink_to(small_root)
    small = {"dataset": "jhmdb", "profile": "tiny", "iterations": 2, "d_h": 8, "d_att": 4}
    pairs = as_pairs(small_options(tmp_path, **small, variant="lstm,silhouettes-ce"))
    command = ["sweep", "train", *pairs, "--out", str(tmp_path / "out"), "--workers", "1"]
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
    assert run_job(job, Limits(), retries=1)["status"] == "done"
    assert (tmp_path / "tries").read_text(encoding="utf-8") == "xx"


@sends_signals
def test_the_same_bytes_past_a_damaged_clip_and_a_lost_worker(small_root, tmp_path, refused):
    shutil.copytree(small_root, tmp_path / "clips")
    clip = sorted((tmp_path / "clips").rglob("*.avi"))[0]
    clip.write_bytes(clip.read_bytes()[:2000])
    write_networks(tmp_path)
    over, options = tmp_path / "over", small_options(tmp_path, dataset="jhmdb")
    here = {**options, "profile": "tiny", "cache": tmp_path / "alone"}
    complaint = refused(["extract", *as_words(here)])
    alone = contents(tmp_path / "alone")
    assert sum(name.endswith(".safetensors") for name in alone) > 3 * 17

    for name in sorted(n for n in alone if n.startswith("motion-"))[::3]:  # what is stored stays
        (over / name).parent.mkdir(parents=True, exist_ok=True)
        (over / name).write_bytes(alone[name])
    before = {path: path.stat().st_mtime_ns for path in over.rglob("*") if path.is_file()}
    config = resolve("tiny", {**options, "cache": str(over)})
    made = len(before)
    with connect(None, 2) as client:
        (one, _) = client.scheduler_info()["workers"]

        def kill_one() -> None:
            until(lambda: len(contents(over)) > made + 3)
            os.kill(client.run(os.getpid)[one], signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        assert extract(client, config, progress=False) == 18
        killer.join()
    assert contents(over) == alone
    assert before == {path: path.stat().st_mtime_ns for path in before}
    with pytest.raises(DataError) as raised:
        load_parts(config)
    assert str(raised.value) in complaint


def test_a_scheduler_that_does_not_answer_is_a_complaint(tmp_path, refused):
    words = ["--scheduler", str(tmp_path / "no.json"), "--cache", str(tmp_path / "none")]
    refused(["extract", "--profile", "tiny", *words], "--scheduler: found")
    assert not (tmp_path / "none").exists()
