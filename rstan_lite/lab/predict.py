"""From any video file to the names of actions, and pictures of where the model looked.

A video of any length is decoded in a stream: some of its frames are kept.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.sampling import equally_spaced
from rstan_lite.data.transforms import Geometry, view
from rstan_lite.data.video import check_one_size, decode_video, open_packets, upright
from rstan_lite.features.backbones import backbone
from rstan_lite.features.extraction import image_features, load_network, own_images
from rstan_lite.features.flow import Estimator, estimator, stack_indices
from rstan_lite.features.inputs import MIN_SIDE, coded_flow, stream_images
from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.lab.protocols import Checkpoint, check_networks, open_checkpoint
from rstan_lite.model.output import RSTANOutput, last_step
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.files import alone
from rstan_lite.system.reading import check_regular, read_json
from rstan_lite.system.settings import pairs
from rstan_lite.system.tables import progress_bar
from rstan_lite.system.threads import LARGE, for_work
from rstan_lite.training import run_folder
from rstan_lite.training.batches import ordered_batches
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.parts import feature_settings
from rstan_lite.training.run_folder import Description

MAX_SECONDS = 15 * 60  # a few frames of a longer video name no action
RATE = 25.0  # frames a second, where a file does not say when its frames are shown
# What features depend on, beside SAME and the networks' files.
MADE = (
    "flow", "flow_weights", "camera", "streams", "backbone", "motion_backbone", "motion_size",
    "inputs", "input_networks",
)  # fmt: skip
SAME = ("stored_frames", "test_frames", "views", "size")  # so that runs share steps and places
LINES = 240  # px, short side of the clips of every data set; for runs that do not record theirs
DRAWN_LINES = 360  # px, largest short side of an overlay
LONGEST_STEM = 220  # bytes of a file's name, which may have 255 with what is added
# Writes films of frames (H, W, 3) with attention over them: given the frames, the maps (T, P) by
# name, which of the T each frame takes, the crop that the maps cover, paths, and frames a second.
Film = Iterator[np.ndarray]
Maps = Mapping[str, np.ndarray]
Draw = Callable[[Film, Maps, np.ndarray, Geometry, Mapping[str, Path], float], None]


@dataclass(frozen=True)
class VideoInputs:
    """What a run's networks take of a video, at its T time steps.

    tensors: see `sparse_inputs`. numbers: int64 (T,), the steps' places among the video's frames.
    order, rate: see `at_one_rate`.
    """

    tensors: dict[str, Tensor]
    numbers: np.ndarray
    order: np.ndarray
    rate: float


@for_work(LARGE)
def predict(
    video: Path, run: Path, out: Path, top: int = 5, device: str = "auto",
    draw: Draw | None = None, ending: str = ".mp4",
) -> dict[str, Any]:  # fmt: skip
    """Name the action of a video, and find the attention over its frames.

    video: any file that FFmpeg reads, of two frames or more. run: a finished run, whose networks
    must still be where they were. top: how many classes to return. draw: writes a film of all
    frames for each map (appearance, motion, fused), each frame with the map of the nearest attended
    one. ending: of the films, `<video's stem>-<map><ending>`.
    The video is decoded in a stream, at the size of the run's training clips: neither its size nor
    its length (of 15 minutes at most) takes memory.
    Writes `<video's stem>-prediction.json` (all classes) into `out`; another video of that stem
    gets a number.
    Returns classes (name to probability, best first), predictions and overlays (paths).
    Raises DataError (video), CheckpointError (run, networks), ConfigError, DeviceError.
    """
    if top < 1:
        raise ConfigError("--top", str(top), "at least 1")
    choose_device(device)  # complains, as the next line does, before the networks are loaded
    check_regular(video, DataError, "a video file on this machine")
    checkpoint = open_checkpoint(run, device)
    stem = free_stem(video, out)
    with alone(out, f"an answer for a video {stem}", lock=f".{stem}.lock"):
        inputs, probabilities, maps = answer(video, checkpoint)
        frames, overlays = len(inputs.order), dict[str, Path]()
        if draw is not None and maps:
            overlays = {name: out / f"{stem}-{name}{ending}" for name in maps}
            config = checkpoint.config
            seen = view(config.views[0], inputs.tensors["frames"].shape[1:3], config.size)
            nearest = np.abs(np.arange(frames)[:, None] - inputs.numbers[None]).argmin(1)  # (F,)
            film = progress_bar(_played(video, inputs.order), desc="overlays", total=frames)
            draw(film, maps, nearest, seen, overlays, inputs.rate)
        path = out / f"{stem}-prediction.json"
        written = {
            "video": str(video),
            "decoded_frames": frames,
            "attended_frames": inputs.order[inputs.numbers].tolist(),
            "run": str(run),
            "classes": probabilities,
            "overlays": {name: str(path) for name, path in overlays.items()},
            "versions": run_folder.versions(),
        }
        run_folder.write_json(path, written)
    best = dict(list(probabilities.items())[:top])
    return {"classes": best, "predictions": str(path), "overlays": written["overlays"]}


def answer(video: Path, run: Checkpoint) -> tuple[VideoInputs, dict[str, float], Maps]:
    """A video's inputs, all classes' probabilities, best first, and `diagonal_maps`, (T, P) each.

    Raises as `predict` does.
    """
    inputs = read_inputs(video, run.config, run.description)
    output = run_model(run, video_features(inputs, run))
    scores = last_step(output.logits).float().softmax(-1)[0].cpu()  # (C,)
    ranked = scores.argsort(descending=True).tolist()
    probabilities = {run.description.classes[i]: float(scores[i]) for i in ranked}
    maps = {name: maps[0].float().cpu().numpy() for name, maps in diagonal_maps(output).items()}
    return inputs, probabilities, maps


def free_stem(video: Path, out: Path) -> str:
    """The video's stem, with a number where the folder holds the answer for another video."""
    own = video.stem
    while len(os.fsencode(own)) > LONGEST_STEM:
        own = own[:-1]
    stem, number = own, 1
    while (path := out / f"{stem}-prediction.json").exists():
        found = read_json(path, DataError, "an earlier prediction")
        there = found.get("video") if isinstance(found, dict) else None
        if isinstance(there, str) and Path(there).absolute() == video.absolute():
            break
        number += 1
        stem = f"{own}-{number}"
    return stem


