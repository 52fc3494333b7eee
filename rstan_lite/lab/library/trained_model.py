"""A finished training as an object: videos in, names and attention out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from rstan_lite.lab.model_card import CARD
from rstan_lite.lab.predict import answer
from rstan_lite.lab.protocols import Checkpoint, open_checkpoint
from rstan_lite.model.output import RSTANOutput
from rstan_lite.system.errors import ConfigError
from rstan_lite.training.run_folder import save_model, write_config

if TYPE_CHECKING:
    from huggingface_hub import ModelHubMixin
else:
    try:
        from huggingface_hub import ModelHubMixin
    except ImportError:  # then folders alone can be saved and opened
        ModelHubMixin = object


@dataclass(frozen=True)
class Look:
    """Where a model looked in a video.

    frames: int64 (T,), the video's frames that are the T time steps.
    maps: by name (appearance, motion, fused), float32 (T, K, K): attention of each step on the
        places of its own frame, from the top left one of the crop. Empty without attention.
    """

    frames: np.ndarray
    maps: dict[str, np.ndarray]


class TrainedModel(ModelHubMixin):
    """A finished run, ready for videos and for tensors.

    network: the RSTAN, in evaluation mode on its device. classes: the names of its classes.
    config: the training's configuration.
    `save_pretrained` and `from_pretrained` write and open a folder that holds all that a prediction
    needs. With huggingface_hub they take a repository's name as well, and `push_to_hub` is there.
    """

    def __init__(self, run: Checkpoint):
        self._run, self._description = run, run.description
        self.config, self.network, self.classes = run.config, run.model, run.description.classes

    def __call__(self, cubes: Mapping[str, Tensor], vectors: Mapping[str, Tensor]) -> RSTANOutput:
        """The network's answer on features of your own, already divided by the run's scales.

        cubes[stream]: (B, T, P, d_cv).  vectors[stream]: (B, T, d_fc).  For errors see `RSTAN`.
        """
        output: RSTANOutput = self.network(cubes, vectors, head=self._description.head)
        return output

    def predict(self, video: str | Path, top: int = 5) -> dict[str, float]:
        """The `top` most probable classes of a video file, best first, with their probabilities.

        Raises DataError (video), CheckpointError (the run's networks), ConfigError (top).
        """
        if top < 1:
            raise ConfigError("top", str(top), "at least 1")
        _, probabilities, _ = answer(Path(video), self._run)
        return dict(list(probabilities.items())[:top])

    def attend(self, video: str | Path) -> Look:
        """Where the model looks in a video file. Raises as `predict` does."""
        inputs, _, maps = answer(Path(video), self._run)
        found = {}
        for name, of_steps in maps.items():
            side = round(of_steps.shape[-1] ** 0.5)  # K
            found[name] = of_steps.reshape(-1, side, side)
        return Look(inputs.order[inputs.numbers], found)

    def save_pretrained(self, save_directory: str | Path, **more: Any) -> Any:
        """Write a folder that opens on any machine: model, settings, card and the networks.

        more: of huggingface_hub's `save_pretrained`, where that is installed.
        """
        if ModelHubMixin is object:
            self._save_pretrained(Path(save_directory))
            return None
        return super().save_pretrained(save_directory, **more)

    def _save_pretrained(self, save_directory: Path) -> None:
        save_directory.mkdir(parents=True, exist_ok=True)
        card = self._run.folder / CARD
        for name in (CARD, "README.md") if card.is_file() else ():  # which the hub shows
            _copy(card, save_directory / name)
        networks = {}
        for stream, (path, digest) in self._description.networks.items():
            name = f"{stream}{Path(path).suffix}"
            _copy(Path(path), save_directory / name)
            networks[stream] = (name, digest)
        places = "root", "second_root", "cache", "appearance_weights", "motion_weights"
        here: dict[str, Any] = dict.fromkeys(places, "")  # of this machine: nobody else's
        here["input_weights"] = ()
        if self.config.flow_weights:
            here["flow_weights"] = f"flow{Path(self.config.flow_weights).suffix}"
            _copy(Path(self.config.flow_weights), save_directory / here["flow_weights"])
        write_config(save_directory, replace(self.config, **here))
        save_model(save_directory, self.network, replace(self._description, networks=networks))

    @classmethod
    def from_pretrained(cls, folder: str | Path, **more: Any) -> TrainedModel:  # type: ignore[override]
        """Open what `save_pretrained` wrote, or a repository of the hub by its name.

        more: device, see `load`; with huggingface_hub also its options, such as `revision`.
        Raises CheckpointError for a folder that is none.
        """
        if Path(folder).is_dir() or ModelHubMixin is object:
            return load(folder, **more)
        from huggingface_hub import snapshot_download

        device = more.pop("device", "auto")
        return load(snapshot_download(str(folder), **more), device)


def load(run: str | Path, device: str = "auto") -> TrainedModel:
    """Open a finished run, or a folder of `TrainedModel.save_pretrained`.

    run: the folder. device: auto, cpu or cuda.
    Raises CheckpointError for a folder that is no finished run, ConfigError, DeviceError.
    """
    folder = Path(run)
    found = open_checkpoint(folder, device)
    config, description = found.config, found.description
    if config.flow_weights:
        config = replace(config, flow_weights=_beside(folder, config.flow_weights))
    of_streams = description.networks.items()
    networks = {stream: (_beside(folder, path), digest) for stream, (path, digest) in of_streams}
    description = replace(description, networks=networks)
    return TrainedModel(replace(found, config=config, description=description))


def _beside(folder: Path, path: str) -> str:
    """A network's file: beside the model where it was saved with it, else as the run named it."""
    return str(folder / path) if (folder / path).is_file() else path  # an absolute one stays


def _copy(source: Path, target: Path) -> None:
    with suppress(shutil.SameFileError):
        shutil.copyfile(source, target)
