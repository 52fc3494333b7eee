"""A jointed body that moves: poses over time, where the joints are, clocks and keyframes.

Lengths are in units of the person's height. The person's frame: x forward, y up, z to the
person's right; the ground is y = 0. Index 0 of a pair is the right side, 1 the left side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from scipy.interpolate import PchipInterpolator

from .painting import Array, Part, table

SIDE = np.array([1.0, -1.0])  # z sign of right, left
ANKLE = 0.04  # height of an ankle over the sole
HIP_HALF, SHOULDER_HALF = 0.055, 0.105
SPINE, THIGH, SHIN, UPPER_ARM, FOREARM = 0.29, 0.245, 0.245, 0.165, 0.15
HAND, FOOT = 0.055, 0.10
STANDING = 0.52  # pelvis height of a relaxed stance
AXES = {"x": 0, "y": 1, "z": 2, "forward": 0, "right": 1, "twist": 2, "nod": 0, "turn": 1}

# JHMDB's fifteen joints, in its order.
JHMDB_JOINTS = (
    "neck", "belly", "face", "r_shoulder", "l_shoulder", "r_hip", "l_hip", "r_elbow", "l_elbow",
    "r_knee", "l_knee", "r_wrist", "l_wrist", "r_ankle", "l_ankle",
)  # fmt: skip


@dataclass
class Pose:
    """A movement of F frames, as the things an animator thinks of.

    pelvis: (F, 3) position. turn: (F,) rotation of the body about y, to the right > 0. lean: (F, 3)
    of the trunk: forward, to the right, twist to the right; radians. head: (F, 2) nod (down > 0)
    and turn (right > 0). hands: (F, 2, 3) wrists: offsets from the own shoulder in the chest's
    frame, or positions in the person's frame if `hands_world`. elbows: (F, 2, 3) where they point,
    in the chest's frame. feet: (F, 2, 3) ankle positions. toes: (F, 2) toe pitch, up > 0.
    """

    pelvis: Array
    turn: Array
    lean: Array
    head: Array
    hands: Array
    elbows: Array
    feet: Array
    toes: Array
    hands_world: bool = False

    @classmethod
    def idle(cls, n_frames: int) -> Self:
        """Stand with hanging arms for `n_frames` frames."""
        f, both = n_frames, np.zeros((n_frames, 2, 3))
        hands = both + np.array([[0.04, -0.29, 0.03], [0.04, -0.29, -0.03]])
        elbows = both + np.array([[-0.8, -0.3, 0.5], [-0.8, -0.3, -0.5]])
        feet = both + np.array([[0.0, ANKLE, 0.065], [0.0, ANKLE, -0.065]])
        pelvis, lean = np.tile([0.0, STANDING, 0.0], (f, 1)), np.zeros((f, 3))
        head, toes = np.zeros((f, 2)), np.zeros((f, 2))
        return cls(pelvis, np.zeros(f), lean, head, hands, elbows, feet, toes)

    def follow(self, action: str, at: Array, /, **named: object) -> dict[str, Array]:
        """Move along an action's keyframes in `actions.toml`; returns the curves besides the pose.

        at: (F,) position in the curves. named: the values that the keyframes call by name.
        """
        others = {}
        for name, frames in table("actions")[action]["keyframes"].items():
            part, *places = name.removeprefix("+").split()
            if part not in self.__dataclass_fields__:
                others[name] = keys(at, *_filled(frames, named))
                continue
            path = getattr(self, part)
            for place in places:
                path = path[:, "rl".index(place)] if place in "rl" else path[..., AXES[place]]
            curve = keys(at, *_filled(frames, {"idle": path[0], **named}))
            path[:] = path + curve if name.startswith("+") else curve
        return others


def _filled(value: Any, named: Mapping[str, object]) -> Any:
    """A value of a keyframe, or tuples of them, with what it calls by name."""
    if isinstance(value, tuple):
        return [_filled(one, named) for one in value]
    return named[value] if isinstance(value, str) else value


@dataclass
class Skeleton:
    """Where the joints are: each entry is (F, 3) in the person's frame.

    frames: rotation matrices (F, 3, 3) of "pelvis", "chest" and "head", columns = x, y, z axes.
    """

    joints: dict[str, Array]
    frames: dict[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.joints[name]

    def along(self, frame: str, offset: tuple[float, float, float]) -> Array:
        """Return `offset`, given in a body frame, as vectors (F, 3) of the person's frame."""
        return self.frames[frame] @ np.asarray(offset)


