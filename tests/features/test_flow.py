"""Optical flow: direction, coding, stacking, the camera's part."""

import os
import subprocess
import sys

import numpy as np
import pytest
from clips import texture
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rstan_lite.data.transforms import view
from rstan_lite.features.flow import (
    ZERO,
    camera_motion,
    decode,
    encode,
    estimator,
    flow_sequence,
    stack,
    stack_indices,
    stacks,
)
from rstan_lite.features.inputs import coded_flow
from rstan_lite.lab.predict import needed_pairs, sparse_inputs
from rstan_lite.system.errors import ConfigError


@pytest.mark.parametrize("method", ["dis", "tvl1"])
def test_a_shift_is_seen_as_that_shift(method):
    first = texture()
    frames = np.stack([first, np.roll(first, (1, 3), axis=(0, 1))])
    flow = flow_sequence(frames, method)[0, 20:-20, 20:-20]
    assert np.abs(np.median(flow.reshape(-1, 2), axis=0) - (3, 1)).max() < 0.25


@pytest.mark.parametrize("camera", ["median", "similarity"])
def test_camera_motion_is_removed_and_the_actor_is_left(camera):
    ground, actor = texture(seed=1), texture(60, 40, seed=2)
    frames = []
    for t in range(2):
        frame = np.roll(ground, (0, 4 * t), axis=(0, 1)).copy()
        frame[30:90, 60 - 2 * t : 100 - 2 * t] = actor
        frames.append(frame)
    flow = flow_sequence(np.stack(frames), "dis", camera)[0]
    still = flow[:, 8:40].reshape(-1, 2)
    assert np.abs(np.median(still, axis=0)).max() < 0.4
    assert np.median(flow[45:75, 70:90, 0]) == pytest.approx(-6, abs=1)


def test_zoom_needs_the_similarity():
    y, x = np.mgrid[0:120, 0:160].astype(np.float32)
    zoom = 0.03 * np.stack([x - 80, y - 60], axis=-1)
    zoom[40:80, 60:90] += (5, 0)
    left = zoom - camera_motion(zoom, "similarity")
    assert np.abs(left[:30]).max() < 0.1
    assert left[60, 75, 0] == pytest.approx(5, abs=0.3)
    assert np.abs(zoom - camera_motion(zoom, "median"))[:30].max() > 1
    for least in (zoom[:16, :16], zoom[:4, :40]):  # where one point of the grid lies, or none
        assert (camera_motion(least, "similarity") == camera_motion(least, "median")).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_similarity_fits_the_ground_as_lstsq_does(seed):
    rng = np.random.default_rng(seed)
    scale, angle = 1 + rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05)
    shift = rng.uniform(-3, 3, 2)
    y, x = np.mgrid[0:120, 0:160].astype(np.float64)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = np.stack([x, y], axis=-1) @ turn.T + shift
    flow = moved - np.stack([x, y], axis=-1) + rng.normal(0, 0.05, (120, 160, 2))
    flow = flow.astype(np.float32)
    # the same points as a linear system in (a, b, t_x, t_y), solved by another library
    rows, columns = np.mgrid[4:120:12, 4:160:12]
    px, py = columns.ravel(), rows.ravel()
    one, nil = np.ones(len(px)), np.zeros(len(px))
    system = np.concatenate([np.stack([px, -py, one, nil], 1), np.stack([py, px, nil, one], 1)])
    end = np.stack([px, py], 1) + flow[py, px]
    a, b, t_x, t_y = np.linalg.lstsq(system, end.T.ravel(), rcond=None)[0]
    expected = np.stack([(a - 1) * x - b * y + t_x, b * x + (a - 1) * y + t_y], axis=-1)
    np.testing.assert_allclose(camera_motion(flow, "similarity"), expected, atol=5e-4)


