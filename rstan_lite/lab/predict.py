"""From any video file to the names of actions, and pictures of where the model looked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.sampling import equally_spaced
from rstan_lite.data.transforms import Geometry, view
from rstan_lite.data.video import read_frames
from rstan_lite.features.extraction import image_features, load_network
from rstan_lite.features.flow import estimator
from rstan_lite.features.inputs import clip_inputs, stream_images
from rstan_lite.features.networks import check_networks
from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.model.output import RSTANOutput, last_step
from rstan_lite.model.rstan import RSTAN
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import CheckpointError, ConfigError, DataError
from rstan_lite.system.reading import check_regular
from rstan_lite.training import run_folder
from rstan_lite.training.batches import ordered_batches
from rstan_lite.training.config import TrainConfig, read_config
from rstan_lite.training.parts import feature_settings
from rstan_lite.training.run_folder import Description, load_model


def predict(
    video: Path,
    run: Path,
    out: Path,
    top: int = 5,
    device: str = "auto",
    draw: Callable[[np.ndarray, np.ndarray, Geometry, str], Path] | None = None,
) -> dict[str, Any]:
    """Name the action of a video, and find the attention over its frames.

    video: any file that FFmpeg reads, of two frames or more. run: a finished run, whose networks
    must still be where they were. top: how many classes to return.
    draw: called with the video's frames (F, H, W, 3), for each frame the map (P,) of the nearest
    attended one, the crop that the map covers, and the map's name (appearance, motion, fused);
    it returns the file that it has drawn.
    Writes `<video's stem>-prediction.json` (all classes) into `out`.
    Returns classes (name to probability, best first), predictions and overlays (paths).
    Raises DataError (video), CheckpointError (run, networks), ConfigError, DeviceError.
    """
    if top < 1:
        raise ConfigError("--top", str(top), "at least 1")
    where = choose_device(device)
    check_regular(video, DataError, "a video")  # before the networks are loaded
    config = replace(read_config(run / run_folder.CONFIG), device=device)
    model, description = load_model(run)
    frames = read_frames(video)
    if len(frames) < 2:
        raise DataError(video, "one frame", "two or more: optical flow needs a pair")
    inputs = video_inputs(frames, None, config, where)
    features = video_features(inputs, config, description, where)
    output = run_model(model.to(where), features, description.head, config)
    scores = last_step(output.logits).float().softmax(-1)[0].cpu()  # (C,)
    if not bool(torch.isfinite(scores).all()):
        raise DataError(video, "features for which the scores are not finite", "finite scores")
    ranked = scores.argsort(descending=True).tolist()
    probabilities = {description.classes[i]: float(scores[i]) for i in ranked}

    chosen = sampled(inputs, config)
    seen = view(config.views[0], frames.shape[1:3], config.size)
    overlays = {}
    nearest = np.abs(np.arange(len(frames))[:, None] - chosen[None]).argmin(1)  # (F,)
    if draw is not None:
        for name, maps in diagonal_maps(output).items():
            of_frames = maps[0].float().cpu().numpy()[nearest]  # (F, P)
            overlays[name] = str(draw(frames, of_frames, seen, name))
    path = out / f"{video.stem}-prediction.json"
    answer = {
        "video": str(video),
        "decoded_frames": len(frames),
        "attended_frames": chosen.tolist(),
        "run": str(run),
        "classes": probabilities,
        "overlays": overlays,
        "versions": run_folder.versions(),
    }
    run_folder.write_json(path, answer)
    best = dict(list(probabilities.items())[:top])
    return {"classes": best, "predictions": str(path), "overlays": overlays}


def video_inputs(
    frames: np.ndarray, masks: np.ndarray | None, config: TrainConfig, device: torch.device
) -> dict[str, Tensor]:
    """What a configuration's networks take of a video, and its silhouettes; see `clip_inputs`.

    frames: uint8 RGB (F, H, W, 3). masks: uint8 (F, H, W), or None where they are not known.
    """
    flow = estimator(config.flow, config.flow_weights, device.type)
    return clip_inputs(frames, masks, config.stored_frames, flow, config.camera)


def sampled(inputs: Mapping[str, Tensor], config: TrainConfig) -> np.ndarray:
    """The frames of the video that a test's T time steps are, int64 (T,)."""
    index: np.ndarray = inputs["index"].numpy()
    return index[equally_spaced(config.stored_frames, config.test_frames)]


def video_features(
    inputs: Mapping[str, Tensor],
    config: TrainConfig,
    description: Description,
    device: torch.device,
) -> ClipFeatures:
    """A video's features as those of a data set's one clip, from its `video_inputs`.

    The label is a placeholder, the silhouette empty. Raises CheckpointError where the run's
    networks or streams are others than its description says.
    """
    if set(description.model["streams"]) != set(config.streams):
        raise CheckpointError(
            "checkpoint.json",
            f"a model of {', '.join(description.model['streams'])}",
            f"one of {', '.join(config.streams)}, as config.json has it",
        )
    settings = feature_settings(config, check_networks(description.networks))
    cubes, vectors = {}, {}
    for stream in config.streams:
        size = settings.size_of(stream)
        stored = range(config.stored_frames)
        network = load_network(settings, stream).to(device)
        images = stream_images(
            inputs.__getitem__, stream, config.views[0], size, stored, network.spec.pairs
        )
        found = image_features(network, images, device.type)
        cubes[stream] = found["cubes"][None, None]  # (1, 1, S, P, d_cv)
        vectors[stream] = found["vectors"][None, None]  # (1, 1, S, d_fc)
    shape = next(iter(cubes.values())).shape[:4]
    return ClipFeatures(
        names=["video"],
        labels=np.zeros(1, np.int64),
        cubes=cubes,
        vectors=vectors,
        target=torch.zeros(shape),
        classes=description.classes,
        scales=description.scales,
    )


@torch.no_grad()
def run_model(model: RSTAN, features: ClipFeatures, head: str, config: TrainConfig) -> RSTANOutput:
    """The model's output, with attention, for the first clip of the features."""
    device = next(model.parameters()).device
    batch = next(ordered_batches(features, 1, config.test_frames, device))
    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        output: RSTANOutput = model(batch.cubes, batch.vectors, head=head, return_attention=True)
    return output


def diagonal_maps(output: RSTANOutput) -> dict[str, Tensor]:
    """Attention of each step on its own frame, (B, T, P), by stream, and `fused` where it is."""
    attention = output.attention
    if attention is None:
        return {}
    maps = dict(attention.alpha_stream)  # (B, T, N, P)
    if attention.alpha is not None and len(maps) > 1:
        maps["fused"] = attention.alpha
    steps = torch.arange(len(attention.frames), device=attention.frames.device)
    current = (attention.frames == steps[:, None]) & attention.frames_valid  # (T, N)
    return {name: (alpha * current[..., None].to(alpha)).sum(2) for name, alpha in maps.items()}