def _played(video: Path, order: np.ndarray) -> Film:
    """The frames of a video as a player shows them, small enough to draw on."""
    for frame, times in zip(decode_video(video), np.bincount(order), strict=False):
        if times:
            yield from [upright(frame, DRAWN_LINES)] * times


def read_inputs(video: Path, config: TrainConfig, description: Description) -> VideoInputs:
    """The inputs of a run's networks from a video file, at the size of the training clips.

    Flow is coded in pixels, so that the answer would depend on the video's size.
    Raises DataError as `sample_video` does, and for a video of one frame or too small.
    """
    side, known = description.short_side or LINES, description.short_side > 0

    def choose(frames: int) -> list[int]:
        if frames < 2:
            raise DataError(video, "one frame", "two or more: optical flow needs a pair")
        index, needed = _chosen(frames, config)
        return sorted({*index.tolist(), *needed.tolist(), *(needed + 1).tolist()})

    kept, order, rate = sample_video(video, choose, side, enlarge=known)
    try:
        return _inputs(kept, order, rate, config, video)
    except DataError as error:  # of frames alone
        raise DataError(video, error.found, error.expected, error.hint) from error


def clip_inputs(
    frames: np.ndarray, masks: np.ndarray | None, config: TrainConfig, path: Path
) -> VideoInputs:
    """The inputs of a run's networks from a data set's clip, and its silhouettes (T, H, W).

    frames: uint8 RGB (F, H, W, 3). masks: uint8 (F, H, W), or None where they are not known.
    """
    inputs = _inputs(frames, np.arange(len(frames)), RATE, config, path)
    if masks is not None:
        inputs.tensors["masks"] = torch.from_numpy(masks[inputs.numbers])
    return inputs


def _inputs(
    frames: Mapping[int, np.ndarray] | np.ndarray, order: np.ndarray, rate: float,
    config: TrainConfig, path: Path,
) -> VideoInputs:  # fmt: skip
    index, needed = _chosen(len(order), config)
    flow = estimator(config.flow, config.flow_weights, choose_device(config.device).type)
    tensors = sparse_inputs(frames, index, needed, flow, config.camera)
    for stream, function in pairs("--inputs", config.inputs).items():
        tensors[stream] = own_images(stream, function, tensors, path, order[index])
    return VideoInputs(tensors, index, order, rate)