def test_the_camera_is_the_same_to_the_bit_with_other_kernels_of_blas():
    """OpenCV's own refinement of the fit is not."""
    code = """
import hashlib, numpy as np
from rstan_lite.features.flow import camera_motion
y, x = np.mgrid[0:120, 0:160].astype(np.float32)
noise = np.random.default_rng(0).normal(0, 0.2, (20, 120, 160, 2)).astype(np.float32)
zoom = 0.03 * np.stack([x - 80, y - 60], axis=-1)
found = [camera_motion(zoom + each, "similarity") for each in noise]
print(hashlib.sha256(np.stack(found).tobytes()).hexdigest())
"""
    run = [sys.executable, "-c", code]
    prints = {
        subprocess.run(run, env=env, capture_output=True, encoding="utf-8", check=True).stdout
        for env in (os.environ | {"OPENBLAS_CORETYPE": name} for name in ("Haswell", "Prescott"))
    }
    assert len(prints) == 1


@given(arrays(np.float32, (3, 5, 2), elements=st.floats(-60, 60, width=32)))
def test_coding_error(flow):
    back = decode(encode(flow))
    assert np.abs(back - np.clip(flow, -20, 20)).max() <= 20 / 127 / 2 + 1e-5
    assert (encode(np.zeros_like(flow)) == ZERO).all()
    assert encode(np.array([-20.0, 20.0, -99.0, 99.0])).tolist() == [1, 255, 1, 255]
    np.testing.assert_array_equal(encode(decode(encode(flow))), encode(flow))


@given(st.integers(1, 50), st.integers(0, 50), st.integers(1, 12))
def test_stack_indices(n, frame, pairs):
    index = stack_indices(n, min(frame, n), pairs)
    assert len(index) == pairs
    assert index.min() >= 0
    assert index.max() < n
    middle = 20
    assert stack_indices(50, middle, 10).tolist() == list(range(15, 25))


def test_stack_interleaves_x_and_y():
    coded = np.zeros((12, 4, 5, 2), dtype=np.uint8)
    coded[..., 0] = np.arange(12)[:, None, None]
    coded[..., 1] = 100 + np.arange(12)[:, None, None]
    out = stack(coded, 6, pairs=4)
    assert out.shape == (4, 5, 8)
    assert out[0, 0].tolist() == [4, 104, 5, 105, 6, 106, 7, 107]


def test_errors():
    frames = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    with pytest.raises(ConfigError, match="dis, tvl1"):
        flow_sequence(frames, "raft9")
    with pytest.raises(ConfigError, match="none, median, similarity"):
        flow_sequence(frames, "dis", "affine")


def test_stack_of_a_view_is_the_view_of_the_stack():
    coded = np.random.default_rng(0).integers(1, 256, (14, 60, 80, 2), dtype=np.uint8)
    for name in ("centre", "bottom-left-mirror"):
        geometry = view(name, (60, 80), 32)
        np.testing.assert_array_equal(stack(coded, 5, geometry), geometry.flow(stack(coded, 5)))


@pytest.mark.parametrize("chosen", [[0, 29], [3, 4, 12, 29, 29], [15], list(range(30)), [1, 28]])
@pytest.mark.parametrize("pairs", [1, 5, 10])
def test_stacks_of_some_pairs_are_those_of_all(chosen, pairs):
    """What flow of the needed pairs alone gives is what flow of the whole clip gives."""
    ground = texture(40, 60)
    frames = np.stack([np.roll(ground, (t, t * t % 7), axis=(0, 1)) for t in range(30)])
    index, method = np.array(chosen), estimator("dis")
    needed = needed_pairs(30, index, pairs)
    kept = {i: frames[i] for i in {*chosen, *needed.tolist(), *(needed + 1).tolist()}}
    some = sparse_inputs(kept, index, needed, method, "similarity")
    whole = coded_flow(frames, method, "similarity")
    assert len(some["flow"]) == len(needed) <= pairs * len(chosen)
    assert (some["frames"].numpy() == frames[index]).all()
    for mine, theirs in zip(
        stacks(some["flow"].numpy(), some["index"].tolist(), pairs=pairs),
        stacks(whole, chosen, pairs=pairs),
        strict=True,
    ):
        assert (mine == theirs).all()
