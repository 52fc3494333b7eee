"""Motion between a clip's frames: dense flow, the camera's homography, and flow without it."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

FEATURES = 300  # ORB key points a frame
CORNERS = 500  # good features that the flow carries
QUALITY, DISTANCE = 0.001, 3.0  # of the good features; px between them
REPROJECTION = 1.0  # px, of RANSAC's inliers
FEWEST, FEWEST_INLIERS = 50, 25  # correspondences; below, the camera is taken to rest


def dense_flow(grey: np.ndarray) -> np.ndarray:
    """Optical flow from each frame to the next, by dense inverse search at full resolution.

    The networks' flow (`features.flow`) is searched at half the resolution and falls a few per cent
    short of a small displacement; trajectories add up 15 of them.
    grey: uint8 (F, H, W). Returns float32 (F - 1, H, W, 2): x and y displacements, pixels a frame.
    """
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    engine.setFinestScale(0)
    engine.setVariationalRefinementIterations(2)
    flow = np.zeros((len(grey) - 1, *grey.shape[1:], 2), dtype=np.float32)
    for t in range(len(flow)):
        flow[t] = engine.calc(grey[t], grey[t + 1], flow[t].copy())
    return flow


def camera_homographies(grey: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The homography from each frame to the next that most of the picture follows.

    Correspondences are matches of ORB key points, and good features moved by the flow, so that both
    textured and smooth scenes give some (Wang & Schmid 2013, Section 2.1, who have SURF and a
    person detector to leave people out; neither is here). RANSAC keeps what agrees.
    grey: uint8 (F, H, W). flow: float32 (F - 1, H, W, 2), pixels a frame.
    Returns float64 (F - 1, 3, 3); the identity where too little agrees.
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
    fitted = cast("np.ndarray | None", matrix)
    if fitted is None or inliers.sum() <= FEWEST_INLIERS or abs(np.linalg.det(fitted)) < 1e-6:
        return np.eye(3)
    return fitted


def residual_flow(flow: np.ndarray, homographies: np.ndarray) -> np.ndarray:
    """Flow as a camera at rest would have seen it.

    A point's end is taken back through the homography before its start is subtracted. That is the
    flow to a next frame warped onto this one, without computing flow a second time.
    flow: float32 (F - 1, H, W, 2). homographies: (F - 1, 3, 3), from each frame to the next.
    Returns float32 (F - 1, H, W, 2).
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
    """A trajectory's displacements as a camera at rest would have seen them.

    points: (n, L + 1, 2). start: int (n,), each one's first frame. homographies: (F - 1, 3, 3).
    Returns (n, L, 2).
    """
    back = np.linalg.inv(homographies)[start[:, None] + np.arange(points.shape[1] - 1)]
    ends = np.concatenate([points[:, 1:], np.ones_like(points[:, 1:, :1])], axis=-1)
    ends = np.einsum("nlij,nlj->nli", back, ends)
    return ends[..., :2] / ends[..., 2:] - points[:, :-1]
