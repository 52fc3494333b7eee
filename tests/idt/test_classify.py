"""Margins of the SVMs, and probabilities from them."""

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from rstan_lite.lab.idt.classify import fit_temperature, margins, probabilities
from rstan_lite.system.errors import DataError


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 12)
    centres = rng.normal(0, 1, (3, 40))
    return centres[labels] + rng.normal(0, 0.8, (36, 40)), labels


def test_margins_are_those_of_a_linear_svm_on_the_vectors(clips):
    rows, labels = clips
    kernel = rows @ rows.T
    found = margins(kernel[:30, :30], labels[:30], kernel[30:, :30], ("a", "b", "c"), 1.0)
    for label in range(3):
        machine = LinearSVC(C=1.0, loss="hinge", max_iter=200_000, intercept_scaling=100, tol=1e-6)
        expected = machine.fit(rows[:30], labels[:30] == label).decision_function(rows[30:])
        np.testing.assert_allclose(found[:, label], expected, atol=0.03)
    assert margins(kernel, labels, kernel[:0], ("a", "b", "c"), 1.0).shape == (0, 3)


def test_a_class_without_training_clips_is_a_complaint(clips):
    rows, labels = clips
    with pytest.raises(DataError, match="d: found 0 of the 36 training clips"):
        margins(rows @ rows.T, labels, rows @ rows.T, ("a", "b", "c", "d"), 1.0)


def test_the_temperature_is_the_one_that_made_the_labels():
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 1, (4000, 5))
    for temperature in (0.3, 1.0, 4.0):
        drawn = [rng.choice(5, p=p / p.sum()) for p in probabilities(margin, temperature)]
        assert fit_temperature(margin, np.array(drawn)) == pytest.approx(temperature, rel=0.15)


def test_probabilities_keep_the_order_and_sum_to_one():
    margin = np.array([[-0.2, 0.7, -1.0], [800.0, 0.0, -800.0]])
    found = probabilities(margin, 0.5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    assert np.argsort(found[0]).tolist() == [2, 0, 1]
    powers = [np.exp(value / 0.5) for value in margin[0]]
    np.testing.assert_allclose(found[0], np.array(powers) / sum(powers), rtol=1e-5)
    assert found[1].tolist() == [1, 0, 0]
