"""What the tests of interruptions share."""

import signal

import pytest

from rstan_lite.system.interruption import Keeper


@pytest.fixture(autouse=True)
def _signals(signals):
    """Every test here is about them."""


@pytest.fixture
def ctrl_c_at(monkeypatch):
    """A function: Ctrl-C comes just before the safe point of that number (from 1)."""
    true = Keeper.point

    def at(number: int) -> None:
        points = []

        def point(keeper: Keeper) -> None:
            points.append(keeper)
            if len(points) == number:
                signal.raise_signal(signal.SIGINT)
            true(keeper)

        monkeypatch.setattr(Keeper, "point", point)

    return at
