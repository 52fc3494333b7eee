"""Descriptors along trajectories, each against plain loops."""

import math

import numpy as np
import pytest
from clips import square_clip

from rstan_lite.lab.idt import descriptors
from rstan_lite.lab.idt.descriptors import NAMES, SIZES
from rstan_lite.lab.idt.trajectories import Scale, TrackSettings, trajectories


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