def rotation(yaw: Array, pitch: Array, roll: Array) -> Array:
    """Rotation matrices (F, 3, 3): turn right by yaw, then lean forward, then lean right."""
    c, s = np.cos(yaw), np.sin(yaw)
    zero, one = np.zeros_like(c), np.ones_like(c)
    turn = np.stack([c, zero, -s, zero, one, zero, s, zero, c], -1).reshape(-1, 3, 3)
    c, s = np.cos(pitch), np.sin(pitch)
    forward = np.stack([c, s, zero, -s, c, zero, zero, zero, one], -1).reshape(-1, 3, 3)
    c, s = np.cos(roll), np.sin(roll)
    side = np.stack([one, zero, zero, zero, c, -s, zero, s, c], -1).reshape(-1, 3, 3)
    return turn @ forward @ side


def bend(
    root: Array, target: Array, first: float, second: float, pole: Array
) -> tuple[Array, Array]:
    """Two-bone inverse kinematics: the middle joint and the reached end, both (F, 3).

    The middle joint points towards `pole`; a target out of reach is approached as far as
    the bones allow.
    """
    reach = target - root
    length = np.linalg.norm(reach, axis=-1, keepdims=True)
    down = np.array([0.0, -1.0, 0.0])
    direction = np.where(length > 1e-6, reach / np.maximum(length, 1e-6), down)
    length = np.clip(length, abs(first - second) + 1e-3, (first + second) * 0.999)
    along = (length**2 + first**2 - second**2) / (2 * length)
    height = np.sqrt(np.maximum(first**2 - along**2, 0.0))
    side = pole - (pole * direction).sum(-1, keepdims=True) * direction
    size = np.linalg.norm(side, axis=-1, keepdims=True)
    axis = np.where(np.abs(direction[..., :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    other = np.cross(direction, axis)  # where the pole leaves the plane open, any will do
    other /= np.linalg.norm(other, axis=-1, keepdims=True)
    side = np.where(size > 1e-6, side / np.maximum(size, 1e-6), other)
    return root + along * direction + height * side, root + length * direction


def solve(pose: Pose) -> Skeleton:
    """Turn a pose into joint positions: neck, head, shoulders, elbows, wrists, fingers, ..."""
    zero = np.zeros_like(pose.turn)
    pelvis_frame = rotation(pose.turn, zero, zero)
    chest = rotation(pose.turn + pose.lean[:, 2], pose.lean[:, 0], pose.lean[:, 1])
    head = chest @ rotation(pose.head[:, 1], pose.head[:, 0], zero)
    neck = pose.pelvis + chest @ np.array([0.0, SPINE, 0.0])
    belly = pose.pelvis + chest @ np.array([0.0, SPINE * 0.35, 0.0])
    face = neck + chest @ np.array([0.0, 0.05, 0.0]) + head @ np.array([0.02, 0.055, 0.0])
    joints = {"pelvis": pose.pelvis, "neck": neck, "belly": belly, "face": face}
    for i, side in enumerate("rl"):
        hip = pose.pelvis + pelvis_frame @ np.array([0.0, -0.01, SIDE[i] * HIP_HALF])
        pole = pelvis_frame @ np.array([1.0, 0.1, SIDE[i] * 0.12])
        knee, ankle = bend(hip, pose.feet[:, i], THIGH, SHIN, pole)
        pitch = pose.toes[:, i]
        toe = np.stack([np.cos(pitch), np.sin(pitch) - 0.25, zero + SIDE[i] * 0.18], -1)
        toe = ankle + FOOT * np.einsum("fij,fj->fi", pelvis_frame, toe)
        shoulder = neck + chest @ np.array([0.0, -0.02, SIDE[i] * SHOULDER_HALF])
        target = pose.hands[:, i]
        if not pose.hands_world:
            target = shoulder + np.einsum("fij,fj->fi", chest, target)
        pole = np.einsum("fij,fj->fi", chest, pose.elbows[:, i])
        elbow, wrist = bend(shoulder, target, UPPER_ARM, FOREARM, pole)
        fingers = wrist + (wrist - elbow) / FOREARM * HAND
        limbs = {"hip": hip, "knee": knee, "ankle": ankle, "toe": toe}
        limbs |= {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "fingers": fingers}
        joints |= {f"{side}_{name}": path for name, path in limbs.items()}
    return Skeleton(joints, {"pelvis": pelvis_frame, "chest": chest, "head": head})


FPS = 30


@dataclass(frozen=True)
class Clock:
    """When the action happens within a clip of F frames.

    seconds: (F,) since the onset, negative before it. progress: (F,) 0 before the onset, 1 after
    the end. weight: (F,) 1 while the action is on, 0 in the idle parts, eased between.
    """

    seconds: Array
    progress: Array
    weight: Array

    @classmethod
    def over(cls, n_frames: int, onset: float, end: float) -> Self:
        """Let the action run from frame `onset` to frame `end` (fractions of a frame allowed)."""
        frame = np.arange(n_frames, dtype=np.float64)
        progress = np.clip((frame - onset) / (end - onset), 0.0, 1.0)
        weight = ease((frame - onset + 1.0) / 5.0) * ease((end - frame + 1.0) / 5.0)
        return cls((frame - onset) / FPS, progress, weight)

    def __len__(self) -> int:
        return len(self.seconds)


@dataclass
class Performance:
    """What an action function returns: the pose over time and the props it is done with."""

    pose: Pose
    props: list[Part] = field(default_factory=list)
    skeleton: Skeleton = field(init=False)

    def __post_init__(self) -> None:
        self.skeleton = solve(self.pose)

    def with_props(self, *props: Part) -> Self:
        """The same with further props."""
        self.props += props
        return self


def points(*coordinates: Array | float) -> Array:
    """Points (F, 2 or 3) from coordinates, each (F,) or one number for all frames."""
    return np.stack(np.broadcast_arrays(*coordinates), -1)


def ease(x: Array) -> Array:
    """Rise smoothly from 0 to 1 while x goes from 0 to 1."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def keys(at: Array, *frames: tuple[float, object]) -> Array:
    """Interpolate keyframes (position, value) at `at`, without overshoot; scalars or vectors.

    The movement starts and ends at rest.
    """
    first, last = frames[0], frames[-1]
    rests = [(first[0] - 0.1, first[1]), *frames, (last[0] + 0.1, last[1])]
    positions = np.array([k[0] for k in rests])
    values = np.array([k[1] for k in rests], dtype=np.float64)
    return PchipInterpolator(positions, values, axis=0)(np.clip(at, first[0], last[0]))


def blend(start: Array, end: Array, weight: Array) -> Array:
    """Go from `start` to `end` by a weight (F,); both broadcast to (F, ...)."""
    shape = (len(weight),) + (1,) * (max(start.ndim, end.ndim) - 1)
    w = weight.reshape(shape)
    return start * (1.0 - w) + end * w


def flight(
    clock: Clock, release: float, held: Array, target: Sequence[float], seconds: float, drop: float
) -> Array:
    """Path (F, 3) of a thing that is held until progress `release`, then flies.

    It passes `target` after `seconds`, on an arc that bulges upwards by `drop`.
    """
    free = clock.progress >= release
    if not free.any():
        return held
    first = int(np.argmax(free))
    start = held[max(first - 1, 0)]
    since = (np.arange(len(clock)) - first + 1) / FPS / seconds
    path = start + (np.asarray(target) - start) * since[:, None]
    path[:, 1] += 4.0 * drop * since * (1.0 - since)
    path[:, 1] = np.maximum(path[:, 1], 0.04)
    return np.where(free[:, None], path, held)
