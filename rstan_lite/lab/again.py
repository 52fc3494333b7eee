"""Testing a finished run again: another part, protocol, number of frames or device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rstan_lite.data.sampling import FRAMES, ClipSequence, test_sequences
from rstan_lite.features.networks import check_networks
from rstan_lite.features.settings import FeatureSettings
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import one_of
from rstan_lite.training import runs
from rstan_lite.training.batches import ClipFeatures
from rstan_lite.training.checkpoint import load_model
from rstan_lite.training.config import TrainConfig, read_config
from rstan_lite.training.outcome import (
    networks_seen,
    part_metrics,
    save_predictions,
    warn_of_seen,
)
from rstan_lite.training.protocol import SequenceRow, evaluate_sequences, judged, sequence_rows
from rstan_lite.training.second import second_config

PARTS = ("test", "validation")


def evaluate_run(
    folder: Path,
    part: str = "test",
    frames: int | None = None,
    root: str | None = None,
    cache: str | None = None,
    device: str = "auto",
    features: ClipFeatures | Mapping[ClipSequence, ClipFeatures] | None = None,
    protocol: str = "centre",
    second: bool = False,
) -> tuple[dict[str, Any], Path]:
    """Evaluate a run's model and write `evaluation-...-<part>-<frames>.json` and `.npz` beside it.

    frames: T; None for the run's own, and for the 32 of the paper with protocol "22". root, cache:
    where clips and features lie now; None for where they were. features: of that part, or
    of each sequence; None reads or makes what is needed.
    protocol: see `sequences.test_sequences`. Of several sequences the last step's softmax scores
    are averaged; each one's accuracy is listed under "sequences".
    second: test the classifier of the run's second data set on that data set's clips, which root
    then means; the files are named `evaluation-...-<data set>-...`.
    Returns the metrics and the path of the JSON file. Raises ConfigError, CheckpointError,
    DeviceError, and what reading features raises.
    """
    if part not in PARTS:
        raise ConfigError("--part", repr(part), one_of(PARTS))
    if second and part == "validation":
        raise ConfigError("--part", part, "test: all of the second data set's training part trains")
    config = read_config(folder / runs.CONFIG)
    sequences = sequences_of(config, protocol, frames)
    steps = sequences[0].frames
    model, description = load_model(folder)
    head, classes, name = description.head, description.classes, part
    if second:
        config, head = second_config(config), config.second_head
        classes, name = description.second_classes, f"{head}-{part}"
    config = replace(config, device=device, root=root or config.root, cache=cache or config.cache)
    model.to(choose_device(device))
    seen: dict[str, dict[str, Any]] = {}
    missing: tuple[str, ...] = ()
    damaged: dict[str, dict[str, str]] = {}
    if features is None:
        from rstan_lite.training import features_source as source

        networks, dataset = check_networks(description.networks), source.open_dataset(config)
        seen = networks_seen(networks, dataset, config.dataset, (part,))
        warn_of_seen(seen)
        missing = dataset.missing
        if protocol == "centre" and steps <= config.stored_frames:
            found = {sequences[0]: source.load_part(config, part, networks, dataset)}
        else:
            found = source.load_sequences(config, part, networks, sequences, dataset)
        damaged = dataset.damaged
    else:
        found = dict(features) if isinstance(features, Mapping) else {sequences[0]: features}
    if set(found) != set(sequences):
        raise ConfigError(
            "features", f"{len(found)} sequences", f"the {len(sequences)} of {protocol}"
        )
    for one, of_one in found.items():
        if of_one.classes != classes:
            raise ConfigError("--root", f"classes {of_one.classes}", f"{classes}")
        found[one] = replace(of_one, scales=description.scales)
    each = evaluate_sequences(model, found, head, precision=config.precision)
    result, listed = judged(each, found)
    metrics = part_metrics(result, found[sequences[0]], part)
    metrics |= {"frames": steps, "part": part, "head": head, "protocol": protocol}
    metrics |= {"sequences": listed, "missing_clips": list(missing), "networks": seen}
    metrics |= {"damaged_clips": damaged}
    metrics |= {"versions": runs.versions()}
    path = folder / f"{_stem(protocol, name, steps)}.json"
    save_predictions(path.with_suffix(".npz"), found[sequences[0]], result)
    runs.write_json(path, metrics)
    return metrics, path


def sequences_of(
    config: TrainConfig, protocol: str = "centre", frames: int | None = None
) -> tuple[ClipSequence, ...]:
    """A protocol's sequences for a run; frames: T, None as `evaluate_run` says."""
    if frames is None:
        frames = config.test_frames if protocol == "centre" else FRAMES
    found = test_sequences(protocol, frames)
    # the first stored view is the run's own centre, whatever it was given
    return (replace(found[0], view=config.views[0]),) if protocol == "centre" else found


def _stem(protocol: str, part: str, steps: int) -> str:
    """Name of an evaluation's files; the protocol "centre" goes without saying."""
    return "-".join(["evaluation", *([] if protocol == "centre" else [protocol]), part, str(steps)])


def table_of_sequences(
    folder: Path, protocol: str, frames: int | None = None, part: str = "test",
    root: str | None = None,
) -> tuple[list[SequenceRow], str]:  # fmt: skip
    """A protocol's sequences for the first clip of a run's part, and words that name this clip.

    Raises ConfigError for a part without clips, and what reading run and clips raises.
    """
    from rstan_lite.training import features_source as source

    if part not in PARTS:
        raise ConfigError("--part", repr(part), one_of(PARTS))
    config = read_config(folder / runs.CONFIG)
    settings = run_settings(folder)
    dataset = source.open_dataset(replace(config, root=root or config.root))
    clips = getattr(dataset, part)
    if not clips:
        raise ConfigError("--part", f"{part}, without clips", "a part that has some")
    shape = dataset.frames(clips[0]).shape
    rows = sequence_rows(sequences_of(config, protocol, frames), shape[0], shape[1:3], settings)
    return rows, f"{clips[0].name}: {shape[0]} frames of {shape[2]} x {shape[1]} pixels"


def run_settings(folder: Path) -> FeatureSettings:
    """What a finished run's features are made with; CheckpointError where a network changed."""
    from rstan_lite.training import features_source as source

    _, description = load_model(folder)
    networks = check_networks(description.networks)
    return source.feature_settings(read_config(folder / runs.CONFIG), networks)
