"""Metrics against values worked out by hand."""

import pytest
import torch

from rstan_lite.training.evaluation import (
    accuracy,
    accuracy_interval,
    confusion,
    per_class,
    silhouette_sums,
)

SCORES = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.7, 0.2]])
LABELS = torch.tensor([0, 1, 1, 1])  # predicted 0, 1, 0, 1


def test_accuracy_of_all_and_of_classes_and_confusion_by_hand():
    assert accuracy(SCORES, LABELS) == 0.75
    assert accuracy(SCORES[:0], LABELS[:0]) is None
    found = per_class(SCORES, LABELS, ("run", "walk", "jump"))
    assert found == {"run": 1.0, "walk": pytest.approx(2 / 3), "jump": None}
    assert confusion(SCORES, LABELS).tolist() == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]  # true by row
    assert confusion(SCORES[:0], LABELS[:0]).tolist() == [[0, 0, 0]] * 3


def test_share_of_attention_on_the_silhouette_by_hand():
    # One clip, three frames, four places. Fused maps need not sum to one.
    alpha = torch.tensor([[[1.0, 0.5, 0.5, 0.0], [0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]]])
    target = torch.tensor([[[0.5, 0.5, 0, 0], [0, 0, 0, 1.0], [0, 0, 0, 0]]])
    share, area, frames = silhouette_sums(alpha, target).sum(0)
    assert float(share) == pytest.approx(1.5 / 2 + 0.4)  # the third frame shows no actor
    assert float(area) == pytest.approx(2 / 4 + 1 / 4)
    assert int(frames) == 2


def test_intervals_of_an_accuracy():
    """Wilson's interval: the ends are the shares that lie z deviations from what was found."""
    for right, clips in ((7, 10), (0, 5), (5, 5), (188, 268)):
        low, high = accuracy_interval(right, clips)
        assert 0 <= low <= right / clips <= high <= 1
        for end in (low, high):
            if 0 < end < 1:
                deviation = (end * (1 - end) / clips) ** 0.5
                assert abs(right / clips - end) == pytest.approx(1.959964 * deviation, rel=1e-4)
    assert accuracy_interval(0, 0) is None
    wide, narrow = (accuracy_interval(7, 10, level) for level in (0.99, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
