"""A finished training as an object: videos in, names and attention out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from rstan_lite.lab.model_card import CARD
from rstan_lite.lab.predict import diagonal_maps, read_inputs, run_model, video_features
from rstan_lite.model.output import RSTANOutput, last_step
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.files import write_atomically
from rstan_lite.training.config import TrainConfig, read_config
from rstan_lite.training.run_folder import CONFIG, Description, load_model, save_model

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

    def __init__(self, folder: Path, config: TrainConfig, description: Description, network: Any):
        self._folder, self._description = folder, description
        self.config, self.network, self.classes = config, network, description.classes

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
        scores = last_step(self._run(video)[1].logits).float().softmax(-1)[0].cpu()  # (C,)
        best = scores.argsort(descending=True)[:top].tolist()
        return {self.classes[i]: float(scores[i]) for i in best}

    def attend(self, video: str | Path) -> Look:
        """Where the model looks in a video file. Raises as `predict` does."""
        frames, output = self._run(video)
        found = {}
        for name, maps in diagonal_maps(output).items():
            side = round(maps.shape[-1] ** 0.5)  # K
            found[name] = maps[0].float().cpu().numpy().reshape(-1, side, side)
        return Look(frames, found)

    def _run(self, video: str | Path) -> tuple[np.ndarray, RSTANOutput]:
        inputs = read_inputs(Path(video), self.config, self._description)
        where = choose_device(self.config.device)
        features = video_features(inputs, self.config, self._description, where)
        output = run_model(self.network, features, self._description.head, self.config)
        return inputs.order[inputs.numbers], output

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
        card = self._folder / CARD
        for name in (CARD, "README.md") if card.is_file() else ():  # which the hub shows
            _copy(card, save_directory / name)
        networks = {}
        for stream, (path, digest) in self._description.networks.items():
            name = f"{stream}{Path(path).suffix}"
            _copy(Path(path), save_directory / name)
            networks[stream] = (name, digest)
        here: dict[str, Any] = {
            "root": "",
            "second_root": "",
            "cache": "",
        }  # of this machine: nobody else's
        here |= {"appearance_weights": "", "motion_weights": ""}
        if self.config.flow_weights:
            here["flow_weights"] = f"flow{Path(self.config.flow_weights).suffix}"
            _copy(Path(self.config.flow_weights), save_directory / here["flow_weights"])
        write_atomically(save_directory / CONFIG, replace(self.config, **here).to_json().encode())
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
    folder, where = Path(run), choose_device(device)
    if not folder.is_dir():
        raise CheckpointError(folder, "no such folder", "the folder of a finished run")
    network, description = load_model(folder)
    config = replace(read_config(folder / CONFIG), device=device)
    if config.flow_weights:
        config = replace(config, flow_weights=str(_beside(folder, config.flow_weights)))
    networks = {
        stream: (str(_beside(folder, path)), digest)
        for stream, (path, digest) in description.networks.items()
    }
    return TrainedModel(folder, config, replace(description, networks=networks), network.to(where))


def _beside(folder: Path, path: str) -> Path:
    """A network's file: beside the model where it was saved with it, else as the run named it."""
    return folder / path if (folder / path).is_file() else Path(path)  # an absolute one stays


def _copy(source: Path, target: Path) -> None:
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)
