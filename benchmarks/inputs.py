"""What the way from clips to mini-batches costs: decoding, flow, features, stores, waiting.

Stages are counted in processor time a clip, which other jobs on the machine disturb less than the
wall clock; each ratio compares with a plain reference in the same run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.features.extraction import FeatureSettings, image_features, load_network
from rstan_lite.features.flow import OPENCV, flow_sequence
from rstan_lite.features.inputs import (
    PACKED,
    InputStore,
    coded_flow,
    inputs_store,
    pick_inputs,
    stream_images,
)
from rstan_lite.features.networks import SHIPPED, shipped
from rstan_lite.features.pipeline import prepare_parts
from rstan_lite.lab.tuning_images import packed_inputs
from rstan_lite.puppets import generate
from rstan_lite.training.batches import epoch_rows, training_batch
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.loop import Task, learning_rate, train_step
from rstan_lite.training.train import build_model

EPOCHS = 5  # of the training that is watched; the first one warms up
BATCH = 8
SIZE = 112


def measure(root: Path | None = None, clips: int = 24) -> dict[str, float]:
    """Times and sizes, by name; `_ms`: milliseconds of processor time a clip unless said otherwise.

    root: clips in JHMDB's layout; None: generated ones. clips: how many of the training part.
    Networks are the small ones that ship with the package, on a CPU, at the profile `course`'s
    settings otherwise.
    """
    with tempfile.TemporaryDirectory() as folder:
        if root is None:
            classes = ("clap", "jump", "run", "walk")
            root = generate(
                Path(folder) / "puppets", -(-clips // 2), classes, workers=1, progress=False
            )
        data = JHMDB(root, missing="skip", validation=0)
        data.train = data.train[:clips]
        settings = FeatureSettings(
            {stream: shipped(stream) for stream in ("appearance", "motion")}, SHIPPED, size=SIZE
        )
        found, made = stages(data, settings)
        found |= stored_inputs(data, made, inputs_store(data, Path(folder) / "inputs", 16))
        found |= extraction(data, settings, Path(folder))
        found |= training(data, settings, Path(folder) / "one")
    return found


class Clock(dict[str, float]):
    """Seconds summed by name: of the processor for this process, or what `now` counts."""

    def __init__(self, now: Callable[[], float] = time.process_time):
        super().__init__()
        self.now = now

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add what the block takes."""
        start = self.now()
        yield
        self[name] = self.get(name, 0.0) + self.now() - start


def stages(
    data: JHMDB, settings: FeatureSettings
) -> tuple[dict[str, float], list[dict[str, torch.Tensor]]]:
    """Each stage by itself, one clip after another; and the clips' inputs.

    inputs: flow, the camera's part taken away, and its coding. tvl1_over_dis: of one pair.
    """
    clock, made = Clock(), []
    nets = {
        stream: load_network(settings, stream).to(memory_format=torch.channels_last)
        for stream in settings.weights
    }
    for clip in data.train:
        with clock.time("decode"):
            frames = data.frames(clip)
        with clock.time("silhouettes"):
            masks = data.silhouettes(clip, frames)
        with clock.time("dis"):
            flow_sequence(frames, "dis")
        with clock.time("inputs"):
            index = equally_spaced(len(frames), settings.frames)
            flow = coded_flow(frames, "dis", settings.camera)
            inputs = pick_inputs(frames, masks, index, flow)
        made.append(inputs)
        for stream, net in nets.items():
            with clock.time("images"):
                images = stream_images(
                    inputs.__getitem__, stream, "centre", SIZE, range(settings.frames)
                )
            with clock.time("networks"):
                image_features(net, images)
    found = {f"{name}_ms": 1000 * seconds / len(made) for name, seconds in clock.items()}
    pairs = Clock()
    for method in OPENCV:
        with pairs.time(method):
            flow_sequence(data.frames(data.train[0])[:2], method)
    return found | {"tvl1_over_dis": pairs["tvl1"] / pairs["dis"]}, made


def stored_inputs(
    data: JHMDB, made: Iterable[dict[str, torch.Tensor]], store: InputStore
) -> dict[str, float]:
    """The store of inputs: its size against the tensors as they are, and reading a whole clip."""
    raw, packed, clock = 0, 0, Clock()
    for clip, tensors in zip(data.train, made, strict=True):
        store.write(clip, packed_inputs(tensors))
        raw += sum(x.nbytes for x in tensors.values())
        packed += store.path(clip).stat().st_size
        for name in PACKED:
            with clock.time(name):
                store.read(clip, name)
    n = len(data.train)
    sizes = {"inputs_mb_a_clip": packed / 1e6 / n, "inputs_over_raw": packed / raw}
    return sizes | {f"read_{name}_ms": 1000 * seconds / n for name, seconds in clock.items()}


def extraction(data: JHMDB, settings: FeatureSettings, folder: Path) -> dict[str, float]:
    """All clips through all steps: seconds of the wall clock, by one process and by two.

    Two processes pay for their start, some seconds, with few clips.
    """
    seconds = {}
    for workers, name in ((1, "one"), (2, "two")):
        start = time.perf_counter()
        prepare_parts(data, ("train",), settings, folder / name, workers=workers)
        seconds[workers] = time.perf_counter() - start
    return {
        "extract_one_process_s": seconds[1],
        "extract_two_processes_s": seconds[2],
        "extract_two_over_one": seconds[2] / seconds[1],
    }


def training(data: JHMDB, settings: FeatureSettings, cache: Path) -> dict[str, float]:
    """A warm epoch of training on stored features: how much of it is waiting for data, wall clock.

    first_batch_s: from nothing but full stores to the first mini-batch, wall clock.
    reopened_over_kept: a mini-batch's reading where each file is opened anew, as a plain reference,
    over the reading as it is.
    """
    start = time.perf_counter()
    features = prepare_parts(data, ("train",), settings, cache)["train"]
    config = TrainConfig(batch_size=min(BATCH, len(data.train)))
    rows = epoch_rows(len(features), config.batch_size, 0, 0)[0]
    training_batch(features, rows, config.frames, 0, 0, "cpu")
    first = time.perf_counter() - start

    model = build_model(config, features)
    optimizer = torch.optim.SGD(model.parameters(), learning_rate(config, 0), config.momentum)
    task = Task(features, config.dataset, config.batch_size, 1.0, config.lambda_aa, config.aa_kind)
    clock = Clock(time.perf_counter)
    for epoch in range(EPOCHS):
        if epoch == 1:
            clock.clear()
        for i, rows in enumerate(epoch_rows(len(features), config.batch_size, 0, epoch)):
            with clock.time("reading"):
                batch = training_batch(features, rows, config.frames, 0, i, "cpu")
            with clock.time("computing"):
                train_step(model, optimizer, [(task, batch)], config.clip_norm)
    for _ in range(5):  # in turn
        fresh = prepare_parts(data, ("train",), settings, cache)["train"]
        with clock.time("reopened"):  # new features have no file open yet
            training_batch(fresh, rows, config.frames, 0, 0, "cpu")
        with clock.time("kept"):
            training_batch(features, rows, config.frames, 0, 0, "cpu")
    return {
        "first_batch_s": first,
        "waiting_share": clock["reading"] / (clock["reading"] + clock["computing"]),
        "reopened_over_kept": clock["reopened"] / clock["kept"],
    }
