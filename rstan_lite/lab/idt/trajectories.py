"""Dense trajectories: points sampled on a grid at several scales, tracked through the flow.

Wang et al., Dense trajectories and motion boundary descriptors (IJCV 2013), with the camera's
motion taken out after Wang & Schmid, Action recognition with improved trajectories (ICCV 2013).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from rstan_lite.system.errors import DataError
from rstan_lite.system.settings import check_choice, check_count, check_real

PATCH = 32  # px, side of the volume around a trajectory
SHRINK = 2**-0.5  # from one scale to the next
FEWEST_FRAMES = 4  # three steps: one for each temporal cell
MOTIONS = ("homography", "none")
MEDIAN = 3  # px, side of the flow's median filter
LEAST_SPREAD = 3**0.5  # px, standard deviation of a trajectory that is no static one
MOST_SPREAD = 50.0  # px; above, a trajectory is erratic
MOST_STEP, MOST_SHARE = 20.0, 0.7  # px a frame, and share of the length: a sudden jump
LEAST_MOTION = 1.0  # px a frame, left without the camera in some step
FEATURES = 300  # ORB key points a frame
CORNERS = 500  # good features that the flow carries
QUALITY, DISTANCE = 0.001, 3.0  # of the good features; px between them
REPROJECTION = 1.0  # px, of RANSAC's inliers
FEWEST, FEWEST_INLIERS = 50, 25  # correspondences; below, the camera is taken to rest


@dataclass(frozen=True)
class TrackSettings:
    """How trajectories are found; raises ConfigError.

    length: L, steps of a trajectory, in short clips as many as there are. height: px, to which
    taller clips are shrunk first. step: px between the grid's points, at each scale. scales: at
    most so many, each smaller by the square root of two, while a patch fits in. quality: share of
    the frame's largest smaller eigenvalue of the autocorrelation matrix, below which a place is
    homogeneous. camera: "homography", or "none" for plain dense trajectories.
    """

    length: int = 15
    height: int = 240
    step: int = 5
    scales: int = 8
    quality: float = 0.001
    camera: str = "homography"

    def __post_init__(self) -> None:
        lowest = {"length": FEWEST_FRAMES - 1, "height": PATCH, "step": 1, "scales": 1}
        for name, least in lowest.items():
            check_count(name, getattr(self, name), least)
        check_real("quality", self.quality, 0, below=1)
        check_choice("camera", self.camera, MOTIONS)


@dataclass(frozen=True)
class Scale:
    """A clip at one scale (factor of its size), and the trajectories that were found there.

    grey: uint8 (F, h, w). residual: float32 (F - 1, h, w, 2), flow without the camera's motion.
    start: int (n,), first frames. points: float32 (n, L + 1, 2), x and y. All in this scale's
    pixels. steps: float32 (n, L, 2), without the camera's motion, in the clip's pixels.
    """

    factor: float
    grey: np.ndarray
    residual: np.ndarray
    start: np.ndarray
    points: np.ndarray
    steps: np.ndarray


def trajectories(frames: np.ndarray, settings: TrackSettings) -> Iterator[Scale]:
    """A clip's trajectories, scale by scale, largest first, but those that only follow the camera.

    frames: uint8 RGB (F, H, W, 3). DataError for fewer than 4, or smaller than a patch of 32.
    """
    count, height, width = frames.shape[:3]
    if count < FEWEST_FRAMES:
        raise DataError("clip", f"{count} frames", f"at least {FEWEST_FRAMES} for trajectories")
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
    shrunk = min(1.0, settings.height / height)
    height, width = round(height * shrunk), round(width * shrunk)
    if min(height, width) < PATCH:
        raise DataError("clip", f"frames of {width} x {height}", f"at least {PATCH} x {PATCH}")
    grey = _resized(grey, (width, height))
    flow = dense_flow(grey)
    residual, homographies = flow, np.repeat(np.eye(3)[None], len(flow), axis=0)
    if settings.camera == "homography":
        homographies = camera_homographies(grey, flow)
        residual = residual_flow(flow, homographies)
    for number in range(settings.scales):
        size = (round(width * SHRINK**number), round(height * SHRINK**number))
        if min(size) < PATCH:
            break
        factor = size[0] / width
        small = _resized(grey, size)
        start, points = track(small, _resized(flow, size) * factor, settings)
        whole = points / factor
        steps = residual_steps(whole, start, homographies) / shrunk  # in the clip's pixels
        moving = np.linalg.norm(steps, axis=-1).max(axis=1) > LEAST_MOTION
        kept = _is_valid(whole / shrunk) & moving
        moved = _resized(residual, size) * np.float32(factor)
        steps = steps[kept].astype(np.float32)
        yield Scale(factor * shrunk, small, moved, start[kept], points[kept], steps)


def _resized(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Images (n, H, W, ...) of a size (width, height)."""
    if images.shape[2:0:-1] == size:
        return images
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def track(
    grey: np.ndarray, flow: np.ndarray, settings: TrackSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Follow points through median-filtered flow, for L steps each; see `Scale` for the shapes.

    A point is born in every grid cell that no trajectory is in, where the place is not homogeneous
    and L steps are left. One that leaves the frame is dropped.
    """
    height, width = grey.shape[1:]
    length = min(settings.length, len(flow))
    start = np.zeros(0, dtype=np.int64)
    points = np.zeros((0, length + 1, 2), dtype=np.float32)
    finished = [(start, points)]
    for t in range(len(flow)):
        if t <= len(flow) - length:
            born = _new_points(grey[t], points[np.arange(len(start)), t - start], settings)
            fresh = np.zeros((len(born), length + 1, 2), dtype=np.float32)
            fresh[:, 0] = born
            points = np.concatenate([points, fresh])
            start = np.concatenate([start, np.full(len(born), t)])
        rows = np.arange(len(start))
        here = points[rows, t - start]
        smooth = np.stack([cv2.medianBlur(part, MEDIAN) for part in cv2.split(flow[t])], axis=-1)
        column, row = np.rint(here).astype(np.intp).T
        there = here + smooth[row, column]
        points[rows, t - start + 1] = there
        inside = ((there >= 0) & (np.rint(there) < (width, height))).all(axis=1)
        done = inside & (t - start + 1 == length)
        finished.append((start[done], points[done]))
        start, points = start[inside & ~done], points[inside & ~done]
    return np.concatenate([s for s, _ in finished]), np.concatenate([p for _, p in finished])


def _new_points(grey: np.ndarray, taken: np.ndarray, settings: TrackSettings) -> np.ndarray:
    """Centres of the grid cells without a point, where the picture is not homogeneous, (n, 2)."""
    height, width = grey.shape
    step = settings.step
    free = np.ones((height // step, width // step), dtype=bool)
    column, row = (taken // step).astype(np.intp).T
    held = (row < free.shape[0]) & (column < free.shape[1])  # beyond them lies less than a cell
    free[row[held], column[held]] = False
    cells = np.argwhere(free)[:, ::-1] * step + step // 2  # x, y
    eigenvalue = cv2.cornerMinEigenVal(grey, 3, ksize=3)
    textured = eigenvalue[cells[:, 1], cells[:, 0]] > settings.quality * eigenvalue.max()
    return cells[textured].astype(np.float32)


def _is_valid(points: np.ndarray) -> np.ndarray:
    """Which trajectories (n, L + 1, 2), in the clip's pixels, move, but not by leaps, bool (n,)."""
    spread = points.std(axis=1)
    moves = (spread > LEAST_SPREAD).any(axis=1) & (spread < MOST_SPREAD).all(axis=1)
    steps = np.linalg.norm(np.diff(points, axis=1), axis=-1)  # (n, L)
    largest = steps.max(axis=1)
    jumps = (largest > MOST_STEP) & (largest > MOST_SHARE * steps.sum(axis=1))
    return moves & ~jumps


def dense_flow(grey: np.ndarray) -> np.ndarray:
    """Optical flow (F - 1, H, W, 2), pixels a frame, by dense inverse search at full resolution.

    The networks' flow (`features.flow`) is searched at half the resolution and falls a few per cent
    short of a small displacement; trajectories add up 15 of them. grey: uint8 (F, H, W).
    """
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    engine.setFinestScale(0)
    engine.setVariationalRefinementIterations(2)
    flow = np.zeros((len(grey) - 1, *grey.shape[1:], 2), dtype=np.float32)
    for t in range(len(flow)):
        flow[t] = engine.calc(grey[t], grey[t + 1], flow[t].copy())
    return flow


def camera_homographies(grey: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The homographies (F - 1, 3, 3) from each frame to the next that most of the picture follows.

    Correspondences are matches of ORB key points, and good features moved by the flow, so that both
    textured and smooth scenes give some (Wang & Schmid 2013, Section 2.1, who have SURF and a
    person detector to leave people out; neither is here). RANSAC keeps what agrees; where too
    little does, it is the identity. grey: uint8 (F, H, W). flow: (F - 1, H, W, 2).
    """
    detector = cv2.ORB.create(FEATURES)
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    found = [detector.detectAndCompute(frame, cast("np.ndarray", None)) for frame in grey]
    homographies = np.repeat(np.eye(3)[None], len(flow), axis=0)
    for t, field in enumerate(flow):
        (points, words), (next_points, next_words) = found[t], found[t + 1]
        pairs = [_moved_corners(grey[t], field)]
        if len(points) and len(next_points):
            pairs += [
                np.array([[points[m.queryIdx].pt, next_points[m.trainIdx].pt]], dtype=np.float32)
                for m in matcher.match(words, next_words)
            ]
        homographies[t] = _fit(np.concatenate(pairs))
    return homographies


def _moved_corners(grey: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Good features and where the flow takes them, float32 (n, 2, 2)."""
    found = cv2.goodFeaturesToTrack(grey, CORNERS, QUALITY, DISTANCE)
    corners = cast("np.ndarray | None", found)  # None where a frame is flat, say the stubs or not
    if corners is None:
        return np.zeros((0, 2, 2), dtype=np.float32)
    start = corners.reshape(-1, 2)
    column, row = np.rint(start).astype(np.intp).T
    return np.stack([start, start + field[row, column]], axis=1)


def _fit(pairs: np.ndarray) -> np.ndarray:
    """A homography (3, 3) through correspondences (n, 2, 2), or the identity."""
    if len(pairs) <= FEWEST:
        return np.eye(3)
    cv2.setRNGSeed(0)  # RANSAC draws from a generator of the process
    matrix, inliers = cv2.findHomography(pairs[:, 0], pairs[:, 1], cv2.RANSAC, REPROJECTION)
    if matrix is None or inliers.sum() <= FEWEST_INLIERS or abs(np.linalg.det(matrix)) < 1e-6:
        return np.eye(3)
    return matrix


def residual_flow(flow: np.ndarray, homographies: np.ndarray) -> np.ndarray:
    """Flow (F - 1, H, W, 2) as a camera at rest would have seen it.

    A point's end is taken back through the homography before its start is subtracted. That is the
    flow to a next frame warped onto this one, without computing flow a second time.
    """
    height, width = flow.shape[1:3]
    row, column = np.mgrid[:height, :width].astype(np.float32)
    start = np.stack([column, row], axis=-1)  # (H, W, 2)
    residual = np.empty_like(flow)
    for t, field in enumerate(flow):
        back = np.linalg.inv(homographies[t])
        residual[t] = cv2.perspectiveTransform(start + field, back) - start
    return residual


def residual_steps(points: np.ndarray, start: np.ndarray, homographies: np.ndarray) -> np.ndarray:
    """Displacements (n, L, 2) of points (n, L + 1, 2) as a camera at rest would have seen them."""
    back = np.linalg.inv(homographies)[start[:, None] + np.arange(points.shape[1] - 1)]
    ends = np.concatenate([points[:, 1:], np.ones_like(points[:, 1:, :1])], axis=-1)
    ends = np.einsum("nlij,nlj->nli", back, ends)
    return ends[..., :2] / ends[..., 2:] - points[:, :-1]
