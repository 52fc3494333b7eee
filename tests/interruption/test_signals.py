"""Signals wait where they must, end at once where they may, and give the right exit code."""

import signal
import subprocess
import sys
import threading

import pytest
from measured import sends_signals

from rstan_lite.system import interruption
from rstan_lite.system.errors import DataError
from rstan_lite.system.interruption import Interrupted, Keeper, SafePoints


def send(number: int = signal.SIGINT) -> None:
    signal.raise_signal(number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_waits_for_the_safe_point(number, code):
    with SafePoints() as points:
        points.leave()
        assert not points.asked
        send(number)
        assert points.asked
        with pytest.raises(Interrupted) as error:
            points.leave()
    assert error.value.code == code


def test_the_second_does_not_wait():
    with SafePoints() as points:
        send()
        assert points.asked
        with pytest.raises(KeyboardInterrupt):
            send()


def test_anywhere_the_first_does_not_wait_either():
    with SafePoints() as points:
        with pytest.raises(Interrupted), points.anywhere():
            send()
        assert points.asked
        with pytest.raises(Interrupted), points.anywhere():
            pytest.fail("it was asked before")


def test_an_ignored_signal_stays_ignored_and_other_threads_are_left_alone():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with SafePoints() as points:
        send()
        assert not points.asked
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = []

    def enter():
        with SafePoints():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_a_keeper_saves_by_the_clock_and_when_asked(monkeypatch):
    now, saves = [0.0], []
    monkeypatch.setattr(interruption.time, "perf_counter", lambda: now[0])

    def save():
        saves.append(now[0])
        now[0] += 2.0  # what a save takes: the next ones come no sooner than after 20 times as much

    with Keeper(save, pause=10.0) as keeper:
        for now[0] in (9.0, 10.0, 30.0, 51.0, 52.5):
            keeper.point()
        assert saves == [10.0, 52.5]
        send()
        with pytest.raises(Interrupted):
            keeper.point()
        assert len(saves) == 3
    with Keeper(save, pause=0.0) as never:
        now[0] = 1e6
        never.point()
    assert len(saves) == 3


def test_what_is_left_inside_is_saved():
    saves = []
    with Keeper(lambda: saves.append(1), pause=0.0) as keeper:
        with pytest.raises(Interrupted), keeper.saved_if_left():
            send()
        assert saves == [1]
    with Keeper(lambda: saves.append(2), pause=0.0) as keeper:
        with pytest.raises(ValueError, match="x"), keeper.saved_if_left():
            raise ValueError("x")
        with pytest.raises(ValueError, match="x"), keeper.saved_if_left(by=BaseException):
            raise ValueError("x")
    assert saves == [1, 2]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_says_how_to_go_on(capsys, number, code):
    assert interruption.run_command(lambda: send(number) or 0) == code
    assert capsys.readouterr().err == (
        "\ninterrupted: run the same command again; what is saved is not done again.\n"
    )


@sends_signals
def test_workers_that_the_same_signal_ended_are_no_complaint(capsys):
    """As a scheduler stops a job: torch's handler raises for each of them."""

    def body() -> int:
        signal.signal(signal.SIGCHLD, lambda *_: pytest.fail("a worker was killed by a signal"))
        try:
            send(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGCHLD)
        return 0

    assert interruption.run_command(body) == 143
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_complaint_is_not_cut_short(capsys, number):
    class SlowError(DataError):
        def __str__(self) -> str:
            send(number)
            return "said"

    def body() -> int:
        raise SlowError("a", "b", "c")

    assert interruption.run_command(body) == 2
    assert capsys.readouterr().err == "error: said\n"
    assert interruption.run_command(lambda: 7) == 7


STUBBORN = """
import os, signal, sys, time
from rstan_lite.system.interruption import run_command
def body():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGINT)
        print("went on")
sys.exit(run_command(body))
"""


def test_a_second_signal_ends_the_process_at_once():
    done = subprocess.run([sys.executable, "-c", STUBBORN], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@sends_signals
def test_processes_that_are_started_do_not_see_ctrl_c():
    code = "import time; print('up', flush=True); time.sleep(1); print('done')"
    with interruption.starting_processes():
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, encoding="utf-8"
        )
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert child.stdout.readline() == "up\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate()[0] == "done\n"
    assert child.returncode == 0
    with pytest.raises(Interrupted), interruption.starting_processes():
        send()
