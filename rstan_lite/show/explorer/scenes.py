"""What the explorer shows: one clip's arrays, and what one or several checkpoints make of it.

A scene is made of finished runs and a clip of their data set, or any video file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import Geometry, view
from rstan_lite.features.flow import decode
from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.lab import predict
from rstan_lite.model import RSTAN, RSTANOutput
from rstan_lite.show.frames import common_peak, full_speed
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.training.config import TrainConfig, read_config
from rstan_lite.training.run_folder import CONFIG, Description, load_model

FUSED = "fused"
MOST_UPLOADED = 9 * 2**20  # bytes: Jupyter's server drops messages of more than 10 MiB
COLUMNS = 4  # frames beside one another in a figure, as in the paper
SAME = ("stored_frames", "test_frames", "views", "size")  # so that runs share steps and places
_DISCUS = ("ThrowDiscus", "throw", "golf", "swing_baseball", "swing", "climb_stairs")
_EARLY, _LATE = (f"streams and fusion; {when} in the paper" for when in ("early", "late"))
_BOTH = "without and with silhouettes"
_DRIBBLE = ("dribble", "shoot_ball", "kick_ball", "run", "wave")


@dataclass(frozen=True, eq=False)
class Look:
    """What one checkpoint makes of a clip: its attention and its answers at each of T steps.

    alpha, beta: stream, or "fused", -> (T, N, P) and (T, N) of Eq. 3 and 14, and 6 and 15; empty
    for a model without attention. frames: (T, N), the sampled frame in each of a step's N slots;
    valid: (T, N), False in slots past the end. scores: (T, C), the softmax of Eq. 16.
    """

    name: str
    alpha: Mapping[str, NDArray]
    beta: Mapping[str, NDArray]
    frames: NDArray
    valid: NDArray
    scores: NDArray

    def __post_init__(self) -> None:
        shape = (len(self.scores), *self.frames.shape[1:])
        fits = self.frames.shape == self.valid.shape == shape
        fits = fits and all(alpha.shape[:2] == shape for alpha in self.alpha.values())
        fits = fits and all(beta.shape == shape for beta in self.beta.values())
        if not fits or self.alpha.keys() != self.beta.keys():
            raise ValueError(f"{self.name}: alpha, beta, frames and scores of other steps or slots")

    @property
    def rows(self) -> tuple[str, ...]:
        """The streams, and "fused" where there is one map of both."""
        return tuple(self.alpha)

    @property
    def main(self) -> str:
        """The map that the model goes by: the fused one, or the first stream's; "" for none."""
        return FUSED if FUSED in self.alpha else next(iter(self.alpha), "")

    def slot(self, step: int, frame: int) -> int | None:
        """The slot in which step t looks at a sampled frame, both from 0; None where it doesn't."""
        return self._slots.get((step, frame))

    @cached_property
    def _slots(self) -> dict[tuple[int, int], int]:
        """The first slot of each step and frame that has one."""
        slots = zip(*np.nonzero(self.valid), strict=True)
        return {(int(t), int(self.frames[t, n])): int(n) for t, n in reversed([*slots])}

    def map(self, row: str, step: int, frame: int) -> NDArray | None:
        """The map (P,) of a step over a sampled frame; None where it doesn't look at it."""
        slot = self.slot(step, frame)
        return None if slot is None or row not in self.alpha else self.alpha[row][step, slot]

    def weight(self, row: str, step: int, frame: int) -> float | None:
        """The weight beta of a sampled frame at a step; None where it doesn't look at it."""
        slot = self.slot(step, frame)
        return None if slot is None or row not in self.beta else float(self.beta[row][step, slot])


