"""A data set in JHMDB's layout, small enough to write in a test: a square that moves by class."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from scipy.io import savemat

HEIGHT, WIDTH = 48, 64
STEPS = {"push": (2, 0), "jump": (0, -2), "pick": (0, 2)}  # apart also when mirrored
SPEED, SIDE, LEFT, TOP = 3, 48, 20, 30  # of a textured square


def contents(root: Path) -> dict[str, bytes]:
    """Every file under a folder, by its path."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def clip_arrays(action: str, seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames uint8 (F, H, W, 3) of a bright square on a textured ground, and its masks."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y = rng.integers(20, 30), rng.integers(18, 24)
    video = np.repeat(ground[None], frames, axis=0)
    masks = np.zeros((frames, HEIGHT, WIDTH), dtype=np.uint8)
    for t in range(frames):
        top = int(np.clip(y + STEPS[action][1] * t, 0, HEIGHT - 14))
        left = int(np.clip(x + STEPS[action][0] * t, 0, WIDTH - 14))
        video[t, top : top + 14, left : left + 14] = rng.integers(160, 255, 3)
        masks[t, top : top + 14, left : left + 14] = 1
    return video, masks


def texture(height: int = 120, width: int = 160, seed: int = 0) -> np.ndarray:
    """Smooth random grey, uint8 (height, width, 3)."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    smooth = (smooth - smooth.min()) / np.ptp(smooth) * 255
    return np.repeat(smooth[..., None], 3, axis=2).astype(np.uint8)


def square_clip(frames: int = 20, pan: int = 0) -> np.ndarray:
    """A textured square that moves right by SPEED px a frame, (frames, 120, 200, 3).

    pan: px a frame by which the camera moves right.
    """
    ground, square = texture(120, 200 + pan * frames, 1), texture(SIDE, SIDE, 2)
    clip = []
    for t in range(frames):
        frame = ground[:, pan * t : pan * t + 200].copy()
        left = LEFT + (SPEED - pan) * t
        frame[TOP : TOP + SIDE, left : left + SIDE] = square
        clip.append(frame)
    return np.stack(clip)


def inside_square(points: np.ndarray, start: np.ndarray, pan: int = 0) -> np.ndarray:
    """Which trajectories, in the clip's pixels, begin 10 px or more inside the square."""
    corner = np.stack([LEFT + (SPEED - pan) * start, np.full(len(start), TOP)], axis=1)
    offset = points[:, 0] - corner
    return ((offset > 10) & (offset < SIDE - 10)).all(axis=1)


