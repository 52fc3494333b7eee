"""How wrong optical flow is, where the truth is known: a frame that is moved by a known field."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from rstan_lite.features.flow import Estimator, flow_sequence
from rstan_lite.system.errors import ConfigError

MARGIN = 8  # px at the frame's edges that are not judged: what moves in or out has no partner


def smooth_field(
    shape: tuple[int, int], rng: np.random.Generator, largest: float = 6.0, waves: float = 3.0
) -> np.ndarray:
    """A random smooth field of displacements.

    shape: (H, W). largest: the longest displacement, pixels. waves: bumps along the short side; the
    displacement must change by less than a pixel a pixel, or the field would fold the frame.
    Returns float32 (H, W, 2). Raises ConfigError for a field that folds.
    """
    noise = rng.standard_normal((*shape, 2)).astype(np.float32)
    field = cv2.GaussianBlur(noise, (0, 0), min(shape) / (2 * waves), borderType=cv2.BORDER_REFLECT)
    field = field - field.mean((0, 1))
    field *= largest / np.hypot(field[..., 0], field[..., 1]).max()
    steepest = max(float(np.abs(np.diff(field, axis=axis)).max()) for axis in (0, 1))
    if steepest >= 1:
        raise ConfigError(
            "largest", f"{largest:g} px", "a field that does not fold", "Fewer waves."
        )
    return field


def moved(frame: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The frame before, whose exact flow to `frame` is `field`.

    frame: uint8 (H, W, 3). field: (H, W, 2). Each pixel takes the colour of the place that its
    displacement leads to, so no inverse is needed. Returns uint8 (H, W, 3).
    """
    height, width = frame.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = field[..., 0] + x, field[..., 1] + y
    return cv2.remap(frame, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def end_point_error(flow: np.ndarray, truth: np.ndarray, margin: int = MARGIN) -> float:
    """Mean distance of the displacements' ends, pixels; flow, truth: (H, W, 2)."""
    inside = (slice(margin, -margin or None),) * 2
    return float(np.linalg.norm(flow - truth, axis=-1)[inside].mean())


def warping_error(before: np.ndarray, after: np.ndarray, flow: np.ndarray) -> float:
    """Mean difference of grey levels between a frame and the next one led back by the flow.

    before, after: uint8 (H, W, 3). It needs no truth, but even the true flow's is not 0: light
    changes, and what comes into sight has no partner.
    """
    grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY).astype(np.float32) for f in (before, after)]
    inside = (slice(MARGIN, -MARGIN),) * 2
    return float(np.abs(grey[0] - moved(grey[1], flow))[inside].mean())


@dataclass(frozen=True)
class Judged:
    """A method on a pair of frames: flow (H, W, 2), errors in pixels and grey levels, seconds."""

    flow: np.ndarray
    error: float
    warping: float
    seconds: float


def judge(
    frame: np.ndarray, field: np.ndarray, methods: Mapping[str, Estimator]
) -> dict[str, Judged]:
    """Each method on `frame` and the same frame moved by a known field.

    frame: uint8 (H, W, 3). field: (H, W, 2), as of `smooth_field`. seconds: of the wall clock.
    """
    before, found = moved(frame, field), {}
    pair = np.stack([before, frame])
    for name, method in methods.items():
        start = time.perf_counter()
        flow = flow_sequence(pair, method)[0]
        seconds = time.perf_counter() - start
        error = end_point_error(flow, field)
        found[name] = Judged(flow, error, warping_error(before, frame, flow), seconds)
    return found
