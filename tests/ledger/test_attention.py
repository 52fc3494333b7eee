"""Where a ledger's runs look, on runs of some steps with real frames and silhouettes."""

from dataclasses import replace

import numpy as np
import pytest
from small_runs import small_options, write_networks

from rstan_lite.lab.ledger.error_analysis import attended, row_sums
from rstan_lite.lab.ledger.ledger_runs import Plan, make, read
from rstan_lite.lab.paper_rows import rows_of
from rstan_lite.lab.scores import read_predictions
from rstan_lite.system.errors import CheckpointError
from rstan_lite.training import run_folder as runs


@pytest.fixture(scope="module")
def ledger(tmp_path_factory, small_root):
    """One seed of a model with fused attention, and of LSTMs whose scores are averaged."""
    folder = tmp_path_factory.mktemp("a ledger")
    write_networks(folder)
    options = small_options(folder, dataset="jhmdb", root=str(small_root))
    plan = Plan(folder / "ledger", rows_of(["am-max", "lstm"]), (2,), "tiny", options)
    make(plan)
    return read(plan)


def test_sums_of_clips_make_the_runs_share_and_follow_the_ledgers_order(ledger):
    (sums,) = row_sums(ledger, "am-max", (2,))
    assert sums.shape == (len(ledger.clips), 3)
    metrics = runs.read_metrics(ledger.plan.folder("am-max", 2))
    share, area, frames = sums.sum(0)
    assert share / frames == pytest.approx(metrics["attention_on_silhouette"])
    assert area / frames == pytest.approx(metrics["silhouette_area"])
    turned = replace(ledger, clips=ledger.clips[::-1])
    np.testing.assert_array_equal(row_sums(turned, "am-max", (2,))[0], sums[::-1])


def test_what_is_drawn_is_what_was_measured_and_answered(ledger):
    clips = [len(ledger.clips) - 1, 0]
    (sums,) = row_sums(ledger, "am-max", (2,))
    found = attended(ledger, "am-max", 2, clips)
    assert [case.name for case in found] == [ledger.clips[clip] for clip in clips]
    predictions = read_predictions(ledger.plan.folder("am-max", 2) / "predictions.npz")
    for clip, case in zip(clips, found, strict=True):
        np.testing.assert_allclose(case.maps.sum(-1), 1, atol=1e-5)
        inside = (case.maps * (case.target > 0)).sum()
        assert inside == pytest.approx(sums[clip, 0], abs=1e-5)
        scores = predictions.scores[predictions.names.index(case.name)]
        assert case.answer == ledger.classes[scores.argmax()]
        assert case.probability == pytest.approx(scores.max(), abs=1e-5)
        assert case.action == ledger.classes[ledger.labels[clip]]
        assert case.frames.shape[:3] == case.silhouettes.shape
        assert len(case.frames) == len(case.indices) == len(case.maps) == 4


def test_a_model_without_attention_has_no_share_and_nothing_to_draw(ledger):
    assert not row_sums(ledger, "motion-lstm", (2,)).any()
    with pytest.raises(CheckpointError, match=r"motion-lstm.*without attention"):
        attended(ledger, "motion-lstm", 2, [0])


def test_what_cannot_be_looked_at_is_said(ledger):
    with pytest.raises(CheckpointError, match="averaged scores of appearance-lstm and motion-lstm"):
        row_sums(ledger, "lstm", (2,))
    with pytest.raises(CheckpointError, match=r"seed7.*seeds \[2\]"):
        row_sums(ledger, "am-max", (7,))
    other = replace(ledger, clips=("gone", *ledger.clips[1:]))
    with pytest.raises(CheckpointError, match="1 test clips that the data set lacks now"):
        row_sums(other, "am-max", (2,))
