"""Decoding: frames are counted, damage is named."""

import shutil
import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import psutil
import pytest
from clips import clip_arrays, write_avi, write_cut, write_turned, write_video

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.video import decode_video, read_frames, read_images, upright
from rstan_lite.lab.predict import at_one_rate, sample_video
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


@pytest.mark.parametrize("side", [0, 24])
def test_frames_start_no_threads_of_their_own(avi, side):
    """Each had some, which stayed as long as it: hundreds in a process, and slow on few cores."""
    before = psutil.Process().num_threads()
    frames = list(decode_video(avi))
    assert len([upright(frame, side) for frame in frames]) == 15
    assert psutil.Process().num_threads() < before + len(frames)


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


# -- what people have: phones' videos, cuts, covers, copies

MADE = clip_arrays("push", 0, 15)[0]


def near(frames: np.ndarray, true: np.ndarray) -> bool:
    return frames.shape == true.shape and np.abs(frames.astype(int) - true).mean() < 25


@pytest.mark.parametrize(
    ("matrix", "stored"),
    [
        ((0, 1, -1, 0), lambda x: np.rot90(x, 1)),  # a phone held upright
        ((0, -1, 1, 0), lambda x: np.rot90(x, -1)),
        ((-1, 0, 0, -1), lambda x: x[::-1, ::-1]),
        ((-1, 0, 0, 1), lambda x: x[:, ::-1]),  # a front camera's mirror
        ((0, 1, 1, 0), lambda x: x.transpose(1, 0, 2)),
    ],
)
def test_the_display_matrix_turns_frames_upright(tmp_path, matrix, stored):
    path = write_turned(tmp_path / "phone.mp4", [stored(frame) for frame in MADE], matrix)
    assert near(read_frames(path), MADE)


def test_metadata_that_is_not_utf8(tmp_path):
    path = tmp_path / "title.avi"
    with av.open(str(path), "w") as box:
        box.metadata["title"] = "Cafe de Flore"
        stream = box.add_stream("mpeg4", rate=30)
        stream.height, stream.width, stream.pix_fmt = *MADE.shape[1:3], "yuv420p"
        for frame in MADE:
            box.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        box.mux(stream.encode())
    raw = path.read_bytes()
    assert b"Cafe de" in raw
    path.write_bytes(raw.replace(b"Cafe de", b"Caf\xe9 de"))
    assert near(read_frames(path), MADE)


def test_the_best_stream_is_read_and_not_the_first(tmp_path):
    path = tmp_path / "preview.mkv"
    with av.open(str(path), "w") as box:
        small, whole = MADE[:1, :32, :32], MADE
        streams = [box.add_stream("libx264", rate=30) for _ in (small, whole)]
        for stream, frames in zip(streams, (small, whole), strict=True):
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for stream, frames in zip(streams, (small, whole), strict=True):
            for frame in frames:
                frame = np.ascontiguousarray(frame)
                box.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            box.mux(stream.encode())
    assert near(read_frames(path), MADE)


def test_a_container_under_another_ending(tmp_path):
    path = write_video(tmp_path / "clip.mp4", MADE)
    shutil.move(path, tmp_path / "clip.avi")
    assert near(read_frames(tmp_path / "clip.avi"), MADE)


def test_a_cut_at_an_open_key_frame_is_read_from_there(tmp_path):
    """Frames that are shown before the key frame refer to what the cut took away."""
    path = write_cut(tmp_path / "cut.mkv", MADE)
    with av.open(str(path)) as box:
        first, *others = (packet.pts for packet in box.demux(video=1) if packet.size)
    assert min(others) < first  # the cut has such frames
    assert near(read_frames(path), MADE[6:])


@pytest.mark.parametrize("ending", [".mkv", ".ts"])
def test_a_file_of_another_container_cut_short(tmp_path, ending):
    path = write_video(tmp_path / f"clip{ending}", MADE)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"cut short; expected the \d+ bytes"):
        read_frames(path)


