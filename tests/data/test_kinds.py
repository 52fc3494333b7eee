"""Kinds of videos and pictures that people have: each is read as a player shows it, or named."""

import errno
import io
import os
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import clip_arrays, write_video
from PIL import Image

from rstan_lite.data.video import read_frames, read_images
from rstan_lite.features.inputs import MIN_SIDE
from rstan_lite.lab.predict import free_stem, sample_video
from rstan_lite.system.errors import DataError

MADE = clip_arrays("push", 0, 15)[0]
PQ, BT2020 = 16, 9  # FFmpeg's numbers


def write(path: Path, frames: np.ndarray, codec: str, pixels: str, **options: str) -> Path:
    """A video by any codec of FFmpeg. options: of the codec; rate: frames a second."""
    with av.open(str(path), "w") as box:
        rate = int(options.pop("rate", "30"))
        stream = box.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        if pixels == "yuv420p10le":
            stream.codec_context.color_trc = PQ
            stream.codec_context.color_primaries = stream.codec_context.colorspace = BT2020
        for frame in frames:
            coded = "rgba" if frame.shape[2] == 4 else "rgb24"
            box.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=coded)))
        box.mux(stream.encode())
    return path


def near(frames: np.ndarray, true: np.ndarray) -> bool:
    return frames.shape == true.shape and np.abs(frames.astype(int) - true).mean() < 25


def sized(height: int, width: int) -> np.ndarray:
    return np.stack([cv2.resize(frame, (width, height)) for frame in MADE])


