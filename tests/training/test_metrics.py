"""Metrics against values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from rstan_lite.training.metrics import accuracy, attention_on_silhouette, confusion, per_class

SCORES = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.7, 0.2]])
LABELS = torch.tensor([0, 1, 1, 1])  # predicted 0, 1, 0, 1


def test_accuracy_by_hand():
    assert accuracy(SCORES, LABELS) == 0.75
    assert accuracy(SCORES[:0], LABELS[:0]) is None
    assert accuracy(torch.ones(2, 1), torch.zeros(2, dtype=torch.long)) == 1.0


def test_accuracy_per_class_by_hand():
    found = per_class(SCORES, LABELS, ("run", "walk", "jump"))
    assert found == {"run": 1.0, "walk": pytest.approx(2 / 3), "jump": None}


def test_confusion_matrix_has_the_true_class_by_row():
    assert confusion(SCORES, LABELS).tolist() == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]


def test_share_of_attention_on_the_silhouette_by_hand():
    # One clip, three frames, four places. Fused maps need not sum to one.
    alpha = torch.tensor([[[1.0, 0.5, 0.5, 0.0], [0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]]])
    target = torch.tensor([[[0.5, 0.5, 0, 0], [0, 0, 0, 1.0], [0, 0, 0, 0]]])
    share, area, frames = attention_on_silhouette(alpha, target)
    assert float(share) == pytest.approx(1.5 / 2 + 0.4)  # the third frame shows no actor
    assert float(area) == pytest.approx(2 / 4 + 1 / 4)
    assert int(frames) == 2


def test_even_attention_gets_the_area():
    target = (torch.rand(3, 5, 49, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    share, area, _ = attention_on_silhouette(torch.full((3, 5, 49), 1 / 49), target)
    assert float(share) == pytest.approx(float(area), rel=1e-5)
