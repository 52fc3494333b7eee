"""From finished runs and clips, or any video file, to scenes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rstan_lite.data.transforms import view
from rstan_lite.data.video import read_frames
from rstan_lite.show.explorer.scene import FUSED, Look, Scene
from rstan_lite.system.errors import ConfigError, DataError

if TYPE_CHECKING:
    import torch

    from rstan_lite.data.clips import Clip, ClipDataset
    from rstan_lite.model.output import RSTANOutput
    from rstan_lite.model.rstan import RSTAN
    from rstan_lite.training.batches import ClipFeatures
    from rstan_lite.training.config import TrainConfig
    from rstan_lite.training.run_folder import Description

MOST_UPLOADED = 9 * 2**20  # bytes: Jupyter's server drops messages of more than 10 MiB
MOST_DECODED = 2**30  # bytes of a video's frames
SAME = ("stored_frames", "test_frames", "views", "size")  # so that runs share steps and places


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
    from rstan_lite.system.devices import choose_device
    from rstan_lite.training.config import read_config
    from rstan_lite.training.run_folder import CONFIG, load_model

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
            raise DataError(
                other.folder,
                f"{len(other.description.classes)} classes that are not all the other run's",
                f"the {len(first.description.classes)} classes of {first.folder}",
            )
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
    frames: np.ndarray,
    masks: np.ndarray | None,
    checkpoints: Mapping[str, Checkpoint],
    title: str,
    action: str = "",
) -> Scene:
    """Run checkpoints on a video, as `rstan-lite predict` does.

    frames: all of the video, uint8 RGB (F, H, W, 3). masks: (F, H, W), None where not known.
    Runs whose features are made alike share them. Raises DataError (a video of one frame, or too
    small), CheckpointError (networks that changed).
    """
    from rstan_lite.features.flow import decode
    from rstan_lite.lab import predict
    from rstan_lite.system.devices import choose_device

    looks: list[Look] = []
    shared: dict[tuple[Any, ...], ClipFeatures] = {}
    first = next(iter(checkpoints.values())).config
    where = choose_device(first.device)
    inputs = predict.video_inputs(frames, masks, first, where)
    for name, one in checkpoints.items():
        config, about = one.config, one.description
        key = (config.flow, config.flow_weights, config.camera, config.streams, config.backbone,
               config.motion_backbone, config.motion_size, str(about.networks))  # fmt: skip
        if key not in shared:
            own = inputs if not shared else predict.video_inputs(frames, None, config, where)
            shared[key] = predict.video_features(own, config, about, where)
        features = replace(shared[key], scales=about.scales, classes=about.classes)
        looks.append(look_of(predict.run_model(one.model, features, about.head, config), name))
    numbers = predict.sampled(inputs, first)
    return Scene(
        title,
        action,
        frames[numbers],
        decode(inputs["flow"].numpy())[np.minimum(numbers, len(frames) - 2)],
        None if masks is None else masks[numbers],
        numbers,
        len(frames),
        view(first.views[0], frames.shape[1:3], first.size),
        next(iter(checkpoints.values())).description.classes,
        tuple(looks),
    )


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
            self._scenes[title] = scene_of(frames, masks, self.checkpoints, title, clip.action)
        return self._scenes[title]

    def add(self, path: str | Path, title: str = "") -> str:
        """Take a video file; its title, to be asked for by `scene`, is returned.

        What was there stays whatever happens: DataError for a file that is no video, damaged, of a
        single frame, or more than MOST_DECODED bytes once decoded.
        """
        frames = read_frames(path, MOST_DECODED)
        title = self._free(title or Path(path).name)
        try:
            scene = scene_of(frames, None, self.checkpoints, title)
        except DataError as error:
            raise DataError(path, error.found, error.expected, error.hint) from error
        self._scenes[title] = scene
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
        taken, number, wanted = set(self.titles), 1, title
        while title in taken:
            number += 1
            title = f"{wanted} ({number})"
        return title


def one_of_each(clips: Sequence[Clip], most: int = 24) -> dict[str, Clip]:
    """The first clip of each action, by a title that says which: "golf, test clip 3"."""
    found: dict[str, Clip] = {}
    actions = set()
    for number, clip in enumerate(clips, start=1):
        if clip.action not in actions and len(found) < most:
            actions.add(clip.action)
            found[f"{clip.action}, test clip {number}"] = clip
    return found
