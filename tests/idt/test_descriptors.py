"""Descriptors along trajectories and Fisher vectors of them, against plain loops and formula."""

import math
import warnings

import numpy as np
import pytest
from clips import square_clip

from rstan_lite.lab.idt import descriptors
from rstan_lite.lab.idt.descriptors import NAMES, SIZES
from rstan_lite.lab.idt.encoding import Codebook, EncodingSettings, sample_rows
from rstan_lite.lab.idt.trajectories import Scale, TrackSettings, trajectories
from rstan_lite.system.errors import ConfigError, DataError


def loop_votes(dx, dy, still=0.0):
    """Votes of one pixel."""
    votes = np.zeros(9 if still else 8)
    magnitude = math.hypot(dx, dy)
    if still and magnitude <= still:
        votes[8] = 1
        return votes
    place = math.atan2(dy, dx) % (2 * math.pi) / (2 * math.pi) * 8
    low = int(place)
    votes[low % 8] += magnitude * (1 - place + low)
    votes[(low + 1) % 8] += magnitude * (place - low)
    return votes


def loop_gradient(image, x, y):
    """Right minus left and lower minus upper neighbour; the picture is mirrored at its edge."""

    def at(row, column):
        height, width = image.shape
        row = -row if row < 0 else 2 * height - 2 - row if row >= height else row
        column = -column if column < 0 else 2 * width - 2 - column if column >= width else column
        return float(image[row, column])

    return at(y, x + 1) - at(y, x - 1), at(y + 1, x) - at(y - 1, x)


def loop_volume(scale, row, name):
    """Histograms of the 3 x 2 x 2 cells of one trajectory."""
    length = scale.points.shape[1] - 1
    total = np.zeros((3, 2, 2, 9 if name == "hof" else 8))
    frames = np.zeros(3)
    for j in range(length):
        t, span = scale.start[row] + j, j * 3 // length
        frames[span] += 1
        height, width = scale.grey[t].shape
        left = min(max(round(float(scale.points[row, j, 0])) - 16, 0), width - 32)
        top = min(max(round(float(scale.points[row, j, 1])) - 16, 0), height - 32)
        flow = scale.residual[t]
        for y in range(32):
            for x in range(32):
                at = (left + x, top + y)
                if name == "hof":
                    votes = loop_votes(*flow[at[1], at[0]], descriptors.LEAST_FLOW)
                elif name == "hog":
                    votes = loop_votes(*loop_gradient(scale.grey[t], *at))
                else:
                    votes = loop_votes(*loop_gradient(flow[..., int(name == "mbhy")], *at))
                total[span, y // 16, x // 16] += votes
    return (total / frames[:, None, None, None]).ravel()


@pytest.fixture(scope="module")
def scale():
    """Four trajectories of seven steps on random pictures and flow, two of them near an edge."""
    rng = np.random.default_rng(0)
    start = np.array([0, 1, 0, 1])
    points = rng.uniform(24, 28, (4, 8, 2))
    points[1] = rng.uniform(0, 3, (8, 2))
    points[2] = (59, 47) - rng.uniform(0.6, 3, (8, 2))
    return Scale(
        1.0,
        rng.integers(0, 256, (9, 48, 60), dtype=np.uint8),
        rng.normal(0, 1, (8, 48, 60, 2)).astype(np.float32),
        start,
        points.astype(np.float32),
        np.diff(points, axis=1).astype(np.float32),
    )


@pytest.mark.parametrize("name", ["hog", "hof", "mbhx", "mbhy"])
def test_volumes_against_plain_loops(scale, name):
    found = descriptors.volume_histograms(scale)[name]
    for row in range(4):
        expected = loop_volume(scale, row, name)
        # OpenCV's angles are right to a third of a degree, 0.7 % of a bin
        np.testing.assert_allclose(found[row], expected, atol=0.002 * expected.max())


@pytest.mark.parametrize("length", [15, 9])
def test_shape_is_displacement_over_length_and_that_of_short_ones_is_resampled(length):
    steps = np.random.default_rng(1).normal(0, 2, (2, length, 2))
    found = descriptors.shape_descriptor(steps)
    assert found.shape == (2, 30)
    for row, own in zip(found, steps, strict=True):
        path = np.concatenate([[(0, 0)], own.cumsum(axis=0)])
        place, frames = np.linspace(0, length, 16), np.arange(length + 1)
        sampled = np.stack([np.interp(place, frames, path[:, i]) for i in (0, 1)], axis=1)
        expected = np.diff(sampled, axis=0)
        expected /= np.linalg.norm(expected, axis=1).sum()
        np.testing.assert_allclose(row, expected.ravel(), atol=1e-6)


def test_a_clip_has_all_kinds_and_a_still_one_has_no_rows():
    settings = TrackSettings(step=10)
    found = descriptors.describe(trajectories(square_clip(), settings))
    assert tuple(found) == NAMES
    count = len(found["hog"])
    assert count > 20
    for name, rows in found.items():
        assert rows.shape == (count, SIZES[name])
        assert np.isfinite(rows).all()
        length = np.linalg.norm(rows, axis=1)
        assert name == "trajectory" or np.abs(length - 1).max() < 1e-4
    still = np.repeat(square_clip(1), 16, axis=0)
    assert {n: r.shape for n, r in descriptors.describe(trajectories(still, settings)).items()} == {
        name: (0, size) for name, size in SIZES.items()
    }


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
