"""Optical flow of a clip, coded in 8 bits and stacked for a motion network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, cast

import cv2
import numpy as np
import torch
from torch.nn import functional

from rstan_lite.data.transforms import Geometry
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import check_choice
from rstan_lite.system.tensor_files import hub_file, load_weights, read_state, weights_hash

BOUND = 20.0  # px per frame; larger displacements are clipped
ZERO = 128  # code of no motion
PAIRS = 10  # consecutive pairs in a stack: 20 channels
OPENCV = ("dis", "tvl1")
RAFT = ("raft_small", "raft_large")
METHODS = (*OPENCV, *RAFT)
# Ways to take the camera's motion out, with a number that changes when a way's results do.
CAMERA = {"none": 1, "median": 1, "similarity": 2}
RAFT_UPDATES = 12  # of the flow, torchvision's number
RAFT_STRIDE, RAFT_SMALLEST = 8, 128  # px: sides are multiples of one, and not below the other
RAFT_TOGETHER = 4  # pairs through the network at a time


@dataclass(frozen=True)
class OpenCVFlow:
    """A method of OPENCV with OpenCV's own parameters ("dis": its preset MEDIUM)."""

    method: str
    forks: ClassVar[bool] = True

    def _engine(self) -> cv2.DenseOpticalFlow:
        if self.method == "dis":
            return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return cv2.optflow.DualTVL1OpticalFlow.create()

    @property
    def parameters(self) -> dict[str, Any]:
        engine = self._engine()  # asked: another OpenCV may have other defaults
        getters = [n for n in dir(engine) if n.startswith("get") and n != "getDefaultName"]
        found = {n.removeprefix("get"): getattr(engine, n)() for n in getters}
        return {"method": self.method, **found}

    def fields(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        engine = self._engine()
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        for one, other in pairwise(grey):
            yield engine.calc(one, other, np.zeros((*one.shape, 2), dtype=np.float32))


class Raft:
    """RAFT (Teed and Deng, ECCV 2020), torchvision's network with its weights, see `estimator`."""

    forks: ClassVar[bool] = False  # a process cannot share another one's GPU context

    def __init__(self, variant: str, weights: str | Path = "", device: str = "cpu"):
        from torchvision.models import get_model, get_model_weights

        url = get_model_weights(variant).DEFAULT.url
        path = Path(weights or hub_file(url, variant, "--flow-weights FILE"))
        self._net, self._device = get_model(variant, weights=None), device
        load_weights(self._net, read_state(path), str(path), variant)
        self._net.eval().to(device)
        self.parameters: dict[str, Any] = {"method": variant, "updates": RAFT_UPDATES}
        self.parameters["weights"] = weights_hash(path)

    def __getstate__(self) -> dict[str, Any]:
        """What a process that only decodes gets: no network, which may lie on a GPU."""
        return {"parameters": self.parameters}

    @torch.no_grad()
    def fields(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """Frames uint8 RGB (F, H, W, 3) to F - 1 fields, float32 (H, W, 2), x then y, pixels."""
        height, width = frames.shape[1:3]
        whole = (-(-side // RAFT_STRIDE) * RAFT_STRIDE for side in (height, width))
        sides = zip(whole, (height, width), strict=True)
        top, left = (max(RAFT_SMALLEST, w) - side for w, side in sides)  # pixels that a side lacks
        pad = (left // 2, left - left // 2, top // 2, top - top // 2)
        for first in range(0, len(frames) - 1, RAFT_TOGETHER):
            part = np.ascontiguousarray(frames[first : first + RAFT_TOGETHER + 1])
            x = torch.from_numpy(part).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
            x = functional.pad(x, pad, mode="replicate")  # (n + 1, 3, H', W'), in [-1, 1]
            flow = self._net(x[:-1], x[1:], num_flow_updates=RAFT_UPDATES)[-1]  # (n, 2, H', W')
            flow = flow[:, :, pad[2] :, pad[0] :][:, :, :height, :width]
            yield from flow.permute(0, 2, 3, 1).float().cpu().numpy()


# Ready to compute. `parameters`: the method's name and all that its result depends on, as JSON
# values; part of the keys of stores. `forks`: whether it may run in extraction's processes.
Estimator: TypeAlias = OpenCVFlow | Raft


def estimator(method: str, weights: str | Path = "", device: str = "cpu") -> Estimator:
    """A method by name.

    method: "dis" (dense inverse search, about 5 ms a 320x240 pair), "tvl1" (the two-stream
    networks' own, tens of times slower), "raft_small" or "raft_large" (for a GPU).
    weights: a file of RAFT's weights (.pth or .safetensors); none: torchvision's. device: RAFT's.
    Raises ConfigError (names), CheckpointError (weights missing, damaged or of the other variant).
    """
    check_choice("flow", method, METHODS)
    if method in RAFT:
        return Raft(method, weights, device)
    if weights:
        raise ConfigError("--flow-weights", str(weights), f"none: {method} has no weights")
    return OpenCVFlow(method)


def flow_sequence(
    frames: np.ndarray, method: str | Estimator = "dis", camera: str = "none"
) -> np.ndarray:
    """Optical flow from each frame to the next.

    frames: uint8 RGB (F, H, W, 3). method: an estimator, or its name, see `estimator`.
    camera: its motion to subtract: "none", "median" (a translation) or "similarity" (translation,
    rotation and zoom, fitted by RANSAC).
    Returns float32 (F - 1, H, W, 2): x and y displacements in pixels per frame.
    """
    check_choice("camera", camera, tuple(CAMERA))
    method = estimator(method) if isinstance(method, str) else method
    flow = np.zeros((len(frames) - 1, *frames.shape[1:3], 2), dtype=np.float32)
    for i, field in enumerate(method.fields(frames)):
        flow[i] = field
        if camera != "none":
            flow[i] -= camera_motion(field, camera)
    return flow


def camera_motion(flow: np.ndarray, model: str) -> np.ndarray:
    """The part of a flow field that the camera explains; an actor may fill half of the frame.

    flow: float32 (H, W, 2). model: "median" or "similarity".
    Returns float32 (H, W, 2), or (2,) for "median", which serves where the fit fails.
    """
    median = np.median(flow.reshape(-1, 2)[::7], axis=0).astype(np.float32)
    height, width = flow.shape[:2]
    y, x = np.mgrid[4:height:12, 4:width:12]
    if model == "median" or y.size < 2:  # a small frame has one point of the grid, or none
        return median
    start = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    end = start + flow[y.ravel(), x.ravel()]
    cv2.setRNGSeed(0)  # RANSAC draws from a generator of the process: the same clip, the same flow
    # Its last step is left out: it solves by BLAS, whose rounding is another on other processors.
    found, inliers = cv2.estimateAffinePartial2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=0.6, maxIters=200, refineIters=0
    )
    if cast("np.ndarray | None", found) is None:  # RANSAC fails, whatever the stubs say
        return np.broadcast_to(median, flow.shape)
    kept = inliers.ravel() > 0
    matrix = _least_squares_similarity(start[kept], end[kept])
    a, b = matrix[:, :2].astype(np.float32), matrix[:, 2].astype(np.float32)
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    moved_x = a[0, 0] * columns + a[0, 1] * rows + b[0]
    moved_y = a[1, 0] * columns + a[1, 1] * rows + b[1]
    return np.stack([moved_x - columns, moved_y - rows], axis=-1)


def _least_squares_similarity(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The similarity (2, 3) that moves points (n, 2) nearest to others; they must not all agree.

    With points as complex numbers about their means it is one division (Umeyama, PAMI 1991).
    Rounded, because processors sum in different orders.
    """
    s, e = (points[:, 0] + 1j * points[:, 1].astype(np.float64) for points in (start, end))
    from_mean = s - s.mean()
    turn = np.sum(np.conj(from_mean) * (e - e.mean())) / np.sum(np.abs(from_mean) ** 2)
    turn = np.round(turn, 6)
    shift = np.round(e.mean() - turn * s.mean(), 4)
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def encode(flow: np.ndarray, bound: float = BOUND) -> np.ndarray:
    """Code displacements, in pixels, in uint8: [-bound, bound] to [1, 255], 128 for none.

    The code's step is bound / 127 pixels, so the error is at most half of that, unless clipped.
    """
    coded = np.rint(np.clip(flow, -bound, bound) * (127 / bound)) + ZERO
    return coded.astype(np.uint8)


def decode(coded: np.ndarray, bound: float = BOUND) -> np.ndarray:
    """The inverse of `encode`: uint8 to float32 pixels."""
    return (coded.astype(np.float32) - ZERO) * (bound / 127)


def stack_indices(n_flow: int, frame: int, pairs: int = PAIRS) -> np.ndarray:
    """The consecutive pairs (i to i + 1) centred on a frame, int64; end ones are repeated."""
    start = frame - pairs // 2
    return np.clip(np.arange(start, start + pairs), 0, n_flow - 1)


def stack(
    coded: Any, frame: int, geometry: Geometry | None = None, pairs: int = PAIRS
) -> np.ndarray:
    """`stacks` of one frame."""
    return stacks(coded, [frame], geometry, pairs)[0]


def stacks(
    coded: Any, frames: Sequence[int], geometry: Geometry | None = None, pairs: int = PAIRS
) -> list[np.ndarray]:
    """The motion network's input for each frame; a pair that several share is read and cut once.

    coded: uint8 (F - 1, H, W, 2), an array or another sequence of fields. geometry: the view to
    take of every pair; None for all of it.
    Returns uint8 (H, W, 2 * pairs), or (size, size, 2 * pairs), interleaved x then y.
    """
    wanted = [stack_indices(len(coded), frame, pairs).tolist() for frame in frames]
    # pair by pair: cutting and shrinking first is several times faster than stacking first
    fields = {i: np.asarray(coded[i]) for i in sorted(set().union(*wanted))}
    if geometry is not None:
        fields = {i: geometry.flow(field) for i, field in fields.items()}
    return [np.concatenate([fields[i] for i in row], axis=2) for row in wanted]
