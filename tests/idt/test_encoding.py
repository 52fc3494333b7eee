"""Fisher vectors against their formula, and the draw that codebooks come from."""

import warnings

import numpy as np
import pytest

from rstan_lite.lab.idt.encoding import Codebook, EncodingSettings, sample_rows
from rstan_lite.system.errors import ConfigError, DataError

SETTINGS = EncodingSettings(components=3, samples=300, iterations=20)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (3, 8))
    return (centres[rng.integers(0, 3, 300)] + rng.normal(0, 0.3, (300, 8))).astype(np.float32)


@pytest.fixture(scope="module")
def codebook(sample):
    return Codebook.fit(sample, SETTINGS)


def plain_fisher_vector(codebook, descriptors):
    """Sanchez et al., Image classification with the Fisher vector (IJCV 2013), Eq. 16-18, loops.

    Variance gradients have the opposite sign there, which no dot product of two vectors sees.
    """
    weights, means, variances = codebook.weights, codebook.means, codebook.variances
    components, kept = means.shape
    first, second = np.zeros((2, components, kept))
    for descriptor in descriptors:
        x = np.array([axis @ (descriptor - codebook.mean) for axis in codebook.axes])
        density = np.zeros(components)
        for k in range(components):
            exponent = sum((x[d] - means[k, d]) ** 2 / variances[k, d] for d in range(kept))
            scale = np.prod(np.sqrt(2 * np.pi * variances[k].astype(float)))
            density[k] = weights[k] * np.exp(-exponent / 2) / scale
        posterior = density / density.sum()
        for k in range(components):
            away = (x - means[k]) / np.sqrt(variances[k])
            first[k] += posterior[k] * away / np.sqrt(weights[k])
            second[k] -= posterior[k] * (away**2 - 1) / np.sqrt(2 * weights[k])
    vector = np.concatenate([first.ravel(), second.ravel()]) / len(descriptors)
    rooted = np.sign(vector) * np.sqrt(np.abs(vector))
    return rooted / np.linalg.norm(rooted)


def test_fisher_vector_against_its_formula(codebook, sample):
    clip = sample[:17] + np.float32(0.2)
    found = codebook.encode(clip)
    assert found.shape == (2 * 3 * 4,)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain_fisher_vector(codebook, clip), atol=2e-3)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_fitting_is_deterministic_and_silent_when_stopped_early(sample):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        settings = EncodingSettings(components=3, iterations=1)
        one, other = (Codebook.fit(sample, settings) for _ in range(2))
    np.testing.assert_array_equal(one.means, other.means)
    np.testing.assert_array_equal(one.encode(sample[:9]), other.encode(sample[:9]))


def test_rows_are_drawn_evenly_and_not_twice():
    counts = [100, 0, 300, 5]
    rows = sample_rows(counts, 81, seed=0)
    assert [len(set(part.tolist())) for part in rows] == [len(part) for part in rows]
    assert sum(map(len, rows)) == 81
    assert all(part.max(initial=-1) < count for part, count in zip(rows, counts, strict=True))
    assert 8 <= len(rows[0]) <= 32
    assert [part.tolist() for part in sample_rows([2, 3], 100, 1)] == [[0, 1], [0, 1, 2]]
    again = sample_rows(counts, 81, seed=0)
    assert all((one == two).all() for one, two in zip(rows, again, strict=True))


def test_complaints(sample):
    with pytest.raises(DataError, match="found 2 of them; expected at least 4"):
        Codebook.fit(sample[:2], SETTINGS)
    with pytest.raises(ConfigError, match="components"):
        EncodingSettings(components=0)
