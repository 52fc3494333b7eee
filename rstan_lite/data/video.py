"""A clip's frames, from a video file or a folder of images; what is no short clip is refused."""

import os
import re
import warnings
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import av
import cv2
import numpy as np
from av.stream import Disposition

from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import check_regular

MAX_BYTES = 4 * 2**30  # decoded RGB of one clip; past this a file is no short clip
MAX_PIXELS = 2**26  # of one frame, 8192 x 8192
SUFFIXES = (".png", ".jpg", ".jpeg")
VIDEOS = (".avi", ".mp4", ".mkv", ".mov", ".m4v", ".mpg", ".mpeg", ".webm", ".wmv", ".ts", ".mts",
          ".m2ts", ".asf", ".3gp", ".flv", ".vob", ".ogv", ".gif")  # fmt: skip
IMAGE = "a PNG or JPEG frame"
AGAIN = "Copy or download the file again."
# else FFmpeg paints over damage, and most of it goes unseen
STRICT = {"err_detect": "explode", "max_pixels": str(MAX_PIXELS)}
BARE = ("m4v", "mpegvideo", "h264", "hevc", "mjpeg", "mp3")  # found inside of a damaged AVI
CLOSED = {"protocol_whitelist": "none"}  # so that a playlist can't open other files
UNFILLED = (0, 2**32 - 1)  # an AVI's lengths where its writer did not come to an end, or can't seek
TS_PACKET = 188  # bytes of each packet of an MPEG transport stream, which begins with "G"
PQ = 16  # FFmpeg's number of HDR10's transfer curve, SMPTE ST 2084
_POWER = (np.arange(256) / 255) ** (32 / 2523)
_LIGHT = (np.maximum(_POWER - 0.8359375, 0) / (18.8515625 - 18.6875 * _POWER)) ** (16384 / 2610)
# its 8 bits as SDR: white is at 203 cd/m2 (ITU-R BT.2408), and what is brighter is white, too
SDR_OF_PQ = np.rint(255 * np.minimum(10_000 / 203 * _LIGHT, 1) ** (1 / 2.2)).astype(np.uint8)
_NUMBER = re.compile(r"(.*?)([0-9]+)([^0-9]*)")  # the last number of a name is the frame's
_FLOW = re.compile(r"flow|[xyuv]_?$", re.IGNORECASE)  # as flow extractors call their pictures


def read_frames(path: str | Path) -> np.ndarray:
    """Decode every frame of a video, upright.

    path: any file that FFmpeg reads. Returns uint8 RGB (F, H, W, 3). F is the number of frames
    decoded: the count in an AVI header is not to be trusted (every JHMDB clip overstates its own).
    Raises DataError for a file that is missing, cut short, without a frame, or damaged.
    """
    path, frames, used = Path(path), [], 0
    for frame in decode_video(path):
        frames.append(upright(frame))
        used += frames[-1].nbytes
        if used > MAX_BYTES:
            found = f"more than {MAX_BYTES >> 20} MiB of decoded frames"
            raise DataError(path, found, "a short clip", "Cut the video first.")
    check_one_size(path, frames)
    return np.stack(frames)


def decode_video(path: Path) -> Generator[av.VideoFrame]:
    """The frames of a video's best stream in the order of display. Raises as `read_frames` does."""
    count = 0
    with open_packets(path) as packets:
        for packet in packets:
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise ValueError(f"frame {count} is damaged")
                count += 1
                frame.opaque = packet.stream.sample_aspect_ratio  # for `upright`
                yield frame
    if not count:
        raise DataError(path, "0 frames", "at least one frame", AGAIN)


def is_video(path: Path) -> bool:
    """Whether a file is a video by its ending or, with another one, holds moving pictures."""
    if path.suffix.lower() in VIDEOS or not path.is_file():
        return path.is_file()
    with (
        path.open("rb") as file,
        suppress(ValueError, OSError, av.FFmpegError),
        av.open(file, "r", options=CLOSED, metadata_errors="ignore") as container,
    ):
        stream = container.streams.best("video")
        if stream is not None and container.format.name not in (*BARE, "tty"):
            return sum(packet.size > 0 for packet in islice(container.demux(stream), 2)) > 1
    return False