@dataclass(frozen=True, eq=False)
class Scene:
    """A clip's T sampled frames, and what checkpoints make of them.

    title: what is said of the clip. action: its true name, "" where that is not known.
    film: (T, H, W, 3) uint8. flow: (T, h, w, 2), from each sampled frame to the next one of the
    video, pixels a frame. masks: (T, H, W), None without silhouettes. numbers: (T,), the frames'
    places among the n_frames of the video. crop: what the networks see. classes: names of scores.
    """

    title: str
    action: str
    film: NDArray[np.uint8]
    flow: NDArray
    masks: NDArray | None
    numbers: NDArray
    n_frames: int
    crop: Geometry
    classes: tuple[str, ...]
    looks: tuple[Look, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.film), len(self.flow), len(self.numbers)}
        lengths |= {len(look.scores) for look in self.looks}
        if self.masks is not None:
            lengths.add(len(self.masks))
        if len(lengths) > 1 or not self.looks:
            raise ValueError(f"{self.title}: arrays of {sorted(lengths)} steps, or no checkpoint")
        if any(look.scores.shape[1] != len(self.classes) for look in self.looks):
            raise ValueError(f"{self.title}: scores of another number than {len(self.classes)}")

    @property
    def steps(self) -> int:
        """T."""
        return len(self.film)

    @cached_property
    def peak(self) -> float:
        """The weight of a place that all maps of all checkpoints draw at full strength."""
        maps = [m for look in self.looks for a in look.alpha.values() for m in a[look.valid]]
        return common_peak(maps) if maps else 1.0

    @cached_property
    def most(self) -> float:
        """The largest weight of a frame, at any step of any checkpoint."""
        every = [float(b.max()) for look in self.looks for b in look.beta.values()]
        return max(every, default=1.0)

    @cached_property
    def speed(self) -> float:
        """The flow drawn in full colour, pixels a frame."""
        return full_speed(self.flow)

    @cached_property
    def person(self) -> NDArray | None:
        """(T, P) bool: the places of the silhouettes (Eq. 18); None without silhouettes or maps."""
        sides = {a.shape[-1] for look in self.looks for a in look.alpha.values()}
        if self.masks is None or not sides:
            return None
        seen = np.stack([self.crop.mask(mask) for mask in self.masks])
        return target(seen, round(float(np.sqrt(sides.pop())))) > 0

    def share(self, look: Look, step: int) -> float | None:
        """The share of a step's map over its own frame that lies on the person; None if unknown."""
        alpha = look.map(look.main, step, step)
        if alpha is None or self.person is None or not self.person[step].any():
            return None
        return float(alpha[self.person[step]].sum() / alpha.sum())


@dataclass(frozen=True)
class Preset:
    """One of the paper's pictures of attention: what it shows, and of which action.

    kind: "steps": the map that the model goes by, a row a step, a column a frame; "streams": the
    streams' maps and the fused one over the frames, for each of some steps; "checkpoints": the map
    of each frame's own step, a row a checkpoint. action: what the paper's figure shows, whose clips
    are not at hand. others: actions in its place, nearest first. parts: of the COLUMNS frames,
    those whose steps are shown.
    """

    name: str
    about: str
    kind: Literal["steps", "streams", "checkpoints"]
    action: str
    others: tuple[str, ...]
    parts: tuple[int, ...] = tuple(range(COLUMNS))

    def choose(self, actions: Sequence[str]) -> int:
        """Which of some clips, given by their actions, fits best: the first where none does."""
        known = [action.lower() for action in actions]
        wanted = [name.lower() for name in (self.action, *self.others)]
        return next((known.index(name) for name in wanted if name in known), 0)

    def stand_in(self, action: str) -> str:
        """What to say where a clip's action is another than the figure's; "" where it is not."""
        if action.lower() == self.action.lower():
            return ""
        return f"{action or 'this video'} in the place of {self.action}"


PRESETS = (
    Preset("Fig. 1", "attention of four steps over four frames", "steps", "ThrowDiscus", _DISCUS),
    Preset("Fig. 5, Pick", _BOTH, "checkpoints", "pick", ("sit", "jump")),
    Preset("Fig. 5, SwingBaseball", _BOTH, "checkpoints", "swing_baseball", ("golf", "kick_ball")),
    Preset("Fig. 7", _EARLY, "streams", "ThrowDiscus", _DISCUS, (0, 1)),
    Preset("Fig. 8", _LATE, "streams", "ThrowDiscus", _DISCUS, (2, 3)),
    Preset("Fig. 9", _EARLY, "streams", "Dribble", _DRIBBLE, (0, 1)),
    Preset("Fig. 10", _LATE, "streams", "Dribble", _DRIBBLE, (2, 3)),
)


