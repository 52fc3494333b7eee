"""Confused pairs, changed clips, shares by class, differences of models: as worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rstan_lite.lab.ledger import error_analysis
from rstan_lite.lab.ledger.claims import Difference, difference, holm, mcnemar
from rstan_lite.lab.ledger.error_analysis import Comparison, confused_pairs, confusion_counts
from rstan_lite.lab.ledger.ledger_runs import Entry, Ledger, Plan
from rstan_lite.lab.paper_rows import rows_of
from rstan_lite.system.errors import CheckpointError

ABC = ("a", "b", "c")
LABELS = np.array([0, 0, 0, 1, 2])
ANSWERS = np.array([[0, 1, 1, 0, 0], [0, 0, 1, 1, 1]])  # of two seeds


def test_counts_have_the_true_class_by_row():
    counts = confusion_counts(LABELS, ANSWERS, 3)
    assert counts.tolist() == [[3, 3, 0], [1, 1, 0], [1, 1, 0]]
    assert not confusion_counts(LABELS, ANSWERS[:0], 3).any()


def test_pairs_have_two_directions_and_the_most_errors_first():
    pairs = confused_pairs(confusion_counts(LABELS, ANSWERS, 3), ABC)
    assert [(p.first, p.second, p.there, p.back) for p in pairs] == [
        ("a", "b", 3, 1), ("c", "a", 1, 0), ("c", "b", 1, 0),
    ]  # fmt: skip
    assert pairs[0].shares == (0.5, 0.5)
    assert pairs[1].shares == (0.5, 0.0)
    no_clips = confused_pairs(np.array([[0, 2], [0, 0]]), "ab")
    assert no_clips[0].shares == (1.0, None)
    assert confused_pairs(np.diag([3, 2]), "ab") == []
    equal = confused_pairs(np.array([[0, 2, 1], [2, 0, 3], [3, 1, 0]]), ABC)  # four errors each
    assert [(p.first, p.second) for p in equal] == [("a", "b"), ("c", "a"), ("b", "c")]


@given(st.data())
def test_every_wrong_answer_is_in_one_pair(data):
    classes, n, seeds = (data.draw(st.integers(1, k)) for k in (6, 9, 3))
    of = st.integers(0, classes - 1)
    labels = data.draw(arrays(np.int64, n, elements=of))
    answers = data.draw(arrays(np.int64, (seeds, n), elements=of))
    counts = confusion_counts(labels, answers, classes)
    pairs = confused_pairs(counts, "abcdef"[:classes])
    assert sum(p.there + p.back for p in pairs) == (answers != labels).sum()
    assert all(p.there >= p.back for p in pairs)


# Two seeds, six clips of two classes; the first two clips are cut from one video.
COMPARISON = Comparison(
    seeds=(3, 5),
    before=np.array([[0, 0, 1, 1, 0, 1], [0, 0, 1, 0, 1, 1]], bool),
    after=np.array([[1, 1, 0, 1, 0, 1], [1, 0, 0, 1, 0, 1]], bool),
    labels=np.array([0, 0, 0, 1, 1, 1]),
    classes=("a", "b", "empty"),
    sources=("v", "v", "w", "x", "y", "z"),
)


def test_fixed_and_broken_by_seed_clip_and_video():
    assert COMPARISON.fixed.sum(0).tolist() == [2, 1, 0, 1, 0, 0]
    assert COMPARISON.broken.sum(0).tolist() == [0, 0, 2, 0, 1, 0]
    found = COMPARISON.change()
    assert (found.clips, found.videos, found.fixed, found.broken) == (6, 5, 4, 3)
    assert (found.up, found.down) == (2, 2)  # v and x gain, w and y lose, z stays
    assert found.p == 1.0
    assert found.gain.by_seed == pytest.approx((1 / 6, 0.0))
    assert found.gain.mean == pytest.approx(1 / 12)


def test_changes_by_class_leave_out_classes_without_clips():
    found = COMPARISON.by_class()
    assert [(c.name, c.clips, c.fixed, c.broken) for c in found] == [("a", 3, 3, 2), ("b", 3, 1, 1)]
    assert (found[0].up, found[0].down, found[0].videos) == (1, 1, 2)
    with pytest.raises(ValueError, match="no clips"):
        COMPARISON.change("none", np.zeros(6, bool))


def test_shares_by_class_are_means_over_frames():
    # share, even share and frames of three clips of class 0 and 1; class 2 has no clip
    sums = np.array([[1.0, 0.5, 2], [3.0, 1.0, 4], [0.0, 0.0, 0]])
    found = error_analysis.share_by_class(sums, np.array([0, 0, 1]), 3)
    np.testing.assert_allclose(found, [[4 / 6, 1.5 / 6], [np.nan] * 2, [np.nan] * 2])
    more = np.stack([sums, 0 * sums + sums[0]])
    twice = error_analysis.share_by_class(more, np.array([0, 0, 1]), 3)
    np.testing.assert_allclose(twice[:2], [[6 / 10, 2.5 / 10], [0.5, 0.25]])


def ledger(tmp_path, **seeds):
    """A ledger of the rows am-max and aa-ce with these seeds, on the clips above."""
    plan = Plan(tmp_path, rows_of(["am-max", "aa-ce"]), (0, 1))
    entries = {}
    for row in plan.rows:
        mine = seeds[row.name.replace("-", "_")]
        answers = ANSWERS[list(mine)]
        failed = {s: "not run" for s in (0, 1) if s not in mine}
        right, shares = answers == LABELS, (None,) * len(mine)
        entries[row.name] = Entry(row, mine, right, answers, shares, failed)
    return Ledger(plan, entries, tuple("vwxyz"), tuple("vwxyz"), LABELS, ABC, {}, {})


def test_rows_are_compared_over_the_seeds_that_both_have(tmp_path):
    found = error_analysis.compare(ledger(tmp_path, am_max=(0, 1), aa_ce=(1,)), "am-max", "aa-ce")
    assert found.seeds == (1,)
    assert (found.before == (ANSWERS[1:] == LABELS)).all()
    assert not found.fixed.any()


def test_missing_runs_are_said_with_what_there_is(tmp_path):
    found = ledger(tmp_path, am_max=(0,), aa_ce=())
    with pytest.raises(CheckpointError, match=r"'aa-ce' \(not run\).*one of the rows"):
        error_analysis.compare(found, "am-max", "aa-ce")
    with pytest.raises(CheckpointError, match=r"'aa-l2' \(no such row\).*--rows aa-l2"):
        found.finished("aa-l2")
    apart = ledger(tmp_path, am_max=(0,), aa_ce=(1,))
    with pytest.raises(CheckpointError, match=r"\[0\] of 'am-max' and \[1\] of 'aa-ce'.*both"):
        error_analysis.compare(apart, "am-max", "aa-ce")


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


def test_the_clips_needed_show_a_gain_four_times_in_five():
    """An error of 3 points with 268 clips; a true gain of 2 points, drawn 20,000 times."""
    half = 1.96 * 0.03
    needed = Difference((), 0, -half, half, 1).clips_needed(0.02, 268)
    error = 0.03 * (268 / needed) ** 0.5
    drawn = np.random.default_rng(0).normal(0.02, error, 20_000)
    assert (drawn - 1.96 * error > 0).mean() == pytest.approx(0.8, abs=0.01)


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