def write_avi(path: Path, frames: np.ndarray) -> Path:
    """An MPEG-4 AVI like JHMDB's, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, frames)


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    times: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
    rate: int = 30,
    pixel: Fraction = Fraction(0),
) -> Path:
    """A video: MPEG-4 in an AVI, else H.264. times: of each frame, in seconds, at any rate.

    pixel: its width over its height; 0: not said.

    The same frames give the same bytes: else Matroska's random IDs differ, now and then in length.
    """
    with av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as container:
        codec = "mpeg4" if path.suffix == ".avi" else "libx264"
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        stream.codec_context.sample_aspect_ratio = pixel
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(1000 * times[i]), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_cut(path: Path, frames: np.ndarray) -> Path:
    """Frames from number 6 on, cut out of a video by stream copy at an open key frame.

    A stream of one small picture stands first.
    """
    options = {"x264-params": "keyint=6:min-keyint=6:open-gop=1:bframes=3:b-adapt=0:scenecut=0"}
    whole = write_video(path.with_name(f"whole{path.suffix}"), frames, options=options)
    with av.open(str(whole)) as source, av.open(str(path), "w") as box:
        preview = box.add_stream("libx264", rate=30)
        preview.height, preview.width, preview.pix_fmt = 32, 32, "yuv420p"
        stream, started = box.add_stream_from_template(source.streams.video[0]), 0
        small = av.VideoFrame.from_ndarray(np.ascontiguousarray(frames[0, :32, :32]))
        box.mux([*preview.encode(small), *preview.encode()])
        for packet in source.demux(video=0):
            started += packet.is_keyframe
            if started > 1 and packet.dts is not None:
                packet.stream = stream
                box.mux(packet)
    whole.unlink()
    return path


def write_turned(
    path: Path, frames: Sequence[np.ndarray], matrix: tuple[int, ...], **how: Any
) -> Path:
    """An MP4 whose display matrix (a, b, c, d) turns its frames, as a phone writes it."""
    raw = bytearray(write_video(path, frames, **how).read_bytes())
    a, b, c, d = (number << 16 for number in matrix)
    struct.pack_into(">9i", raw, raw.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(raw)
    return path


def write_dataset(root: Path, per_class: int = 6, frames: int = 14, images: bool = False) -> Path:
    """`per_class` clips of each class in STEPS, two from each source; the last two are for testing.

    images: write folders of PNG frames in place of AVIs.
    """
    lists: dict[str, list[str]] = {}
    for action in STEPS:
        for i in range(per_class):
            name = f"src{i // 2}_{action}_f_nm_np1_fr_med_{i}"
            video, masks = clip_arrays(action, 100 * i + len(action), frames + i % 3)
            folder = root / ("Rename_Images" if images else "ReCompress_Videos") / action
            _write_clip(folder / name, video, "{:05d}.png" if images else "")
            mask = root / "puppet_mask" / action / name / "puppet_mask.mat"
            mask.parent.mkdir(parents=True)
            savemat(mask, {"part_mask": masks.transpose(1, 2, 0)}, do_compression=True)
            part = 2 if i >= per_class - 2 else 1
            lists.setdefault(action, []).append(f"{name}.avi {part}")
    (root / "splits").mkdir()
    for split in (1, 2, 3):
        for action, lines in lists.items():
            text = "\n".join(lines) + "\n"
            (root / "splits" / f"{action}_test_split{split}.txt").write_text(text, encoding="utf-8")
    return root


def write_ucf101(root: Path, frames: int = 8, images: str = "") -> Path:
    """UCF101's layout in small: 3 classes, 4 groups of 2 clips, the last group for testing.

    images: ".png" or ".jpg" for folders of frames in place of AVIs.
    As in UCF101, files of one class differ from its name in case, and the lists end lines in CRLF.
    """
    classes = {"HandstandPushups": "HandStandPushups", "JumpRope": "JumpRope", "Pull": "Pull"}
    lists = root / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    listed = {"train": "", "test": ""}
    for label, (action, spelled) in enumerate(classes.items(), start=1):
        for group in (1, 2, 3, 4):
            for part in (1, 2):
                name = f"v_{spelled}_g{group:02d}_c{part:02d}"
                video = clip_arrays(list(STEPS)[label - 1], 10 * group + part, frames)[0]
                folder = root / ("frames" if images else "UCF-101") / action
                _write_clip(folder / name, video, images and "frame{}" + images)
                if group == 4:
                    listed["test"] += f"{action}/{name}.avi\r\n"
                else:
                    listed["train"] += f"{action}/{name}.avi {label}\r\n"
    rows = "".join(f"{label} {action}\r\n" for label, action in enumerate(classes, start=1))
    (lists / "classInd.txt").write_bytes(rows.encode())
    for split in (1, 2, 3):
        for kind, text in listed.items():
            (lists / f"{kind}list0{split}.txt").write_bytes(text.encode())
    return root


def write_hmdb51(root: Path, frames: int = 8, images: str = "") -> Path:
    """HMDB51's layout in small: 3 classes of 4 sources with 2 clips; one clip is in no part.

    One source, `Film_1`, has clips in every class. images: see `write_ucf101`.
    """
    lists = root / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for number, action in enumerate(("climb", "climb_stairs", "wave")):
        rows = []
        for i in range(8):
            source = "Film_1" if i < 2 else f"Film_{number}{i // 2}_(x)!"
            name = f"{source}_{action}_u_nm_np1_fr_goo_{i}"
            video = clip_arrays(list(STEPS)[number], 10 * i + number, frames)[0]
            folder = root / ("frames" if images else "hmdb51_org") / action
            _write_clip(folder / name, video, images and "frame{}" + images)
            rows.append(f"{name}.avi {(1, 1, 1, 1, 1, 0, 2, 2)[i]} \n")
        for split in (1, 2, 3):
            (lists / f"{action}_test_split{split}.txt").write_text("".join(rows), encoding="utf-8")
    return root


def _write_clip(path: Path, video: np.ndarray, images: str) -> None:
    """An AVI, or a folder of images of such names; one not padded: frame10 must not follow 1."""
    if not images:
        write_avi(path.with_name(f"{path.name}.avi"), video)
        return
    path.mkdir(parents=True)
    for t, frame in enumerate(video, start=1):
        cv2.imwrite(str(path / images.format(t)), frame[..., ::-1])
