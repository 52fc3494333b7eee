"""Damaged videos are refused, each time alike; or nothing in the file could tell of the damage."""

from collections import Counter
from hashlib import sha256
from pathlib import Path
from random import Random

import av
import numpy as np
import pytest
from clips import clip_arrays, write_video

from rstan_lite.data.video import read_frames
from rstan_lite.system.errors import DataError
from tests.hostile.damage import BYTES

COPIES = 40
KINDS = ("flip", "truncate", "zeros")


def answer(path: Path) -> str:
    """A digest of a file's frames, or why it is refused."""
    try:
        frames = read_frames(path)
        return f"{frames.shape} {sha256(frames.tobytes()).hexdigest()}"
    except DataError as error:
        return f"refused: {error}"


def unchecked(path: Path) -> np.ndarray:
    """Which bytes hold what no checksum covers: coded pictures, an MP4's times and its turn."""
    data, found = path.read_bytes(), []
    with av.open(str(path)) as box:
        for picture in (bytes(packet) for packet in box.demux(video=0) if packet.size):
            found.append((data.index(picture), len(picture)))
    for table in (b"stts", b"ctts", b"elst"):
        at = data.find(table)
        found.append((at, int.from_bytes(data[at - 4 : at]) - 4 if at > 0 else 0))
    turn = data.find(
        b"tkhd"
    )  # the track's header has its display matrix, nine numbers, 40 bytes on
    found.append((turn + 44, 36) if turn > 0 else (0, 0))
    covered = np.zeros(len(data), bool)
    for at, size in found:
        covered[at : at + size] = True
    return covered


def checked_damage(good: bytes, bad: bytes, free: np.ndarray) -> bytes:
    """A damaged copy less what nothing could tell: with the right bytes where none is checked."""
    if len(good) != len(bad):
        return bad
    right, wrong = (np.frombuffer(data, np.uint8) for data in (good, bad))
    return np.where(free, right, wrong).tobytes()


@pytest.mark.parametrize(("ending", "refused"), [(".avi", 20), (".mp4", 20), (".mov", 20)])
def test_damage_is_found_each_time(tmp_path: Path, ending: str, refused: int) -> None:
    """A copy that decodes to other frames is refused, unless only unchecked bytes are others.

    MPEG-4 and H.264 carry no checksum: a changed bit may decode as well as the right one.
    """
    path = write_video(tmp_path / f"clip{ending}", clip_arrays("push", 0, 15)[0])
    good, data, free = answer(path), path.read_bytes(), unchecked(path)
    outcomes: Counter[str] = Counter()
    for seed in range(COPIES):
        rng = Random(seed)
        bad = BYTES[rng.choice(KINDS)](data, rng)
        path.write_bytes(bad)
        found = answer(path)
        assert answer(path) == found, seed
        outcomes[found.split(":")[0]] += 1
        if found != good and not found.startswith("refused"):
            path.write_bytes(checked_damage(data, bad, free))
            assert answer(path) == good, seed
    assert outcomes["refused"] >= refused, outcomes
