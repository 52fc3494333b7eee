"""Dense trajectories: they follow what moves, and forget what stands or only the camera moves."""

import numpy as np
import pytest
from clips import SPEED, inside_square, square_clip, texture

from rstan_lite.lab.idt.trajectories import (
    TrackSettings,
    residual_flow,
    residual_steps,
    track,
    trajectories,
)
from rstan_lite.system.errors import ConfigError, DataError


def grey(clip):
    return np.ascontiguousarray(clip[..., 0])


def test_trajectories_follow_a_moving_square_within_a_pixel():
    scales = list(trajectories(square_clip(), TrackSettings(camera="none")))
    assert [round(scale.factor, 1) for scale in scales] == [1.0, 0.7, 0.5, 0.4]
    for scale in scales:
        points = scale.points / scale.factor
        rows = inside_square(points, scale.start)
        assert rows.sum() >= 4
        followed = points[rows, :1] + np.arange(16)[:, None] * (SPEED, 0)
        assert np.abs(points[rows] - followed).max() < 1
        assert np.abs(scale.steps[rows] - (SPEED, 0)).max() < 0.5


def test_what_stands_still_has_no_trajectory():
    for scale in trajectories(square_clip(), TrackSettings(camera="none")):
        x = scale.points[:, 0, 0] / scale.factor
        assert len(x)
        assert x.max() < 20 + 48 + SPEED * 20  # nothing right of where the square gets to
    still = np.repeat(texture(64, 64, 5)[None], 18, axis=0)
    assert all(not len(scale.start) for scale in trajectories(still, TrackSettings()))


def test_a_panned_still_loses_all_trajectories_with_the_camera_taken_out():
    wide = texture(120, 320, 3)
    clip = np.stack([wide[:, 3 * t : 3 * t + 200] for t in range(20)])
    found = list(trajectories(clip, TrackSettings(camera="none")))
    assert sum(len(scale.start) for scale in found) > 1000
    assert not any(len(scale.start) for scale in trajectories(clip, TrackSettings()))


def test_an_actor_keeps_its_own_motion_under_a_panning_camera():
    found = next(trajectories(square_clip(pan=2), TrackSettings(scales=1)))
    rows = inside_square(found.points, found.start, pan=2)
    assert rows.sum() > 10
    seen = np.diff(found.points[rows], axis=1)
    assert np.abs(np.median(seen, axis=(0, 1)) - (SPEED - 2, 0)).max() < 0.2
    assert np.abs(np.median(found.steps[rows], axis=(0, 1)) - (SPEED, 0)).max() < 0.2
    flow = found.residual[5, 45:60, 40:60]
    assert np.abs(np.median(flow, axis=(0, 1)) - (SPEED, 0)).max() < 0.2


def test_residuals_undo_a_known_homography():
    matrix = np.array([[1.02, 0.01, -3], [-0.01, 0.98, 2], [1e-5, 2e-5, 1]])
    y, x = np.mgrid[:40, :60].astype(float)
    own = np.array([1.5, -0.5])  # what everything does besides the camera
    at = np.stack([x + own[0], y + own[1], np.ones_like(x)])
    end = np.einsum("ij,jhw->hwi", matrix, at)
    flow = (end[..., :2] / end[..., 2:] - np.stack([x, y], axis=-1)).astype(np.float32)[None]
    assert np.abs(residual_flow(flow, matrix[None]) - own).max() < 1e-3
    points = np.stack([[10.0, 20.0], np.array([10.0, 20.0]) + flow[0, 20, 10]])[None]
    steps = residual_steps(points, np.array([0]), matrix[None])
    assert np.abs(steps - own).max() < 1e-3


def test_tracking_against_a_plain_loop():
    clip = grey(square_clip(8))
    rng = np.random.default_rng(0)
    flow = rng.uniform(-2, 2, (7, 120, 200, 2)).astype(np.float32)
    start, points = track(clip, flow, TrackSettings(length=5, step=4))
    assert len(points) > 100
    for first, path in zip(start[::37], points[::37], strict=True):
        x, y = path[0]
        for j in range(5):
            column, row = round(float(x)), round(float(y))
            # the median filter repeats the border
            rows = np.clip(np.arange(row - 1, row + 2), 0, 119)
            columns = np.clip(np.arange(column - 1, column + 2), 0, 199)
            window = flow[first + j][np.ix_(rows, columns)].reshape(9, 2)
            x, y = np.array([x, y]) + np.median(window, axis=0)
            np.testing.assert_allclose(path[j + 1], (x, y), atol=1e-4)
    assert set(start) == {0, 1, 2}  # born later only where a cell had become empty


def test_short_clips_give_shorter_trajectories():
    for frames in (4, 10, 15):
        scale = next(trajectories(square_clip(frames), TrackSettings(camera="none")))
        assert scale.points.shape[1] == frames
        assert set(scale.start.tolist()) <= {0}
    assert len(scale.start)  # 15 frames: less than 15 steps, and still found


def test_a_shrunk_clip_keeps_its_own_pixels_for_displacements():
    scale = next(trajectories(square_clip(), TrackSettings(height=60, camera="none")))
    assert scale.grey.shape[1:] == (60, 100)
    assert scale.factor == 0.5
    rows = inside_square(scale.points * 2, scale.start)
    assert rows.sum() > 4
    assert np.abs(scale.steps[rows] - (SPEED, 0)).max() < 0.5


def test_complaints():
    with pytest.raises(DataError, match="found 1 frames; expected at least 4"):
        list(trajectories(square_clip(1), TrackSettings()))
    with pytest.raises(DataError, match="20 x 48"):
        list(trajectories(np.zeros((8, 48, 20, 3), np.uint8), TrackSettings()))
    bad = {"length": 2, "height": 31, "step": 0, "scales": 0, "quality": 1.0, "camera": "x"}
    for name, value in bad.items():
        with pytest.raises(ConfigError, match=name):
            TrackSettings(**{name: value})
