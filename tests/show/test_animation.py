"""Overlay films: every frame arrives, in the right order, on one scale."""

from pathlib import Path

import av
import numpy as np
import pytest

from rstan_lite.show import overlay_clip, write_animation
from rstan_lite.system.errors import ConfigError


def read(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


@pytest.mark.parametrize("ending", ["mp4", "avi", "gif"])
def test_all_frames_arrive_in_order(tmp_path: Path, ending: str) -> None:
    frames = np.stack([np.full((33, 49, 3), 30 * i, np.uint8) for i in range(7)])
    back = read(write_animation(frames, tmp_path / "new" / f"film.{ending}", fps=5))
    even = (7, 33, 49, 3) if ending == "gif" else (7, 32, 48, 3)
    assert back.shape == even or back.shape == (7, 32, 48, 3)
    means = back.reshape(7, -1).mean(axis=1)
    np.testing.assert_allclose(means, 30 * np.arange(7), atol=20)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.mp4, \.avi, \.gif"):
        write_animation(np.zeros((1, 8, 8, 3), np.uint8), tmp_path / "film.xyz")


def test_maps_share_one_scale_and_an_even_map_stays_pale() -> None:
    frames = np.zeros((2, 14, 14, 3), np.uint8)
    even = np.full((2, 49), 1 / 49)
    sharp = even.copy()
    sharp[1] = 0
    sharp[1, 24] = 1.0
    film = overlay_clip(frames, sharp, smooth=False)
    assert film.shape == frames.shape
    assert film[1].max() > overlay_clip(frames, even)[1].max() > film[0].max()
    with pytest.raises(ValueError, match="2 frames, but 1 maps"):
        overlay_clip(frames, even[:1])