ALPHA = np.concatenate([MADE, np.full((*MADE.shape[:3], 1), 99, np.uint8)], axis=3)
GREY = np.repeat(MADE.mean(axis=3, keepdims=True).astype(np.uint8), 3, axis=3)
FIELDS = {"flags": "+ildct+ilme"}  # interlaced
KINDS = {
    "grey.mp4": (GREY, "libx264", "gray", {}),
    "grey16.mkv": (GREY, "ffv1", "gray16le", {}),
    "full range.mp4": (MADE, "libx264", "yuvj420p", {}),
    "alpha.mov": (ALPHA, "qtrle", "argb", {}),
    "alpha10.mov": (ALPHA, "prores_ks", "yuva444p10le", {}),
    "interlaced.mp4": (MADE, "libx264", "yuv420p", FIELDS),
    "interlaced.mpg": (sized(96, 128), "mpeg2video", "yuv420p", {**FIELDS, "rate": "25"}),
    "960 a second.mp4": (MADE, "libx264", "yuv420p", {"rate": "960"}),
    "one a second.mp4": (MADE, "libx264", "yuv420p", {"rate": "1"}),
    "odd.mp4": (sized(49, 67), "libx264", "yuv444p", {}),
    "wide.mp4": (sized(48, 144), "libx264", "yuv420p", {}),
    "hidden frames.webm": (MADE, "libvpx", "yuv420p", {"auto-alt-ref": "1", "deadline": "good"}),
    "refresh.mp4": (MADE, "libx264", "yuv420p", {"x264-params": "intra-refresh=1:keyint=5"}),
    "b frames.avi": (MADE, "mpeg4", "yuv420p", {"bf": "2"}),
    "old.wmv": (MADE, "wmv2", "yuv420p", {}),
    "old.flv": (MADE, "flv", "yuv420p", {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_ffmpeg_plays_is_read(tmp_path: Path, name: str) -> None:
    frames, codec, pixels, options = KINDS[name]
    path = write(tmp_path / name, frames, codec, pixels, **options)
    assert near(read_frames(path), frames[..., :3])
    kept, order, rate = sample_video(path, lambda n: [0, n - 1])
    assert (sorted(kept), len(order)) == ([0, 14], 15)
    assert rate == pytest.approx(int(options.get("rate", "30")), rel=0.02)


@pytest.mark.parametrize("ending", [".gif", ".png"])
def test_animated_pictures_are_read(tmp_path: Path, ending: str) -> None:
    first, *others = (Image.fromarray(frame) for frame in MADE)
    first.save(tmp_path / f"a{ending}", save_all=True, append_images=others, duration=40)
    assert near(read_frames(tmp_path / f"a{ending}"), MADE)


def test_hdr_is_shown_as_sdr(tmp_path: Path) -> None:
    """A ramp up to white of 203 cd/m2, in SMPTE ST 2084, is one to white, and not to grey."""
    ramp = np.broadcast_to(np.linspace(0, 255, 64)[None, None, :, None], (4, 48, 64, 3))
    power = (203 / 10_000 * (ramp / 255) ** 2.2) ** (2610 / 16384)
    coded = ((107 / 128 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    quiet = {"x265-params": "log-level=none"}
    pictures = np.rint(255 * coded).astype(np.uint8)
    path = write(tmp_path / "hdr.mp4", pictures, "libx265", "yuv420p10le", **quiet)
    assert np.abs(read_frames(path) - ramp).mean() < 6
    small = sample_video(path, lambda n: [0], side=24)[0][0]
    assert np.abs(small - ramp[0, ::2, ::2]).mean() < 6
    assert np.abs(pictures - ramp).mean() > 30


def test_an_avi_without_an_index_is_read(tmp_path: Path) -> None:
    """As a camera leaves that lost its power, or a program that writes to a pipe."""
    whole = write_video(tmp_path / "whole.avi", MADE)
    data = bytearray(whole.read_bytes())
    bare, packets = data[: data.rindex(b"idx1")], data.index(b"movi") - 4
    filled = (len(bare) - 8).to_bytes(4, "little"), bytes(bare[packets : packets + 4])
    for lengths in (filled, [bytes(4)] * 2, [b"\xff" * 4] * 2):  # the others: never filled in
        bare[4:8], bare[packets : packets + 4] = lengths
        (tmp_path / "bare.avi").write_bytes(bare)
        np.testing.assert_array_equal(read_frames(tmp_path / "bare.avi"), read_frames(whole))


def _sound(path: Path, cover: bool) -> None:
    with av.open(str(path), "w") as box:
        sound = box.add_stream("aac", rate=16000)
        pictures: list[av.Packet] = []
        if cover:
            stream = box.add_stream("mjpeg", rate=1)
            stream.height, stream.width, stream.pix_fmt = *MADE.shape[1:3], "yuvj420p"
            stream.disposition = av.stream.Disposition.attached_pic
            pictures = stream.encode(av.VideoFrame.from_ndarray(MADE[0])) + stream.encode()
        for packet in pictures:
            box.mux(packet)
        for i in range(5):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 16000, 1024 * i
            box.mux(sound.encode(frame))
        box.mux(sound.encode())


REFUSED = {
    "empty.mp4": (lambda path: path.write_bytes(b""), "found 0 bytes"),
    "notes.txt": (lambda path: path.write_text("to do\n" * 99, "utf-8"), "no video stream"),
    "sound.mp4": (lambda path: _sound(path, False), "no video stream"),
    "song.mp4": (lambda path: _sound(path, True), "no video stream.*cover picture"),
    "moving.webp": (
        lambda path: Image.fromarray(MADE[0]).save(
            path, save_all=True, append_images=[Image.fromarray(MADE[1])]
        ),
        "found a WebP picture",
    ),
    "narrow.avi": (
        lambda path: write(path, sized(48, 1), "rawvideo", "bgr24"),
        f"frames of 1 x 48 pixels; expected {MIN_SIDE} or more",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_video_is_named(tmp_path: Path, name: str) -> None:
    make, found = REFUSED[name]
    make(tmp_path / name)
    with pytest.raises(DataError, match=rf"{name}: .*{found}"):
        sample_video(tmp_path / name, lambda n: [0])


@pytest.mark.parametrize(("height", "width"), [(24, 32), (64, 48)])
def test_a_size_that_changes_midway(tmp_path: Path, height: int, width: int) -> None:
    """As a phone's call is recorded: fine at the working size, unless the shape changes too."""
    path = tmp_path / "call.webm"
    with av.open(str(path), "w") as box:
        stream = box.add_stream("libvpx", rate=30)
        stream.height, stream.width, stream.pix_fmt = *MADE.shape[1:3], "yuv420p"
        for i, size in enumerate([MADE.shape[1:3], (height, width)]):
            coder = av.CodecContext.create("libvpx", "w")
            coder.height, coder.width, coder.pix_fmt = *size, "yuv420p"
            coder.time_base, coder.framerate = Fraction(1, 30), 30
            packets: list[av.Packet] = []
            for number, picture in enumerate(sized(*size)[:5], start=5 * i):
                frame = av.VideoFrame.from_ndarray(picture)
                frame.pts = number
                packets += coder.encode(frame)
            for packet in (*packets, *coder.encode(None)):
                packet.stream, packet.time_base = stream, Fraction(1, 30)
                box.mux(packet)
    with pytest.raises(DataError, match=r"several sizes \(\d+ x \d+, \d+ x \d+\)"):
        read_frames(path)
    if height * MADE.shape[2] == width * MADE.shape[1]:
        kept, _, _ = sample_video(path, lambda n: range(n), 24)
        assert near(np.stack([*kept.values()]), np.concatenate([sized(24, 32)[:5]] * 2))
    else:
        with pytest.raises(DataError, match="several sizes"):
            sample_video(path, lambda n: range(n), 24)


def test_what_an_edit_list_cuts_away_is_not_shown(tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.mp4", MADE, times=np.arange(-6, 9) / 30)
    frames = read_frames(path)
    assert near(frames, MADE[-len(frames) :])
    assert len(frames) in (9, 10)


@pytest.mark.parametrize(
    "name",
    [
        " sp ace",
        "naïve 視頻 😀",
        "a%c%05d",
        "new\nline",
        "-dash",
        "'\"$(x)",
        "a:b",
        "x" * 240,
        "😀" * 60,
    ],
)
def test_names(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / f"{name}.mp4", MADE)
    assert near(read_frames(path), MADE)
    assert (tmp_path / f"{free_stem(path, tmp_path)}-prediction.json").write_text("{}") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    write_video(tmp_path / "a.mp4", MADE).rename(path)
    assert near(read_frames(path), MADE)
    assert free_stem(path, tmp_path) == path.stem


@pytest.mark.parametrize("kind", ["alpha", "16 bits", "palette", "grey", "turned"])
def test_pictures_of_every_kind(tmp_path: Path, kind: str) -> None:
    for i, frame in enumerate(MADE[:3]):
        picture, path = Image.fromarray(frame), tmp_path / f"{i}.png"
        if kind == "alpha":
            picture.putalpha(99)
        elif kind == "palette":
            picture = picture.quantize(256)
        elif kind == "grey":
            picture = picture.convert("L")
        if kind == "turned":  # as phones' photographs are
            exif = Image.Exif()
            exif[0x0112] = 6
            picture.rotate(90, expand=True).save(path.with_suffix(".jpg"), exif=exif, quality=95)
        elif kind == "16 bits":
            cv2.imwrite(str(path), frame[..., ::-1].astype(np.uint16) * 257)
        else:
            picture.save(path)
    frames = read_images(tmp_path)
    assert near(frames, MADE[:3] if kind != "grey" else GREY[:3])


def test_a_network_drive_that_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever reading fails, the file is named: never fewer frames, as if it were shorter."""
    path, reads = write_video(tmp_path / "far.mp4", MADE), [0]

    class Far(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            reads[0] -= 1
            if reads[0] < 0:
                raise OSError(errno.ESTALE, "Stale file handle")
            return super().read(size)

    monkeypatch.setattr(Path, "open", lambda self, mode="r": Far(str(self)))
    for allowed in range(12):
        reads[0] = allowed
        try:
            found = str(len(read_frames(path)))
        except DataError as error:
            found = str(error)
        assert found == str(len(MADE)) or "Stale file handle" in found, allowed
