"""Which frames stand for the T steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rstan_lite.data.sampling import equally_spaced, random_offset
from rstan_lite.system.errors import ConfigError

counts = st.integers(1, 400)
steps = st.integers(1, 64)


@given(counts, steps)
def test_equally_spaced_covers_the_clip(n, t):
    index = equally_spaced(n, t)
    assert index.shape == (t,)
    assert index.dtype == np.int64
    assert (np.diff(index) >= 0).all()
    assert index.min() >= 0
    assert index.max() < n
    assert np.ptp(np.diff(index)) <= 1 if t > 1 else True  # gaps differ by one frame at most
    assert abs((index[0]) - (n - 1 - index[-1])) <= 1  # as much left out before as behind


def test_equally_spaced_by_hand():
    assert equally_spaced(8, 4).tolist() == [1, 3, 5, 7]
    assert equally_spaced(3, 6).tolist() == [0, 0, 1, 1, 2, 2]
    assert equally_spaced(5, 1).tolist() == [2]


def test_phase_moves_all_frames_of_a_clip_alike():
    found = equally_spaced(16, 4, np.array([0.0, 0.5, 0.999]))
    assert found.tolist() == [[0, 4, 8, 12], [2, 6, 10, 14], [3, 7, 11, 15]]


@given(counts, steps, st.integers(0, 2**32 - 1))
def test_random_offset_keeps_one_interval(n, t, seed):
    index = random_offset(n, t, np.random.default_rng(seed))
    assert (np.diff(index) >= 0).all()
    assert index.min() >= 0
    assert index.max() < n
    assert np.ptp(np.diff(index)) <= 1 if t > 1 else True


def test_random_offset_reaches_every_frame():
    rng = np.random.default_rng(0)
    seen = {int(i) for _ in range(200) for i in random_offset(12, 3, rng)}
    assert seen == set(range(12))


@pytest.mark.parametrize(("n", "t"), [(0, 4), (4, 0), (-1, 1)])
def test_nothing_to_sample_is_an_error(n, t):
    with pytest.raises(ConfigError):
        equally_spaced(n, t)
