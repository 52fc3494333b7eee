"""A data set in JHMDB's layout, small enough to write in a test: a square that moves by class."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from scipy.io import savemat

HEIGHT, WIDTH = 48, 64
STEPS = {"push": (2, 0), "jump": (0, -2), "pick": (0, 2)}  # apart also when mirrored


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


def write_avi(path: Path, frames: np.ndarray) -> Path:
    """An MPEG-4 AVI like JHMDB's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
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
            if images:
                import cv2

                folder = root / "Rename_Images" / action / name
                folder.mkdir(parents=True)
                for t, frame in enumerate(video):
                    cv2.imwrite(str(folder / f"{t + 1:05d}.png"), frame[..., ::-1])
            else:
                write_avi(root / "ReCompress_Videos" / action / f"{name}.avi", video)
            mask = root / "puppet_mask" / action / name / "puppet_mask.mat"
            mask.parent.mkdir(parents=True)
            savemat(mask, {"part_mask": masks.transpose(1, 2, 0)}, do_compression=True)
            part = 2 if i >= per_class - 2 else 1
            lists.setdefault(action, []).append(f"{name}.avi {part}")
    (root / "splits").mkdir()
    for split in (1, 2, 3):
        for action, lines in lists.items():
            text = "\n".join(lines) + "\n"
            (root / "splits" / f"{action}_test_split{split}.txt").write_text(text)
    return root
