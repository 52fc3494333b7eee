"""Errors of flow where the truth is known."""

import numpy as np
import pytest
from clips import texture

from rstan_lite.features.flow import OPENCV, estimator
from rstan_lite.lab.flow_truth import end_point_error, judge, moved, smooth_field, warping_error
from rstan_lite.system.errors import ConfigError


def test_a_moved_frame_shows_what_its_field_leads_to():
    frame = texture()
    field = np.zeros((120, 160, 2), np.float32)
    field[..., 0], field[..., 1] = 3, -2
    before = moved(frame, field)
    np.testing.assert_array_equal(before[2:, :-3], frame[:-2, 3:])
    assert warping_error(before, frame, field) == 0
    assert warping_error(before, frame, 0 * field) > 5


def test_end_point_error_by_hand():
    flow, truth = np.zeros((40, 40, 2)), np.zeros((40, 40, 2))
    truth[..., 0], truth[..., 1] = 3, 4
    truth[:8] = 100  # the margin is not judged
    assert end_point_error(flow, truth) == 5
    assert end_point_error(flow, truth, margin=0) > 5


def test_fields_are_smooth_and_as_long_as_asked():
    field = smooth_field((120, 160), np.random.default_rng(0), largest=5)
    assert np.linalg.norm(field, axis=-1).max() == pytest.approx(5, rel=1e-5)
    assert max(np.abs(np.diff(field, axis=axis)).max() for axis in (0, 1)) < 1
    with pytest.raises(ConfigError, match="does not fold"):
        smooth_field((120, 160), np.random.default_rng(0), largest=40, waves=12)


def test_both_methods_find_a_known_field():
    rng = np.random.default_rng(1)
    field = smooth_field((120, 160), rng, largest=4)
    found = judge(texture(), field, {name: estimator(name) for name in OPENCV})
    rest = end_point_error(np.zeros_like(field), field)
    for name in OPENCV:
        assert found[name].error < rest / 4
        assert found[name].error == end_point_error(found[name].flow, field)
        assert found[name].warping < 4
        assert found[name].seconds > 0
