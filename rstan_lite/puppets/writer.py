"""Writes a clip in JHMDB's own layout, byte for byte the same for the same input."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
from scipy.io import savemat

from rstan_lite.system.errors import DataError
from rstan_lite.system.files import write_whole

from .clip import Clip
from .motion import FPS

VIDEOS, MASKS, JOINTS, SPLITS = "ReCompress_Videos", "puppet_mask", "joint_positions", "splits"
_HEADER = b"MATLAB 5.0 MAT-file, Platform: any, Created on: puppets, no date"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is either whole or not there; raises DataError if it can't be."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise DataError(
            path,
            found=f"a file that can't be written ({error.strerror})",
            expected="a writable folder with free space",
            hint="Free some space or choose another folder; whole clips are kept.",
        ) from error


def encode(frames: np.ndarray, quantiser: int = 4) -> bytes:
    """Compress frames (F, H, W, 3) uint8 RGB to MPEG-4 in AVI, 30 frames a second.

    One thread, a fixed quantiser and FFmpeg's bit-exact mode: no time, version or machine enters.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.bit_rate = 4_000_000
        stream.options = {
            "flags": "+bitexact",
            "qmin": str(quantiser),
            "qmax": str(quantiser),
            "g": "12",
            "bf": "0",
        }
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def mat_bytes(variables: dict[str, Any]) -> bytes:
    """A compressed MAT file whose header says nothing of the day or the platform."""
    buffer = io.BytesIO()
    savemat(buffer, variables, do_compression=True, oned_as="row")  # type: ignore[arg-type]
    content = buffer.getvalue()
    return _HEADER.ljust(116) + content[116:]


def write_clip(root: Path, action: str, name: str, clip: Clip) -> None:
    """Write silhouettes, joints and, as the mark of a whole clip, the video."""
    h, w = clip.frames.shape[1:3]
    masks = np.ascontiguousarray(clip.masks.transpose(1, 2, 0))  # (H, W, F)
    write_bytes(root / MASKS / action / name / "puppet_mask.mat", mat_bytes({"part_mask": masks}))
    x, y = clip.joints
    scale = clip.scale[None, :]
    world = np.stack([(x / w - 0.5) * w / h / scale, (y / h - 0.5) / scale])
    joints = {
        "pos_img": clip.joints,
        "pos_world": world,
        "scale": scale,
        "viewpoint": clip.viewpoint,
    }
    write_bytes(root / JOINTS / action / name / "joint_positions.mat", mat_bytes(joints))
    write_bytes(root / VIDEOS / action / f"{name}.avi", encode(clip.frames))


def clip_done(root: Path, action: str, name: str) -> bool:
    """Whether all three files of a clip are there."""
    return (
        (root / VIDEOS / action / f"{name}.avi").is_file()
        and (root / MASKS / action / name / "puppet_mask.mat").is_file()
        and (root / JOINTS / action / name / "joint_positions.mat").is_file()
    )