def positions(steps: int) -> list[int]:
    """Steps, counted from 0, that are spread evenly from the first to the last of T."""
    chosen = min(steps, COLUMNS)
    return [round(i * (steps - 1) / max(1, chosen - 1)) for i in range(chosen)]


def with_step(chosen: Sequence[int], step: int) -> list[int]:
    """The chosen steps, the one nearest to a step replaced by it, in order; of none, the step."""
    if not chosen:
        return [step]
    nearest = min(range(len(chosen)), key=lambda i: (abs(chosen[i] - step), i))
    return sorted({*chosen[:nearest], step, *chosen[nearest + 1 :]})


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The chosen model of a finished run, and what belongs to it."""

    folder: Path
    config: TrainConfig
    model: RSTAN
    description: Description


def open_checkpoints(runs: Mapping[str, str | Path], device: str = "auto") -> dict[str, Checkpoint]:
    """The checkpoints of named runs, to be shown beside one another.

    Raises CheckpointError (damaged or unfinished run), ConfigError (no run; runs that differ in the
    frames or the crop that they test on), DataError (runs with other classes), DeviceError.
    """
    where, found = choose_device(device), {}
    for name, folder in runs.items():
        model, description = load_model(Path(folder))
        config = replace(read_config(Path(folder) / CONFIG), device=device)
        found[name] = Checkpoint(Path(folder), config, model.to(where), description)
    if not found:
        raise ConfigError("runs", "none", "at least one finished run's folder")
    first, *others = found.values()
    for other in others:
        for option in SAME:
            mine, theirs = (getattr(c.config, option) for c in (first, other))
            if mine != theirs:
                where_ = f"{other.folder}, {option}"
                raise ConfigError(where_, str(theirs), f"{mine}, as in {first.folder}")
        if other.description.classes != first.description.classes:
            theirs, mine = len(other.description.classes), len(first.description.classes)
            found_ = f"{theirs} classes that are not all the other run's"
            raise DataError(other.folder, found_, f"the {mine} classes of {first.folder}")
    return found


def look_of(output: RSTANOutput, name: str) -> Look:
    """The arrays of a model's output for one video, made with return_attention=True."""
    scores = output.logits[0].float().softmax(-1).cpu().numpy()
    attention = output.attention
    if attention is None:
        none = np.zeros((len(scores), 0), np.int64)
        return Look(name, {}, {}, none, none.astype(bool), scores)
    alpha, beta = dict(attention.alpha_stream), dict(attention.beta_stream)
    if attention.alpha is not None and attention.beta is not None and len(alpha) > 1:
        alpha[FUSED], beta[FUSED] = attention.alpha, attention.beta
    frames, valid = attention.frames.cpu().numpy(), attention.frames_valid.cpu().numpy()
    return Look(name, _arrays(alpha), _arrays(beta), frames, valid, scores)


def _arrays(tensors: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor[0].float().cpu().numpy() for name, tensor in tensors.items()}


def scene_of(
    read: Callable[[Checkpoint], predict.VideoInputs],
    checkpoints: Mapping[str, Checkpoint],
    title: str,
    action: str = "",
) -> Scene:
    """Run checkpoints on a video, as `rstan-lite predict` does.

    read: makes the inputs of a checkpoint's networks. Runs whose features are made alike share
    them. Raises DataError (a video of one frame, or too small), CheckpointError (networks that
    changed).
    """
    looks: list[Look] = []
    shared: dict[tuple[Any, ...], ClipFeatures] = {}
    first = next(iter(checkpoints.values()))
    inputs = read(first)
    where = choose_device(first.config.device)
    for name, one in checkpoints.items():
        config, about = one.config, one.description
        key = (config.flow, config.flow_weights, config.camera, config.streams, config.backbone,
               config.motion_backbone, config.motion_size, str(about.networks),
               about.short_side)  # fmt: skip
        if key not in shared:
            own = inputs if not shared else read(one)
            shared[key] = predict.video_features(own, config, about, where)
        features = replace(shared[key], scales=about.scales, classes=about.classes)
        looks.append(look_of(predict.run_model(one.model, features, about.head, config), name))
    arrays = {name: tensor.numpy() for name, tensor in inputs.tensors.items()}
    film, pairs = arrays["frames"], np.minimum(arrays["index"], len(arrays["flow"]) - 1)
    crop = view(first.config.views[0], film.shape[1:3], first.config.size)
    clip = film, decode(arrays["flow"][pairs]), arrays.get("masks"), inputs.numbers
    classes = first.description.classes
    return Scene(title, action, *clip, len(inputs.order), crop, classes, tuple(looks))


