"""Silhouette files and the target M of Eq. 18."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import savemat

from rstan_lite.data.silhouettes import read_masks, target
from rstan_lite.system.errors import ConfigError, DataError


@given(arrays(np.uint8, (2, 11, 14), elements=st.integers(0, 1)), st.integers(1, 11))
def test_target_against_loops(masks, k):
    """Each place by itself, with the pixels it touches counted one by one."""
    m = target(masks, k)
    assert m.shape == (2, k * k)
    for t in range(2):
        touched = np.zeros((k, k))
        for y, x in zip(*np.nonzero(masks[t]), strict=True):
            for i in range(k):
                for j in range(k):
                    inside = y < (i + 1) * 11 / k and y + 1 > i * 11 / k
                    if inside and x < (j + 1) * 14 / k and x + 1 > j * 14 / k:
                        touched[i, j] = 1
        n_box = touched.sum()
        np.testing.assert_allclose(m[t], (touched / max(n_box, 1)).ravel(), rtol=1e-6)
        assert np.isclose(m[t].sum(), 1 if n_box else 0)


@pytest.mark.parametrize("k", [0, 5, -1])
def test_target_refuses_an_impossible_k(k):
    with pytest.raises(ConfigError, match="between"):
        target(np.ones((1, 4, 4), dtype=np.uint8), k)


def masks_file(path, masks, key="part_mask"):
    savemat(path, {key: masks.transpose(1, 2, 0)})
    return path


@pytest.fixture
def some():
    masks = np.zeros((5, 12, 16), dtype=np.uint8)
    masks[:, 3:9, 5:8] = 1
    masks[4] = 0
    return masks


def test_read(tmp_path, some):
    read = read_masks(masks_file(tmp_path / "m.mat", some), some.shape)
    np.testing.assert_array_equal(read, some)  # a frame without silhouette stays empty


def test_a_longer_file_is_cut_to_the_frames(tmp_path, some):
    assert len(read_masks(masks_file(tmp_path / "m.mat", some), (3, 12, 16))) == 3


def test_too_few_masks(tmp_path, some):
    path = masks_file(tmp_path / "m.mat", some[:4])
    with pytest.raises(DataError, match=r"m\.mat: found 4 masks; expected 6"):
        read_masks(path, (6, 12, 16))
    with pytest.warns(UserWarning, match="end 2 frames early"):
        read = read_masks(path, (6, 12, 16), repeat_last=True)
    np.testing.assert_array_equal(read[4:], some[[3, 3]])
    with pytest.raises(DataError, match="4 masks"):
        read_masks(path, (40, 12, 16), repeat_last=True)


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        (lambda m: m.transpose(0, 2, 1), "part_mask", r"shape \(5, 16, 12\)"),
        (lambda m: m * 0, "part_mask", "empty silhouette"),
        (lambda m: m[:, :6], "part_mask", r"shape \(5, 6, 16\)"),
        (lambda m: m, "mask", "no key part_mask"),
    ],
)
def test_wrong_content(tmp_path, some, change, key, message):
    with pytest.raises(DataError, match=message):
        read_masks(masks_file(tmp_path / "m.mat", change(some), key), some.shape)


def test_wrong_files(tmp_path, some):
    with pytest.raises(DataError, match="no such file"):
        read_masks(tmp_path / "absent.mat", some.shape)
    (tmp_path / "bad.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(DataError, match=r"bad\.mat: found an unreadable file"):
        read_masks(tmp_path / "bad.mat", some.shape)