@contextmanager
def open_packets(path: Path) -> Iterator[Iterator[av.Packet]]:
    """The packets of a video's best stream; complaints of FFmpeg inside become DataErrors."""
    check_regular(path, DataError, "a video file")
    try:
        is_avi = _check_length(path)
        with (
            path.open("rb") as file,
            av.open(file, "r", options=CLOSED, metadata_errors="ignore") as container,
        ):
            stream = container.streams.best("video")
            text = container.format.name == "tty"  # FFmpeg makes a film of any .txt
            if text or stream is None or stream.disposition & Disposition.attached_pic:
                raise DataError(path, "no video stream", "more than sound and a cover picture")
            if path.suffix.lower() == ".avi" and not is_avi and container.format.name in BARE:
                raise DataError(path, "no RIFF/AVI header", "an AVI file")
            stream.codec_context.options = STRICT
            listed = len(stream.index_entries) if is_avi and _has_index(path) else 0
            yield _playable(container.demux(stream), listed)
    except DataError:
        raise
    except Exception as error:  # of the decoder, of the disk, or for lack of memory
        found = f"what does not decode ({getattr(error, 'strerror', '') or error})"
        raise DataError(path, found, "a video that decodes to its end", AGAIN) from error


def _playable(packets: Iterable[av.Packet], listed: int) -> Iterator[av.Packet]:
    """Packets but those shown before the first key frame, which refer to frames cut away.

    listed: packets that an index names, if there is one. Raises ValueError for what is damaged.
    """
    start: int | None = None
    count = 0
    for packet in packets:
        count += packet.size > 0
        if packet.is_corrupt:
            raise ValueError(f"a gap at packet {count}, by damage or where parts were joined")
        if start is None and packet.is_keyframe:
            start = packet.pts
        if start is None or packet.pts is None or packet.pts >= start:
            yield packet
    if listed and count != listed:
        raise ValueError(f"{count} packets, where the index has {listed}")