class Stage:
    """Clips and videos by title, and their scenes, each made when it is first asked for.

    checkpoints: see `open_checkpoints`. dataset, clips: whose clips to show, with their titles.
    """

    def __init__(
        self, checkpoints: Mapping[str, Checkpoint], dataset: ClipDataset, clips: Mapping[str, Clip]
    ) -> None:
        if not clips:
            raise ConfigError("clips", "none", "at least one clip to show")
        self.checkpoints, self.dataset, self.clips = dict(checkpoints), dataset, dict(clips)
        self.steps = next(iter(self.checkpoints.values())).config.test_frames
        self._scenes: dict[str, Scene] = {}

    @property
    def titles(self) -> list[str]:
        """All that can be shown: the clips, then the videos that were added."""
        return [*self.clips, *(title for title in self._scenes if title not in self.clips)]

    @property
    def names(self) -> list[str]:
        """The checkpoints' names."""
        return list(self.checkpoints)

    def action(self, title: str) -> str:
        """The true action of a title, "" for a video that was added."""
        return self.clips[title].action if title in self.clips else ""

    def scene(self, title: str) -> Scene:
        """The scene of a title. Raises as `scene_of`, and DataError for a damaged clip."""
        if title not in self._scenes:
            clip = self.clips[title]
            frames, masks = self.dataset.frames(clip), None
            if self.dataset.has_silhouettes:
                masks = self.dataset.silhouettes(clip, frames)
            self._scenes[title] = scene_of(
                lambda one: predict.clip_inputs(frames, masks, one.config),
                self.checkpoints, title, clip.action,
            )  # fmt: skip
        return self._scenes[title]

    def add(self, path: str | Path, title: str = "") -> str:
        """Take a video file; its title, to be asked for by `scene`, is returned.

        What was there stays whatever happens: DataError for a file that is no video, damaged, of a
        single frame, or too long.
        """
        video, title = Path(path), self._free(title or Path(path).name)
        self._scenes[title] = scene_of(
            lambda one: predict.read_inputs(video, one.config, one.description),
            self.checkpoints, title,
        )  # fmt: skip
        return title

    def upload(self, name: str, content: bytes | memoryview) -> str:
        """`add` for a file's content; DataError also for more than MOST_UPLOADED bytes."""
        name = Path(name).name or "video"
        if len(content) > MOST_UPLOADED:
            found = f"{len(content) / 2**20:.1f} MiB"
            hint = "Name it by the parameter `video` instead, or cut it."
            raise DataError(name, found, f"{MOST_UPLOADED >> 20} MiB at most", hint)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"video{Path(name).suffix}"
            path.write_bytes(content)
            try:
                return self.add(path, name)
            except DataError as error:  # named as the reader knows it
                found = error.found.replace(str(path), name)
                raise DataError(name, found, error.expected, error.hint) from error

    def _free(self, title: str) -> str:
        """A title that is not taken yet."""
        numbered = chain([title], (f"{title} ({number})" for number in count(2)))
        return next(name for name in numbered if name not in self.titles)


def one_of_each(clips: Sequence[Clip], most: int = 24) -> dict[str, Clip]:
    """The first clip of each action, by a title that says which: "golf, test clip 3"."""
    first: dict[str, tuple[int, Clip]] = {}
    for number, clip in enumerate(clips, start=1):
        first.setdefault(clip.action, (number, clip))
    chosen = list(first.items())[:most]
    return {f"{action}, test clip {number}": clip for action, (number, clip) in chosen}
