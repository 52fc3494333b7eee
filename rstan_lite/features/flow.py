"""Optical flow of a clip, coded in 8 bits and stacked for a motion network."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from rstan_lite.data.transforms import Geometry
from rstan_lite.errors import ConfigError, DataError

BOUND = 20.0  # px per frame; larger displacements are clipped
ZERO = 128  # code of no motion
PAIRS = 10  # consecutive pairs in a stack: 20 channels
METHODS = ("dis", "tvl1")
CAMERA = ("none", "median", "similarity")


def flow_sequence(frames: np.ndarray, method: str = "dis", camera: str = "none") -> np.ndarray:
    """Optical flow from each frame to the next.

    frames: uint8 RGB (F, H, W, 3). method: "dis" (dense inverse search, about 10 ms a 320x240
    pair) or "tvl1" (the two-stream networks' own, 70 times slower).
    camera: what is taken for the camera's motion and subtracted: "none", "median" (a translation)
    or "similarity" (translation, rotation and zoom, fitted by RANSAC).
    Returns float32 (F - 1, H, W, 2): x and y displacements in pixels per frame.
    """
    if method not in METHODS:
        raise ConfigError("flow", repr(method), f"one of {', '.join(METHODS)}")
    if camera not in CAMERA:
        raise ConfigError("camera", repr(camera), f"one of {', '.join(CAMERA)}")
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    engine: cv2.DenseOpticalFlow
    if method == "dis":
        engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    else:
        engine = cv2.optflow.DualTVL1OpticalFlow.create()
    height, width = frames.shape[1:3]
    flow = np.zeros((len(frames) - 1, height, width, 2), dtype=np.float32)
    for i in range(len(flow)):
        flow[i] = engine.calc(grey[i], grey[i + 1], flow[i].copy())
        if camera != "none":
            flow[i] -= camera_motion(flow[i], camera)
    return flow


def camera_motion(flow: np.ndarray, model: str) -> np.ndarray:
    """The part of a flow field that the camera explains.

    flow: float32 (H, W, 2). model: "median" or "similarity".
    Returns float32 (H, W, 2), or (2,) for "median". The fit uses a grid of points and is robust to
    an actor who fills less than half of the frame; where it fails, the median serves.
    """
    median = np.median(flow.reshape(-1, 2)[::7], axis=0).astype(np.float32)
    if model == "median":
        return median
    height, width = flow.shape[:2]
    y, x = np.mgrid[4:height:12, 4:width:12]
    start = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    end = start + flow[y.ravel(), x.ravel()]
    cv2.setRNGSeed(0)  # RANSAC draws from a generator of the process: the same clip, the same flow
    found, _ = cv2.estimateAffinePartial2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=0.6, maxIters=200
    )
    matrix = cast("np.ndarray | None", found)  # None where RANSAC fails, whatever the stubs say
    if matrix is None:
        return np.broadcast_to(median, flow.shape)
    a, b = matrix[:, :2].astype(np.float32), matrix[:, 2].astype(np.float32)
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    moved_x = a[0, 0] * columns + a[0, 1] * rows + b[0]
    moved_y = a[1, 0] * columns + a[1, 1] * rows + b[1]
    return np.stack([moved_x - columns, moved_y - rows], axis=-1)


def encode(flow: np.ndarray, bound: float = BOUND) -> np.ndarray:
    """Code displacements in 8 bits: [-bound, bound] to [1, 255], 128 for none.

    flow: float, any shape, pixels. Returns uint8 of the same shape. The code's step is bound / 127
    pixels, so the error is at most half of that where nothing is clipped.
    """
    coded = np.rint(np.clip(flow, -bound, bound) * (127 / bound)) + ZERO
    return coded.astype(np.uint8)


def decode(coded: np.ndarray, bound: float = BOUND) -> np.ndarray:
    """The inverse of `encode`: uint8 to float32 pixels."""
    return (coded.astype(np.float32) - ZERO) * (bound / 127)


def stack_indices(n_flow: int, frame: int, pairs: int = PAIRS) -> np.ndarray:
    """The consecutive pairs centred on a frame, int64 (pairs,).

    Pair i leads from frame i to i + 1. At a clip's ends the first or last pair is repeated.
    """
    if n_flow < 1:
        raise DataError("flow", "a clip of one frame", "two frames or more")
    start = frame - pairs // 2
    return np.clip(np.arange(start, start + pairs), 0, n_flow - 1)


def stack(
    coded: np.ndarray, frame: int, geometry: Geometry | None = None, pairs: int = PAIRS
) -> np.ndarray:
    """The motion network's input for a frame.

    coded: uint8 (F - 1, H, W, 2). geometry: the view to take of every pair; None for all of it.
    Returns uint8 (H, W, 2 * pairs), or (size, size, 2 * pairs), interleaved x then y.
    """
    chosen = [coded[i] for i in stack_indices(len(coded), frame, pairs)]
    if geometry is not None:
        # pair by pair: cutting and shrinking first is several times faster than stacking first
        chosen = [geometry.flow(pair) for pair in chosen]
    return np.concatenate(chosen, axis=2)
