"""Differences of two models, with their interval over seeds and source videos."""

import numpy as np
import pytest

from rstan_lite.lab.ledger.claims import Difference, difference, holm, mcnemar


def test_the_mean_and_each_seed_are_plain_differences():
    first = np.array([[1, 1, 0, 1], [1, 0, 0, 1]], bool)
    second = np.array([[0, 1, 0, 0], [1, 1, 0, 0]], bool)
    found = difference(first, second, ["a", "a", "b", "c"])
    assert found.by_seed == (0.5, 0.0)
    assert found.mean == 0.25
    assert found.low <= 0.25 <= found.high
    same = difference(first, first, ["a", "a", "b", "c"])
    assert (same.mean, same.low, same.high, same.verdict) == (0, 0, 0, "not shown")


def test_the_draws_are_of_seeds_and_sources_as_a_loop_makes_them():
    """A loop that draws whole videos and seeds gives the same interval, but for chance."""
    rng = np.random.default_rng(1)
    sources = np.repeat(np.arange(12), rng.integers(1, 6, 12))
    first = rng.random((4, len(sources))) < 0.7
    second = rng.random((4, len(sources))) < 0.5
    found = difference(first, second, sources.tolist())
    means = []
    for _ in range(4000):
        seeds = rng.integers(4, size=4)
        clips = np.concatenate([np.flatnonzero(sources == s) for s in rng.integers(12, size=12)])
        means.append((first[seeds][:, clips].mean() - second[seeds][:, clips].mean()).item())
    low, high = np.quantile(means, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.1, "shown"), (-0.1, -0.01, "contradicted"), (0, 0.1, "not shown")],
)
def test_verdicts(low, high, verdict):
    assert Difference((), 0, low, high, 0.5).verdict == verdict


def test_holm_by_hand():
    """0.01 * 4 and 0.015 * 3 stay within 0.05; 0.04 * 2 does not, so 0.045 is out."""
    found = [
        Difference((), 0.1, 0.01, 0.2, 0.015),
        Difference((), 0.1, 0.01, 0.2, 0.04),
        Difference((), -0.1, -0.2, -0.01, 0.01),
        Difference((), 0.1, 0.01, 0.2, 0.045),
    ]
    assert holm(found) == ["shown", "not shown", "contradicted", "not shown"]
    assert holm([found[3]]) == ["shown"]
    assert holm([]) == []


def test_p_is_small_where_the_interval_is_clear_of_zero():
    rng, clips = np.random.default_rng(5), [str(i) for i in range(200)]
    worse = rng.random((3, 200)) < 0.5
    p = {gain: difference(worse | (rng.random((3, 200)) < gain), worse, clips).p for gain in (0, 1)}
    assert p[0] == 1
    assert 0 < p[1] <= 0.001


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="clips"):
        difference(np.ones((2, 3), bool), np.ones((2, 4), bool), ["a"] * 3)
    with pytest.raises(ValueError, match="no runs"):
        difference(np.ones((0, 3), bool), np.ones((0, 3), bool), ["a"] * 3)


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [(5, 1, 14 / 64), (1, 5, 14 / 64), (5, 0, 2 / 32), (3, 3, 1), (0, 0, 1)],
)
def test_mcnemar_by_hand(fixed, broken, p):
    assert mcnemar(fixed, broken) == pytest.approx(p)
