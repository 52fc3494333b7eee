"""One geometry for frames, flow and silhouettes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rstan_lite.data.transforms import VIEWS, Geometry, crop, view
from rstan_lite.features.flow import ZERO, encode
from rstan_lite.lab.tuning_images import JITTER, actor_crop, random_colour, random_crop
from rstan_lite.system.errors import ConfigError


def block(top, left, height=240, width=320, side=24):
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


@given(st.sampled_from(VIEWS), st.booleans(), st.integers(60, 150), st.integers(110, 180))
def test_frame_and_mask_stay_together(name, mirror, top, left):
    """A white block in the frame lies where the mask says it lies, whatever the view."""
    mask = block(top, left)
    frame = np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
    geometry = view(name + ("-mirror" if mirror else ""), frame.shape, 112)
    seen, covered = geometry.frame(frame)[..., 0], geometry.mask(mask)
    assert set(np.unique(covered)) <= {0, 1}
    assert (covered[seen > 8] == 1).all()
    assert covered.sum() <= (seen > 0).sum() + 4 * 112  # at most a rim of one pixel more


def test_flow_follows_the_frame_and_negates_x():
    flow = np.zeros((240, 320, 2), dtype=np.float32)
    flow[100:140, 120:160] = (5.0, -3.0)
    stack = np.concatenate([encode(flow)] * 10, axis=2)
    plain, mirrored = (view(n, stack.shape, 224).flow(stack) for n in ("centre", "centre-mirror"))
    back = mirrored[:, ::-1].astype(int)
    assert np.abs((back[..., 0::2] - ZERO) + (plain[..., 0::2].astype(int) - ZERO)).max() <= 1
    np.testing.assert_array_equal(back[..., 1::2], plain[..., 1::2])
    assert plain[..., 0].max() > ZERO > mirrored[..., 0].min()


def test_mirroring_flow_twice_is_the_identity_but_for_the_clipped_end():
    stack = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(2, axis=2)
    flip = Geometry(0, 0, 1, 1, 16, mirror=True)
    twice = flip.flow(flip.flow(stack)).astype(int)
    assert np.abs(twice - stack).max() == 1  # code 0 comes back as 1, all others as themselves
    assert (twice != stack).sum() == 1


def test_flow_of_another_size_is_cut_alike():
    """Flow is stored smaller than the frames; shares of the frame make the crops agree."""
    frame, small = block(96, 140, side=32), block(72, 105, 180, 240, side=24)
    geometry = crop(frame.shape, 112, corner="top-right")
    assert (geometry.mask(frame) != geometry.mask(small)).mean() < 0.02


@given(st.integers(0, 2**32 - 1), st.integers(40, 400), st.integers(40, 400))
def test_random_crop_stays_inside_with_sides_of_the_jitter(seed, height, width):
    geometry = random_crop((height, width), 64, np.random.default_rng(seed))
    top, bottom, left, right = geometry.box(height, width)
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width
    short = min(height, width)
    assert min(abs((bottom - top) / short - j) for j in JITTER) <= 1.5 / short
    assert min(abs((right - left) / short - j) for j in JITTER) <= 1.5 / short


def test_random_crop_uses_every_corner_and_both_mirrors():
    rng = np.random.default_rng(0)
    drawn = [random_crop((240, 320), 64, rng) for _ in range(300)]
    assert {g.mirror for g in drawn} == {True, False}
    assert len({(round(g.top, 2) > 0, round(g.left, 2) > 0) for g in drawn}) == 4


def test_thin_limb_survives_shrinking():
    mask = np.zeros((240, 320), dtype=np.uint8)
    mask[40:200, 160] = 1
    small = view("whole", mask.shape, 28).mask(mask)
    assert small.any(axis=0).sum() == 1
    assert small.any(axis=1).sum() >= 18


@pytest.mark.parametrize("name", ["middle", "centre-flip", ""])
def test_unknown_view(name):
    with pytest.raises(ConfigError, match="one of"):
        view(name, (240, 320), 224)


def test_random_colour_changes_colours_only():
    rng = np.random.default_rng(0)
    frame = rng.integers(60, 200, (12, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(random_colour(frame, rng, 0.0), frame)
    drawn = [random_colour(frame, np.random.default_rng(seed), 0.4) for seed in range(40)]
    means = np.array([image.mean() for image in drawn]) / frame.mean()
    assert 0.55 < means.min() < 0.8
    assert 1.2 < means.max() < 1.45
    tints = np.array([image.mean(axis=(0, 1)) / image.mean() for image in drawn])
    assert tints.std(axis=0).min() > 0.03
    grey = np.full((4, 4, 3), 100, dtype=np.uint8)
    flat = random_colour(grey, rng, 0.4)
    assert (flat == flat[0, 0]).all()  # every pixel alike: no noise, nothing moved


@given(st.integers(0, 2**32 - 1), st.integers(0, 200), st.integers(0, 280), st.integers(8, 40))
def test_actor_crop_holds_the_actor(seed, top, left, side):
    mask = block(top, left, side=side)
    geometry = actor_crop(mask, 64, np.random.default_rng(seed))
    a, b, c, d = geometry.box(*mask.shape)
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    assert a <= rows[0] + 1
    assert b >= rows[-1]
    assert c <= columns[0] + 1
    assert d >= columns[-1]
    long = max(len(rows), len(columns))
    assert 1.05 * long - 2 <= max(b - a, d - c) <= 2.05 * long + 2
