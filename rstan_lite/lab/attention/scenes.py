"""A clip's arrays and what checkpoints make of it, from finished runs and clips or video files."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import Geometry, view
from rstan_lite.features.flow import decode
from rstan_lite.lab import predict
from rstan_lite.lab.protocols import Checkpoint
from rstan_lite.model import RSTANOutput
from rstan_lite.system.errors import ConfigError, DataError

FUSED = "fused"
MOST_UPLOADED = 9 * 2**20  # bytes: Jupyter's server drops messages of more than 10 MiB


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
        found = np.flatnonzero(self.valid[step] & (self.frames[step] == frame))
        return int(found[0]) if len(found) else None

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

    action: the clip's true one, "" where that is not known. film: (T, H, W, 3) uint8. flow: (T, h,
    w, 2), from each sampled frame to the next one of the video, pixels a frame. masks: (T, H, W),
    None without silhouettes. numbers: (T,), the frames' places among the n_frames of the video.
    crop: what the networks see. classes: names of scores.
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

    @property
    def steps(self) -> int:
        """T."""
        return len(self.film)

    @cached_property
    def most(self) -> float:
        """The largest weight of a frame, at any step of any checkpoint."""
        return max((float(b.max()) for look in self.looks for b in look.beta.values()), default=1.0)

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
    maps, weights = (
        {row: tensor[0].float().cpu().numpy() for row, tensor in rows.items()}
        for rows in (alpha, beta)
    )
    return Look(name, maps, weights, frames, valid, scores)


def scene_of(
    read: Callable[[Checkpoint], predict.VideoInputs], checkpoints: Mapping[str, Checkpoint],
    title: str, action: str = "",
) -> Scene:  # fmt: skip
    """What checkpoints make of a video. read, errors: see `predict.run_checkpoints`."""
    inputs, outputs = predict.run_checkpoints(read, checkpoints)
    looks = tuple(look_of(output, name) for name, output in outputs.items())
    first = next(iter(checkpoints.values()))
    arrays = {name: tensor.numpy() for name, tensor in inputs.tensors.items()}
    film, pairs = arrays["frames"], np.minimum(arrays["index"], len(arrays["flow"]) - 1)
    crop = view(first.config.views[0], film.shape[1:3], first.config.size)
    clip = film, decode(arrays["flow"][pairs]), arrays.get("masks"), inputs.numbers
    return Scene(title, action, *clip, len(inputs.order), crop, first.description.classes, looks)


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
        return list(dict.fromkeys((*self.clips, *self._scenes)))

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

            def read(one: Checkpoint) -> predict.VideoInputs:
                return predict.clip_inputs(frames, masks, one.config, clip.path)

            self._scenes[title] = scene_of(read, self.checkpoints, title, clip.action)
        return self._scenes[title]

    def add(self, path: str | Path, title: str = "") -> str:
        """Take a video file; its title, to be asked for by `scene`, is returned.

        What was there stays whatever happens: DataError for a file that is no video, damaged, of a
        single frame, or too long.
        """
        video, name = Path(path), title or Path(path).name
        numbered = (f"{name} ({number})" for number in count(2))
        title = next(free for free in chain([name], numbered) if free not in self.titles)

        def read(one: Checkpoint) -> predict.VideoInputs:
            return predict.read_inputs(video, one.config, one.description)

        self._scenes[title] = scene_of(read, self.checkpoints, title)
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


def one_of_each(clips: Sequence[Clip], most: int = 24) -> dict[str, Clip]:
    """The first clip of each action, by a title that says which: "golf, test clip 3"."""
    first: dict[str, tuple[int, Clip]] = {}
    for number, clip in enumerate(clips, start=1):
        first.setdefault(clip.action, (number, clip))
    chosen = list(first.items())[:most]
    return {f"{action}, test clip {number}": clip for action, (number, clip) in chosen}
