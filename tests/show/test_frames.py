"""Overlays lie where the network looked, to the pixel; films have every frame, in order."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import Geometry, crop
from rstan_lite.data.video import read_frames
from rstan_lite.show.frames import (
    common_peak,
    draw_contour,
    flow_to_colour,
    overlay,
    place_map,
    write_animation,
)

GREY = np.array([0.299, 0.587, 0.114])


def one_hot(k: int, place: int) -> np.ndarray:
    weights = np.zeros(k * k)
    weights[place] = 1.0
    return weights


@given(
    k=st.integers(1, 7),
    place=st.integers(0, 48),
    share=st.sampled_from([0.5, 0.875, 1.0]),
    corner=st.sampled_from(["centre", "top-left", "bottom-right"]),
    mirror=st.booleans(),
)
def test_a_place_painted_on_the_frame_is_the_place_that_the_network_sees(
    k: int, place: int, share: float, corner: str, mirror: bool
) -> None:
    """Paint one place's region, send it through the frames' own transform: that place lights up."""
    place %= k * k
    geometry = crop((240, 320), 28 * k, share, corner, mirror)
    region = place_map(one_hot(k, place), (240, 320), geometry) == 1.0
    inner = np.zeros(region.shape, np.uint8)  # without its rim, which rounding may shift by one
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    inner[rows[3:-3, None], columns[3:-3]] = 1
    seen = geometry.mask(inner)
    np.testing.assert_array_equal(target(seen[None], k)[0], one_hot(k, place))


def test_map_covers_the_crop_and_nothing_else() -> None:
    geometry = Geometry(0.25, 0.5, 0.5, 0.25, 10)
    inside = np.zeros((40, 80), bool)
    inside[10:30, 40:60] = True
    for smooth in (False, True):
        full = place_map(np.ones(9), (40, 80), geometry, smooth)
        np.testing.assert_array_equal(np.isfinite(full), inside)
        np.testing.assert_allclose(full[inside], 1.0)


def test_blocks_hold_the_weights_and_a_smooth_map_keeps_them_at_the_centres() -> None:
    weights = np.arange(4.0)
    full = place_map(weights, (4, 6))
    np.testing.assert_array_equal(full, np.kron(weights.reshape(2, 2), np.ones((2, 3))))
    weights = np.random.default_rng(0).random((3, 3))
    np.testing.assert_allclose(place_map(weights, (15, 15), smooth=True)[2::5, 2::5], weights)


def test_overlay_is_brighter_where_attention_is_and_dark_where_nothing_was_seen() -> None:
    frame = np.full((70, 70, 3), 90, np.uint8)
    grey = overlay(frame, one_hot(7, 24), smooth=False, outline=False) @ GREY
    assert grey[30:40, 30:40].min() > grey[:30].max() + 40
    laid = overlay(frame, np.zeros(4), Geometry(0, 0.25, 1, 0.5, 8), outline=False)
    assert (laid[:, 20:50] @ GREY).min() > (laid[:, :17] @ GREY).max()


def test_common_peak_is_typical_and_keeps_even_maps_pale() -> None:
    even, sharp, sharpest = np.full(9, 1 / 9), one_hot(3, 0) / 2, one_hot(3, 0)
    assert common_peak([sharp, sharp, sharpest]) == 0.5
    assert common_peak([even]) == pytest.approx(3 / 9)


def test_overlay_refuses_other_shapes() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    for picture, weights, words in (
        (frame.astype(float), np.ones(4), "uint8"), (frame[0], np.ones(4), "uint8"),
        (frame, np.ones(5), "K"), (frame, -np.ones(4), "negative"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            overlay(picture, weights)


def test_contour_is_the_rim_and_leaves_the_rest_alone() -> None:
    frame = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    drawn = draw_contour(frame, mask, (255, 0, 0), thickness=1)
    np.testing.assert_array_equal(drawn[5, 5:15], [[255, 0, 0]] * 10)
    np.testing.assert_array_equal(drawn[4, 5:15], [[0, 0, 0]] * 10)
    np.testing.assert_array_equal(drawn[6:14, 6:14], frame[6:14, 6:14])
    np.testing.assert_array_equal(drawn[:4], frame[:4])


def test_flow_at_rest_is_white_and_speed_is_darker_in_every_direction() -> None:
    angles = np.deg2rad(np.arange(0, 360, 15))
    direction = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    flow = np.array([0.0, 2.0, 5.0, 50.0])[:, None, None] * direction  # (4, 24, 2)
    colours = flow_to_colour(flow, bound=5.0)
    grey = colours @ GREY
    assert (colours[0] == 255).all()
    assert grey[0].min() > grey[1].max() > grey[1].min() > grey[2].max()
    assert len(np.unique(colours[2], axis=0)) == len(angles)
    np.testing.assert_array_equal(colours[3], colours[2])  # beyond the bound


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0, 23.976, 240.0])
def test_a_gif_plays_as_long_as_its_film(tmp_path: Path, fps: float) -> None:
    """GIF counts in hundredths of a second, and viewers slow down frames shorter than two."""
    frames = np.stack([np.full((32, 48, 3), 2 * i, np.uint8) for i in range(96)])
    with Image.open(write_animation(frames, tmp_path / "film.gif", fps=fps)) as film:
        shown = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]
    assert abs(sum(shown) / 1000 - len(frames) / fps) < 2 * 0.020
    assert min(shown) >= 20


@pytest.mark.parametrize("ending", ["mp4", "avi", "gif"])
def test_all_frames_arrive_in_order(tmp_path: Path, ending: str) -> None:
    frames = np.stack([np.full((33, 49, 3), 30 * i, np.uint8) for i in range(7)])
    back = read_frames(write_animation(frames, tmp_path / "new" / f"film.{ending}", fps=5))
    assert back.shape == (7, 32, 48, 3)
    means = back.reshape(7, -1).mean(axis=1)
    np.testing.assert_allclose(means, 30 * np.arange(7), atol=20)
