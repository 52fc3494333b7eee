"""Confused pairs, changed clips and shares by class, against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rstan_lite.lab.ledger import error_analysis
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
        entries[row.name] = Entry(
            row, mine, answers == LABELS, answers, (None,) * len(mine), failed
        )
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