def test_frames_are_brought_to_a_size(tmp_path):
    """Turned or not, by the short side; smaller ones only where that is asked for."""
    path = write_turned(tmp_path / "phone.mp4", np.rot90(MADE, axes=(1, 2)), (0, 1, -1, 0))
    for side, enlarge, height in ((24, False, 24), (96, False, 48), (96, True, 96)):
        kept, _, _ = sample_video(path, lambda n: [0], side, enlarge)
        assert kept[0].shape == (height, height * 64 // 48, 3)
        expected = cv2.resize(MADE[0], kept[0].shape[1::-1], interpolation=cv2.INTER_AREA)
        assert near(kept[0], expected)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi"])
def test_pixels_that_are_not_square_are_shown_as_players_do(tmp_path, ending):
    """A camera of HDV or AVCHD stores 1440 pixels of 1920."""
    narrow = [cv2.resize(frame, (48, 48)) for frame in MADE]
    path = write_video(tmp_path / f"camera{ending}", narrow, pixel=Fraction(4, 3))
    assert near(read_frames(path), MADE)
    kept, _, _ = sample_video(path, lambda n: [0], 24)
    assert near(kept[0], cv2.resize(MADE[0], (32, 24), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi"])
def test_some_frames_of_a_stream(tmp_path, ending):
    path = write_video(tmp_path / f"clip{ending}", MADE)
    kept, order, rate = sample_video(path, lambda n: range(0, n, 7))
    assert (sorted(kept), order.tolist()) == ([0, 7, 14], list(range(15)))
    assert rate == pytest.approx(30, rel=0.02)
    assert all((kept[i] == read_frames(path)[i]).all() for i in kept)


def test_a_variable_rate_is_sampled_by_time(tmp_path):
    """Frames 0 to 9 are shown for 1.8 of 5.8 seconds: so many of the samples are of them."""
    gaps = [0.1] * 9 + [0.9] * 5
    times = np.concatenate([[0], np.cumsum(gaps)])
    order, rate = at_one_rate(times)
    assert (order < 10).mean() == pytest.approx(1.8 / 5.8, abs=0.05)
    assert rate == pytest.approx(14 / times[-1])
    path = write_video(tmp_path / "phone.mp4", MADE, times=times)
    assert (sample_video(path, lambda n: [0])[1] == order).all()
    assert len(read_frames(path)) == 15  # a data set's clip keeps its frames: masks are by number
    jitter = np.arange(15) / 30 + np.random.default_rng(0).uniform(0, 0.03, 15)
    assert (at_one_rate(jitter)[0] == np.arange(15)).all()
    assert (at_one_rate([0.0, float("nan")])[0] == [0, 1]).all()


def test_a_video_that_is_too_long_is_refused_before_it_is_decoded(tmp_path):
    path = write_video(tmp_path / "long.mp4", MADE, times=np.arange(15) * 240)
    with pytest.raises(DataError, match="found 60 minutes; expected a video of at most 15"):
        sample_video(path, lambda n: pytest.fail("decoded"))


# -- folders of frames


def write_folder(folder, names):
    folder.mkdir(parents=True)
    for name, frame in zip(names, np.resize(MADE, (len(names), *MADE.shape[1:])), strict=True):
        cv2.imwrite(str(folder / name), frame[..., ::-1])
    return folder


def test_pictures_of_flow_beside_frames_are_not_read(tmp_path):
    kinds = ("img", "flow_x", "flow_y")
    names = [f"{kind}_{i:05d}.jpg" for kind in kinds for i in range(1, 9)]
    folder = write_folder(tmp_path / "clip", names)
    with pytest.warns(UserWarning, match="pictures of flow lie beside frames"):
        assert near(read_images(folder), MADE[:8])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["img_1.png", "img_2.png", "img_4.png"], "no frame 3; expected each frame from 1 to 4"),
        (["img_1.png", "img_01.png", "img_2.png"], "frame 1 twice"),
        (["a_1.png", "b_1.png", "b_2.png"], r"pictures of several kinds \(a_\.\.\., b_"),
        (["1.png", "2.jpg"], "both PNG and JPEG"),
    ],
)
def test_numbers_that_lack_or_stand_twice(tmp_path, names, found):
    with pytest.raises(DataError, match=found):
        read_images(write_folder(tmp_path / "clip", names))


def test_silhouettes_are_paired_by_the_frames_numbers(tmp_path, small_root):
    """A copy without its first frames: each silhouette stays on its own frame."""
    data = JHMDB(small_root, validation=0)
    clip = data.test[0]
    frames = data.frames(clip)
    masks = data.silhouettes(clip, frames)
    for link in ("splits", "puppet_mask"):
        (tmp_path / link).symlink_to(small_root / link)
    for first in (0, 1, 4):
        folder = tmp_path / "Rename_Images" / clip.action / clip.name
        write_folder(folder, [f"{i:05d}.png" for i in range(first, first + 8)])
        own = JHMDB(tmp_path, validation=0, missing="skip")
        (there,) = [*own.test, *own.train]
        skipped = max(0, first - 1)
        found = own.silhouettes(there, own.frames(there))
        assert (found == masks[skipped : skipped + 8]).all()
        shutil.rmtree(folder)