def _chosen(frames: int, config: TrainConfig) -> tuple[np.ndarray, np.ndarray]:
    """The frames (T,) of a video that a test's time steps are, and the pairs of their flow."""
    stored = equally_spaced(frames, config.stored_frames)
    index = stored[equally_spaced(config.stored_frames, config.test_frames)]
    pairs = backbone(config.motion_backbone or config.backbone).pairs
    return index, needed_pairs(frames, index, pairs)


def video_features(inputs: VideoInputs, run: Checkpoint) -> ClipFeatures:
    """A video's features as those of a data set's one clip.

    The label is a placeholder, the silhouette empty. Raises CheckpointError where the run's
    networks are others than its description says.
    """
    config = run.config
    settings = feature_settings(config, check_networks(run.description))
    device, steps = choose_device(config.device), range(len(inputs.numbers))
    cubes, vectors = {}, {}
    for stream in config.streams:
        network = load_network(settings, stream).to(device)
        seen = config.views[0], settings.size_of(stream), steps, network.spec.pairs
        images = stream_images(inputs.tensors.__getitem__, stream, *seen)
        found = image_features(network, images, device.type)
        cubes[stream] = found["cubes"][None, None]  # (1, 1, T, P, d_cv)
        vectors[stream] = found["vectors"][None, None]  # (1, 1, T, d_fc)
    target = torch.zeros(next(iter(cubes.values())).shape[:4])
    of_clip = ["video"], np.zeros(1, np.int64), cubes, vectors, target
    return ClipFeatures(*of_clip, run.description.classes, run.description.scales)


@torch.no_grad()
def run_model(run: Checkpoint, features: ClipFeatures) -> RSTANOutput:
    """The model's output, with attention, for the first clip of the features."""
    device = choose_device(run.config.device)
    batch = next(ordered_batches(features, 1, run.config.test_frames, device))
    with torch.autocast(device.type, torch.bfloat16, enabled=run.config.precision == "bf16"):
        how: dict[str, Any] = {"head": run.description.head, "return_attention": True}
        output: RSTANOutput = run.model(batch.cubes, batch.vectors, **how)
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


def open_checkpoints(runs: Mapping[str, str | Path], device: str = "auto") -> dict[str, Checkpoint]:
    """The checkpoints of named runs, to be shown beside one another.

    Raises CheckpointError (damaged or unfinished run), ConfigError (no run; runs that differ in the
    frames or the crop that they test on), DataError (runs with other classes), DeviceError.
    """
    opened = {name: open_checkpoint(folder, device) for name, folder in runs.items()}
    if not opened:
        raise ConfigError("runs", "none", "at least one finished run's folder")
    first, *others = opened.values()
    for other in others:
        for option in SAME:
            mine, theirs = (getattr(c.config, option) for c in (first, other))
            if mine != theirs:
                where = f"{other.folder}, {option}"
                raise ConfigError(where, str(theirs), f"{mine}, as in {first.folder}")
        if other.description.classes != first.description.classes:
            found = f"{len(other.description.classes)} classes that are not all the other run's"
            expected = f"the {len(first.description.classes)} classes of {first.folder}"
            raise DataError(other.folder, found, expected)
    return opened


def run_checkpoints(
    read: Callable[[Checkpoint], VideoInputs], checkpoints: Mapping[str, Checkpoint]
) -> tuple[VideoInputs, dict[str, RSTANOutput]]:
    """Run checkpoints on a video, as `predict` does; the first one's inputs, and outputs by name.

    read: makes the inputs of a checkpoint's networks. Runs whose features are made alike share
    them. Raises DataError (a video of one frame, or too small), CheckpointError (networks that
    changed).
    """
    shared: dict[tuple[Any, ...], ClipFeatures] = {}
    outputs = {}
    inputs = read(next(iter(checkpoints.values())))
    for name, one in checkpoints.items():
        about = one.description
        made = *(getattr(one.config, option) for option in MADE), str(about.networks)
        if (key := (*made, about.short_side)) not in shared:
            shared[key] = video_features(read(one) if shared else inputs, one)
        features = replace(shared[key], scales=about.scales, classes=about.classes)
        outputs[name] = run_model(one, features)
    return inputs, outputs


