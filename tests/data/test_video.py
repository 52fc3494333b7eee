"""Decoding: frames are counted, damage is named."""

import struct

import numpy as np
import pytest
from clips import clip_arrays, write_avi

from rstan_lite.data.video import read_frames
from rstan_lite.system.errors import DataError


@pytest.fixture
def avi(tmp_path):
    return write_avi(tmp_path / "with ! (signs) + @.avi", clip_arrays("push", 0, 15)[0])


def test_every_frame_is_decoded(avi):
    frames = read_frames(avi)
    assert frames.shape == (15, 48, 64, 3)
    assert frames.dtype == np.uint8
    true = clip_arrays("push", 0, 15)[0]
    assert np.abs(frames.astype(int) - true).mean() < 25  # lossy, but the same picture
    square = clip_arrays("push", 0, 15)[1].astype(bool)
    assert frames[square].mean() > 2 * frames[~square].mean()


def test_the_header_is_not_believed(avi):
    """JHMDB's headers overstate the count; frames are counted as they are decoded."""
    raw = bytearray(avi.read_bytes())
    at = raw.index(b"avih") + 8 + 16  # dwTotalFrames
    assert struct.unpack_from("<I", raw, at)[0] == 15
    struct.pack_into("<I", raw, at, 23)
    avi.write_bytes(raw)
    assert len(read_frames(avi)) == 15


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_truncated(avi, share):
    whole = avi.read_bytes()
    avi.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"signs.*cut short; expected the \d+ bytes"):
        read_frames(avi)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_frames(tmp_path / "absent.avi")


def test_no_frame(tmp_path):
    path = tmp_path / "none.avi"
    write_avi(path, clip_arrays("push", 0, 1)[0])
    raw = path.read_bytes()
    start, end = raw.index(b"movi") + 4, raw.index(b"idx1")
    empty = raw[:start] + b"JUNK" + struct.pack("<I", end - start - 8) + bytes(end - start - 8)
    path.write_bytes(empty + b"JUNK" + raw[end + 4 :])
    with pytest.raises(DataError, match=r"none\.avi: found 0 frames"):
        read_frames(path)