def upright(frame: av.VideoFrame, side: int = 0, enlarge: bool = False) -> np.ndarray:
    """A frame as players show it, uint8 RGB (H, W, 3): upright by its matrix, its pixels square.

    side: length that the short side is shrunk to, in pixels; 0: as it is. enlarge: shorter ones are
    brought to it as well.
    The matrix moves a pixel from (x, y) to (a x + c y, b x + d y): a quarter turn swaps the axes.
    """
    pixel = min(max(float(cast("float", frame.opaque) or 1), 1 / 4), 4)  # width over height
    width, height, is_hdr = round(frame.width * pixel) or 1, frame.height, frame.color_trc == PQ
    share = min(side / min(height, width) or 1, float("inf") if enlarge else 1)
    size = round(width * share), round(height * share)
    if size != (frame.width, frame.height):  # while the colours are converted: that is cheapest
        how = "AREA" if share < 1 else "BILINEAR"
        frame = frame.reformat(*size, "rgb24", interpolation=how, threads=1)
    picture = frame.to_ndarray(format="rgb24", threads=1)  # else each frame starts some of its own
    picture = SDR_OF_PQ[picture] if is_hdr else picture
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return picture
    a, b, _, c, d = np.frombuffer(cast("bytes", matrix), np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, a, d = picture.transpose(1, 0, 2), c, b
    picture = picture[:, ::-1] if a < 0 else picture
    return np.ascontiguousarray(picture[::-1] if d < 0 else picture)


def check_one_size(path: Path, frames: Iterable[np.ndarray]) -> None:
    """Raise DataError for frames of several sizes."""
    sizes = sorted({f"{frame.shape[1]} x {frame.shape[0]}" for frame in frames})
    if len(sizes) > 1:
        raise DataError(path, f"frames of several sizes ({', '.join(sizes)})", "one frame size")


def _check_length(path: Path) -> bool:
    """Refuse an AVI, Matroska or MPEG-TS file cut short, by its own sizes; whether it is an AVI.

    FFmpeg would decode what is there in silence.
    """
    expected, size = 0, path.stat().st_size
    with path.open("rb") as file:
        head = file.read(TS_PACKET + 1)
        is_avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
        length = int.from_bytes(head[4:8], "little")
        if is_avi and length not in UNFILLED:
            expected = length + 8
        elif head[:4] == b"\x1a\x45\xdf\xa3":  # Matroska: a header and a segment, with their sizes
            file.seek(4)
            file.seek(_ebml_size(file) + 4, os.SEEK_CUR)
            length = _ebml_size(file)
            expected = file.tell() + length
        elif head[:1] == head[TS_PACKET:] == b"G":
            expected = -(-size // TS_PACKET) * TS_PACKET
    if not size or head[8:12] == b"WEBP":
        raise DataError(path, "a WebP picture" if size else "0 bytes", "a video")
    if size < expected:
        found = f"{size} bytes: the file is cut short"
        raise DataError(path, found, f"the {expected} bytes of its header", AGAIN)
    return is_avi


def _ebml_size(file: BinaryIO) -> int:
    """The size that stands next in a Matroska file; 0 for one that its writer did not know."""
    first = file.read(1) or b"\0"
    bits = 7 * (9 - first[0].bit_length())
    number = int.from_bytes(first + file.read(bits // 7 - 1), "big") % (1 << bits)
    return 0 if number == (1 << bits) - 1 else number


def _has_index(path: Path) -> bool:
    """Whether an AVI should have an index: not if its packets end the file, or have no length.

    Of a file without one FFmpeg begins to make an index when it opens the file.
    """
    at, size = 12, path.stat().st_size
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            chunk = file.read(8)
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"idx1":
                return True
            if chunk[:4] == b"LIST" and length in UNFILLED:
                return False
            at += 8 + length + length % 2
    return at > size + 1  # the byte that evens an odd length may lack


def read_images(folder: Path) -> np.ndarray:
    """The frames of a folder of PNG or JPEG images (see `frame_files`), uint8 RGB (F, H, W, 3).

    Raises DataError as `frame_files` does, for an image that does not decode, for images of several
    sizes, and for more pixels than a short clip has.
    """
    frames: list[np.ndarray] = []
    for name in frame_files(folder)[1]:
        frame = _read_image(name)
        if frames and frame.shape != frames[0].shape:
            raise DataError(name, f"a frame of {frame.shape}", f"{frames[0].shape} like the first")
        if frame.nbytes * len(frames) > MAX_BYTES:
            raise DataError(folder, f"more than {MAX_BYTES >> 30} GiB of frames", "a short clip")
        frames.append(frame)
    return np.stack(frames)


def frame_files(folder: Path) -> tuple[int, list[Path]]:
    """The number of the first frame in a folder of images, and the files in their numbers' order.

    Pictures of flow beside the frames are left out, with a warning.
    Raises DataError for a folder without images, with images of several kinds, and for numbers that
    lack or stand twice: silhouettes and flow would belong to other frames.
    """
    kinds: dict[tuple[str, str], list[tuple[int, Path]]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            parts = _NUMBER.fullmatch(path.stem)
            before, number, behind = parts.groups() if parts else (path.stem, "0", "")
            kinds[before, behind].append((int(number), path))
    if not kinds:
        raise DataError(folder, "0 PNG or JPEG frames", "at least one frame")
    frames = {kind: files for kind, files in kinds.items() if not _FLOW.match(kind[0])} or kinds
    if len(frames) > 1:
        shown = ", ".join(f"{before}...{behind}" for before, behind in list(frames)[:4])
        raise DataError(folder, f"pictures of several kinds ({shown})", "the frames alone")
    if len(frames) < len(kinds):
        warnings.warn("pictures of flow lie beside frames, and are left out", stacklevel=2)
    (files,) = frames.values()
    numbers, names = zip(*sorted(files), strict=True)
    if len({name.suffix.lower() == ".png" for name in names}) > 1:
        raise DataError(folder, "both PNG and JPEG frames", "one kind: no frame twice")
    for number, expected in zip(numbers, range(numbers[0], numbers[0] + len(numbers)), strict=True):
        if number != expected:
            found = f"frame {number} twice" if number < expected else f"no frame {expected}"
            raise DataError(folder, found, f"each frame from {numbers[0]} to {numbers[-1]} once")
    return numbers[0], list(names)


def _read_image(path: Path) -> np.ndarray:
    """One image, uint8 RGB (H, W, 3). Raises DataError as `read_images` does."""
    from PIL import Image

    check_regular(path, DataError, IMAGE)
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as header:  # of which it reads the header
            width, height = header.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(path, f"an image that does not decode ({error})", IMAGE) from error
    if width * height > MAX_PIXELS:
        raise DataError(path, f"{width} x {height} pixels", f"at most {MAX_PIXELS} in all")
    data = np.fromfile(path, dtype=np.uint8)
    frame = cast("np.ndarray | None", cv2.imdecode(data, cv2.IMREAD_COLOR))
    if frame is None:
        raise DataError(path, "an image that does not decode", IMAGE)
    return frame[..., ::-1]