def sample_video(
    path: Path, choose: Callable[[int], Iterable[int]], side: int = 0, enlarge: bool = False
) -> tuple[dict[int, np.ndarray], np.ndarray, float]:
    """Decode a video in a stream and keep some of its frames: memory does not grow with length.

    choose: which frames to keep of so many. side, enlarge: see `upright`.
    Returns the kept frames by their number, and what `at_one_rate` makes of the frames' times.
    Raises DataError as `read_frames` does, and for a video longer than MAX_SECONDS.
    """
    with open_packets(path) as packets:  # not decoded: the decoder may count others
        times = sorted(_seconds(packet) for packet in packets if packet.size)
    while True:
        order, rate = at_one_rate(times)
        if len(order) > rate * MAX_SECONDS:
            found, most = f"{len(order) / rate / 60:.0f} minutes", MAX_SECONDS // 60
            hint = "Cut out the part that shows the action."
            raise DataError(path, found, f"a video of at most {most} minutes", hint)
        chosen = list(choose(len(order)))
        wanted, kept, decoded = set(order[chosen].tolist()), {}, []
        for number, frame in enumerate(decode_video(path)):
            if min(frame.width, frame.height) < MIN_SIDE:
                found = f"frames of {frame.width} x {frame.height} pixels"
                raise DataError(path, found, f"{MIN_SIDE} or more on each side: flow needs them")
            decoded.append(_seconds(frame))
            if number in wanted:
                kept[number] = upright(frame, side, enlarge)
        if len(decoded) == len(times):
            check_one_size(path, kept.values())
            return {number: kept[int(order[number])] for number in chosen}, order, rate
        times = decoded


def _seconds(shown: av.Packet | av.VideoFrame) -> float:
    """When a packet or a frame is shown; NaN where it does not say.

    An AVI with B-frames has times of decoding alone, which in order are the same ones.
    """
    at = shown.dts if shown.pts is None else shown.pts
    return float("nan") if at is None or shown.time_base is None else float(at * shown.time_base)


def at_one_rate(times: Iterable[float]) -> tuple[np.ndarray, float]:
    """A video of any rate as one of its mean rate, so that sampling by number samples by time.

    times: (F,), when each frame is shown, in seconds; if some is NaN, the rate is RATE.
    Returns the frame that a player shows in each of F equal intervals, int64 (F,), and intervals a
    second. Where no frame is more than two intervals off its place, each has its own.
    """
    at = np.fromiter(times, np.float64)
    same = np.arange(len(at))
    if len(at) < 2 or not np.isfinite(at).all() or at[-1] <= at[0] or (np.diff(at) < 0).any():
        return same, RATE
    gap = (at[-1] - at[0]) / (len(at) - 1)
    ticks = (at - at[0]) / gap
    if np.abs(ticks - same).max() <= 2:
        return same, 1 / gap
    return np.searchsorted(ticks, same + 0.5, side="right") - 1, 1 / gap


def needed_pairs(n_frames: int, index: np.ndarray, pairs: int) -> np.ndarray:
    """The pairs of a clip that stacks of so many pairs at frames (S,) are made of, ascending."""
    chosen = [stack_indices(n_frames - 1, frame, pairs) for frame in index.tolist()]
    return np.unique(chosen)


def sparse_inputs(
    frames: Mapping[int, np.ndarray] | np.ndarray, index: np.ndarray, needed: np.ndarray,
    flow: Estimator, camera: str,
) -> dict[str, Tensor]:  # fmt: skip
    """`pick_inputs` with flow of the needed pairs alone, for a video of any length.

    frames: (H, W, 3) by number, at least those of index and of the pairs. needed: `needed_pairs`.
    "index" is the frames' places in this flow: stacks there are those of the whole clip's flow.
    """
    runs = np.split(needed, np.flatnonzero(np.diff(needed) > 1) + 1)  # of pairs in a row
    films = (np.stack([frames[i] for i in range(run[0], run[-1] + 2)]) for run in runs)
    arrays = {
        "frames": np.stack([frames[i] for i in index.tolist()]),
        "flow": np.concatenate([coded_flow(film, flow, camera) for film in films]),
        "index": np.searchsorted(needed, index),
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
