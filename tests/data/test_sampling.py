"""Which frames stand for the T steps, and the sequences that a test video is judged by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rstan_lite.data.sampling import EXTENTS, ClipSequence, equally_spaced, extent_range
from rstan_lite.data.transforms import read_view, view, view_side
from rstan_lite.lab import protocols
from rstan_lite.system.errors import ConfigError

counts = st.integers(1, 400)
steps = st.integers(1, 64)
ALL = protocols.test_sequences()
WHOLE, SCALED = ALL[:10], ALL[10:]


@given(counts, steps, st.floats(0, 0.999))
def test_frames_are_equally_spaced_and_cover_the_clip(n, t, phase):
    index = equally_spaced(n, t)
    for found in (index, equally_spaced(n, t, phase)):
        assert found.shape == (t,)
        assert found.dtype == np.int64
        assert (np.diff(found) >= 0).all()
        assert 0 <= found.min() <= found.max() < n
        assert np.ptp(np.diff(found)) <= 1 if t > 1 else True  # gaps differ by one frame at most
    assert abs((index[0]) - (n - 1 - index[-1])) <= 1  # as much left out before as behind


def test_equally_spaced_by_hand():
    assert equally_spaced(8, 4).tolist() == [1, 3, 5, 7]
    assert equally_spaced(3, 6).tolist() == [0, 0, 1, 1, 2, 2]


def test_phase_moves_all_frames_of_a_clip_alike():
    found = equally_spaced(16, 4, np.array([0.0, 0.5, 0.999]))
    assert found.tolist() == [[0, 4, 8, 12], [2, 6, 10, 14], [3, 7, 11, 15]]


@pytest.mark.parametrize(("n", "t"), [(0, 4), (4, 0), (-1, 1)])
def test_nothing_to_sample_is_an_error(n, t):
    with pytest.raises(ConfigError):
        equally_spaced(n, t)


def test_there_are_ten_crops_and_three_extents_by_two_scales_by_two_mirrors():
    assert len(ALL) == len({one.name for one in ALL}) == 22
    assert {one.extent for one in WHOLE} == {"whole"}
    assert {read_view(one.view) for one in WHOLE} == {
        (crop, 224, mirror)
        for crop in ("centre", "top-left", "top-right", "bottom-left", "bottom-right")
        for mirror in (False, True)
    }
    assert {(one.extent, *read_view(one.view)) for one in SCALED} == {
        (extent, "centre", scale, mirror)
        for extent in ("whole", "first", "last")
        for scale in (256, 192)
        for mirror in (False, True)
    }
    assert {one.frames for one in ALL} == {32}


def test_the_protocol_centre_is_one_crop_of_the_whole_clip():
    assert protocols.test_sequences("centre", 8) == (ClipSequence("centre", "whole", 8),)
    for options, words in (({"protocol": "23"}, "one of centre, 22"), ({"frames": 0}, "1 or more")):
        with pytest.raises(ConfigError, match=words):
            protocols.test_sequences(**options)


@pytest.mark.parametrize(
    ("name", "rectangle", "side"),
    [  # of a frame of 320 x 240 pixels: 256 of the paper's pixels are 240 of these
        ("centre", (15, 225, 55, 265), 224),
        ("top-left", (0, 210, 0, 210), 224),
        ("top-right", (0, 210, 110, 320), 224),
        ("bottom-left", (30, 240, 0, 210), 224),
        ("bottom-right-mirror", (30, 240, 110, 320), 224),
        ("centre@256", (0, 240, 40, 280), 256),
        ("centre@192-mirror", (30, 210, 70, 250), 192),
    ],
)
def test_rectangles_in_source_pixels_and_sides_of_inputs(name, rectangle, side):
    geometry = view(name, (240, 320), 224)
    assert geometry.box(240, 320) == rectangle
    assert geometry.size == view_side(name, 224) == side
    assert view_side(name, 112) == side // 2
    assert geometry.mirror == name.endswith("-mirror")


def test_a_crop_cuts_the_pixels_it_names_and_mirrors_them():
    frame = np.zeros((256, 340, 3), np.uint8)
    frame[32:224, 74:266] = np.arange(192, dtype=np.uint8)[:, None]  # the middle 192 pixels
    plain, mirrored = (
        view(f"centre@192{end}", frame.shape, 224).frame(frame) for end in ("", "-mirror")
    )
    np.testing.assert_array_equal(plain, frame[32:224, 74:266])  # as they are: nothing is scaled
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])


def test_extents_of_a_clip_by_hand():
    assert [extent_range(9, extent) for extent in EXTENTS] == [(0, 9), (0, 6), (3, 9)]
    assert [extent_range(10, extent) for extent in EXTENTS] == [(0, 10), (0, 7), (3, 10)]
    assert ClipSequence("centre", "first", 3).index(9).tolist() == [1, 3, 5]
    assert ClipSequence("centre", "last", 3).index(9).tolist() == [4, 6, 8]
    assert ClipSequence("centre", frames=3).index(9).tolist() == [1, 4, 7]
    assert ClipSequence("centre", "last", 2).index(1).tolist() == [0, 0]
    with pytest.raises(ConfigError, match="whole, first, last"):
        extent_range(9, "middle")


@pytest.mark.parametrize("name", ["centre@", "centre@0", "centre@257", "centre@-3", "whole@192"])
def test_scales_that_are_none(name):
    with pytest.raises(ConfigError, match="1 to 256 pixels"):
        view_side(name, 224)
