"""Several processes train what one would: gradients, files, and what becomes of a dead one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file
from small_runs import content, train_command
from training import shared_work

from rstan_lite import cli
from rstan_lite.lab.scores import read_predictions
from rstan_lite.system.ranks import ALONE, Ranks, ranks_of_environment
from rstan_lite.training import run_folder as runs
from rstan_lite.training.run_folder import read_log

TESTS = Path(__file__).resolve().parents[1]
# Sums over two parts are rounded in another order than sums over all: a last digit at each
# mini-batch, which later ones multiply.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
# after 150 mini-batches of five clips; a gradient's norm was once off by 1.1e-3
LATER = {"rtol": 3e-3, "atol": 1e-4}
LONG = 300  # seconds after which something hangs


def start(processes: int, *command: str | Path) -> subprocess.Popen[str]:
    """A program's processes, one thread each, under torchrun on a free port."""
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")])
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.Popen(
        [*launcher, "--nproc-per-node", str(processes), *map(str, command)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def said_by(running: subprocess.Popen[str]) -> str:
    """What they print until all have ended; whoever hangs is killed, and the test fails."""
    try:
        return running.communicate(timeout=LONG)[0]
    finally:
        running.kill()


def check_rows(found: dict, expected: dict, tolerance: dict[str, float]) -> None:
    """Two rows of log.csv, but for rounding."""
    known = {name: value for name, value in expected.items() if value is not None}
    assert {name: value for name, value in found.items() if value is not None} == pytest.approx(
        known, rel=tolerance["rtol"], abs=tolerance["atol"]
    )


# -- without any other process


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [1, 2, 4, 16, 17])
def test_parts_are_all_clips_once(n: int, size: int):
    every = [Ranks(rank, size) for rank in range(size)]
    parts = [list(range(n))[ranks.part(n)] for ranks in every]
    assert [place for part in parts for place in part] == list(range(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert [ranks.share(n) for ranks in every] == [len(part) / n for part in parts]


def test_one_process_needs_no_torchrun(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # as a cluster's own launcher may
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert ranks_of_environment() is ALONE
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert ranks_of_environment() == Ranks(1, 4, 2)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert ranks_of_environment() is ALONE


# -- two processes on made-up features


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> tuple[dict, str, int]:
    """What two processes found, said, and ended with."""
    out = tmp_path_factory.mktemp("shared") / "found.pt"
    running = start(2, TESTS / "training" / "shared_work.py", out)
    said = said_by(running)
    assert out.exists(), said
    return torch.load(out, weights_only=True), said, running.returncode


@pytest.mark.parametrize("case", shared_work.CASES)
def test_the_gradient_is_that_of_the_whole_mini_batch(shared, case: str):
    found, expected = shared[0]["steps"][case], shared_work.steps(case)
    for of_all, of_one in zip(found["losses"], expected["losses"], strict=True):
        assert of_all == pytest.approx(of_one, rel=1e-5, abs=1e-7)
    assert found["norm"] == pytest.approx(expected["norm"], rel=1e-5)
    for what in ("gradient", "weights"):
        assert set(found[what]) == set(expected[what])
        for name, value in expected[what].items():
            torch.testing.assert_close(found[what][name], value, **CLOSE, msg=name)


def test_what_takes_no_part_stays_as_it_was(shared):
    for case in ("unused, fast", "unused, plain"):
        found = shared[0]["steps"][case]
        unused = {k for k in found["weights"] if k.startswith("heads.jhmdb")}
        assert unused
        assert not unused & set(found["gradient"])


def test_twenty_mini_batches_of_16_are_those_of_twice_8(shared):
    found, expected = shared[0]["fit"], shared_work.fitted()
    assert len(found["log"]) == len(expected["log"]) == 10
    for of_two, of_one in zip(found["log"], expected["log"], strict=True):
        check_rows(of_two, of_one, CLOSE)
    for name, value in expected["weights"].items():
        torch.testing.assert_close(found["weights"][name], value, **CLOSE)


def test_an_evaluation_is_that_of_one_to_the_bit(shared):
    for of_two, of_one in shared[0]["evaluations"]:
        for name, value in of_one.items():
            same = torch.equal if isinstance(value, torch.Tensor) else lambda a, b: a == b
            assert same(of_two[name], value), (len(of_one["labels"]), name)


def test_dropout_draws_other_masks_in_each_process_and_the_same_again(shared):
    first, again = shared[0]["dropped"]
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])


def test_one_process_fails_and_all_end(shared):
    _, said, code = shared
    assert code != 0
    assert "error: clip 35 of 0: found scores that are not finite" in said


# -- the command, on stored features of generated clips


@pytest.fixture(scope="module")
def one(place: Path) -> Path:
    """A run of one process that was never interrupted."""
    assert cli.main(arguments(place, "one")) == 0
    return place / "one"


def arguments(place: Path, run: str, *more: str) -> list[str]:
    return train_command(place, run, *more, batch_size=5, iterations=150, save_seconds=0.05)


def check_same_run(found: Path, expected: Path, world_size: int) -> None:
    """The same files with the same numbers, but for rounding."""
    names = {path.name for path in expected.iterdir() if "tfevents" not in path.name}
    assert {path.name for path in found.iterdir() if "tfevents" not in path.name} == names
    for part in ("test", "validation"):
        ours, theirs = (read_predictions(run / runs.PREDICTIONS[part])
                        for run in (found, expected))  # fmt: skip
        assert ours.names == theirs.names
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_allclose(ours.scores, theirs.scores, **LATER)
    for ours, theirs in zip(read_log(found / "log.csv"), read_log(expected / "log.csv"),
                            strict=True):  # fmt: skip
        check_rows(vars(ours), vars(theirs), LATER)
    ours, theirs = (load_file(run / "checkpoint.safetensors") for run in (found, expected))
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, **LATER)
    ours, theirs = (content(run / "metrics.json") for run in (found, expected))
    assert ours["world_size"] == world_size
    for name in ("test_accuracy", "best_epoch", "epochs", "n_train", "n_test"):
        assert ours[name] == theirs[name], name


def test_a_killed_process_ends_the_run_and_one_process_goes_on(place: Path, one: Path):
    running = start(2, "-m", "rstan_lite.cli", *arguments(place, "two"))
    until = time.monotonic() + LONG
    while not (place / "two" / runs.RESUME).exists():
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.01)
    children = psutil.Process(running.pid).children()
    victim = next(child for child in children if child.environ()["RANK"] == "1")
    victim.send_signal(signal.SIGKILL)
    said = said_by(running)
    assert running.returncode != 0
    assert not any(child.is_running() for child in children)
    # Who comes first: its own miss of the other one, or torchrun, which tells it to stop.
    ends = ("error: process 0 of 2: found that another process has ended", "\ninterrupted: run the")
    assert sum(map(said.count, ends)) == 1, said
    assert "SIGKILL" in said  # torchrun's own word
    assert not (place / "two" / "metrics.json").exists()
    assert cli.main(arguments(place, "two")) == 0
    check_same_run(place / "two", one, world_size=1)


def test_three_processes_go_on_with_the_run_of_one(place: Path, one: Path, monkeypatch):
    """Three test clips are one batch, so that two of them have nothing to evaluate."""
    from rstan_lite.training import train as module

    real = module.fit
    monkeypatch.setattr(module, "fit", lambda *a, **k: real(*a, **{**k, "stop_after": 40}))
    assert cli.main(arguments(place, "three")) == 0
    assert not (place / "three" / "metrics.json").exists()
    running = start(3, "-m", "rstan_lite.cli", *arguments(place, "three"))
    said = said_by(running)
    assert running.returncode == 0, said
    assert said.count("test accuracy") == said.count("run folder") == 1
    check_same_run(place / "three", one, world_size=3)
