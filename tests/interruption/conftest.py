"""What the tests of interruptions share."""

import os
import signal

import pytest

from rstan_lite.interruption import Keeper


@pytest.fixture(autouse=True)
def signals():
    """Ctrl-C as Python handles it, here and in processes that are started: a runner may ignore it.

    Checks that what is tested leaves the handlers as they were.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def ctrl_c_at(monkeypatch):
    """A function: Ctrl-C comes just before the safe point of that number (from 1)."""
    true = Keeper.point

    def at(number: int) -> None:
        points = []

        def point(keeper: Keeper) -> None:
            points.append(keeper)
            if len(points) == number:
                os.kill(os.getpid(), signal.SIGINT)
            true(keeper)

        monkeypatch.setattr(Keeper, "point", point)

    return at
