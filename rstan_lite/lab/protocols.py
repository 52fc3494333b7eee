"""Testing a finished run: another part, protocol, number of frames or device (Sections IV-C, IV-D).

A protocol judges a clip by one sequence of frames, or by the average of several.
"""

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rstan_lite.data.clips import ClipDataset
from rstan_lite.data.sampling import EXTENTS, ClipSequence
from rstan_lite.data.transforms import CORNERS, read_view, view, view_side
from rstan_lite.features.extraction import FeatureSettings
from rstan_lite.features.pipeline import ClipFeatures, look_up, missing_sequences
from rstan_lite.features.store import code_print
from rstan_lite.lab.scores import read_predictions
from rstan_lite.model import RSTAN, rstan
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.system.reading import check_regular
from rstan_lite.system.settings import check_choice, check_count, replaced
from rstan_lite.system.tables import Table
from rstan_lite.system.tensor_files import weights_hash
from rstan_lite.system.threads import for_work
from rstan_lite.training import run_folder
from rstan_lite.training.config import TrainConfig, read_config
from rstan_lite.training.evaluation import Evaluation, evaluate
from rstan_lite.training.parts import (
    cache_folder,
    extraction_workers,
    feature_settings,
    load_part,
    networks_seen,
    open_dataset,
    second_config,
    warn_of_seen,
)
from rstan_lite.training.run_folder import Description
from rstan_lite.training.train import part_metrics, save_predictions

PARTS = ("test", "validation")
PROTOCOLS = ("centre", "22")
FRAMES = ClipSequence.frames  # T of a test sequence in the paper
SCALES = (256, 192)  # pixels of frames whose short side is 256


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The chosen model of a finished run, on its device, and what belongs to it."""

    folder: Path
    config: TrainConfig
    model: RSTAN
    description: Description


def open_checkpoint(
    folder: str | Path, device: str = "", root: str | None = None, cache: str | None = None
) -> Checkpoint:
    """Open a finished run; CheckpointError, ConfigError, DeviceError.

    device, root, cache: what is to be used now; empty for the run's own.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(folder, "no such folder", "the folder of a finished run")
    model, description = run_folder.load_model(folder)
    here = replaced(rstan)
    for name in sorted(description.replaced.keys() | here.keys()):
        was, now = (found.get(name, "its own") for found in (description.replaced, here))
        if was != now:
            said = f"trained with {was} in the place of {name} in rstan_lite.model.rstan, now {now}"
            warnings.warn(f"{folder}: {said}: its answers are others.", stacklevel=2)
    config = read_config(folder / run_folder.CONFIG)
    given: dict[str, Any] = {"device": device, "root": root, "cache": cache}
    config = replace(config, **{name: value for name, value in given.items() if value})
    return Checkpoint(folder, config, model.to(choose_device(config.device)), description)


def test_sequences(protocol: str = "22", frames: int = FRAMES) -> tuple[ClipSequence, ...]:  # noqa: PT028
    """The sequences of T frames of a test protocol, in a fixed order; ConfigError.

    protocol: "centre" is one centre crop of the whole clip (Section IV-C). "22" (Section IV-D) has
    ten crops of 224 pixels of the whole clip (centre and corners, then mirrored), and, for each
    extent (whole, first and last two thirds) and scale (256, 192), a centre crop and its mirror.
    """
    check_choice("--protocol", protocol, PROTOCOLS)
    check_count("--frames", frames)
    if protocol == "centre":
        return (ClipSequence("centre", frames=frames),)
    mirrors = ("", "-mirror")
    views = [(corner + mirror, "whole") for mirror in mirrors for corner in CORNERS]
    views += [(f"centre@{k}{m}", extent) for extent in EXTENTS for k in SCALES for m in mirrors]
    return tuple(ClipSequence(name, extent, frames) for name, extent in views)


def evaluate_run(
    folder: Path, part: str = "test", frames: int | None = None, root: str | None = None,
    cache: str | None = None, device: str = "auto",
    features: ClipFeatures | Mapping[ClipSequence, ClipFeatures] | None = None,
    protocol: str = "centre", second: bool = False,
) -> tuple[dict[str, Any], Path]:  # fmt: skip
    """Evaluate a run's model and write `evaluation-...-<part>-<frames>.json` and `.npz` beside it.

    frames: T; None for the run's own, and for the paper's 32 with protocol "22". root, cache: where
    clips and features lie now; None for where they were. features: of that part, or of each
    sequence; None reads or makes them. protocol: see `test_sequences`; softmax scores of sequences
    are averaged, each one's accuracy is listed. second: test the second data set's classifier on
    its clips, which root then means. Returns the metrics and the JSON's path. Raises ConfigError,
    CheckpointError, DeviceError, and what reading features raises.
    """
    check_choice("--part", part, PARTS)
    if second and part == "validation":
        raise ConfigError("--part", part, "test: all of the second data set's training part trains")
    run = open_checkpoint(folder, device, cache=cache)
    config, description = run.config, run.description
    sequences = sequences_of(config, protocol, frames)
    steps = sequences[0].frames
    head, classes, name = description.head, description.classes, part
    if second:
        config, head = second_config(config), config.second_head
        classes, name = description.second_classes, f"{head}-{part}"
    config = replace(config, root=root or config.root)
    seen: dict[str, Any] = {}
    missing: Sequence[str] = ()
    damaged: dict[str, Any] = {}
    if features is None:
        networks, dataset = check_networks(description), open_dataset(config)
        seen = networks_seen(networks, dataset, config.dataset, (part,))
        warn_of_seen(seen)
        missing = dataset.missing
        if protocol == "centre" and steps <= config.stored_frames:
            found = {sequences[0]: load_part(config, part, networks, dataset)}
        else:
            settings, workers = (
                feature_settings(config, networks),
                extraction_workers(dataset, (part,)),
            )
            how = cache_folder(config), choose_device(config.device).type, workers
            found = prepare_sequences(dataset, part, settings, sequences, *how)
        damaged = dataset.damaged
    else:
        found = dict(features) if isinstance(features, Mapping) else {sequences[0]: features}
    if set(found) != set(sequences):
        expected = f"the {len(sequences)} of {protocol}"
        raise ConfigError("features", f"{len(found)} sequences", expected)
    for one, of_one in found.items():
        if of_one.classes != classes:
            raise ConfigError("--root", f"classes {of_one.classes}", f"{classes}")
        found[one] = replace(of_one, scales=description.scales)
    if not second:
        _warn_of_others(folder, part, found[sequences[0]].names)
    each = evaluate_sequences(run.model, found, head, precision=config.precision)
    result, listed = average(list(each.values())), []
    for one, alone in each.items():
        crop, scale, mirror = read_view(one.view)
        row = {"name": one.name, "extent": one.extent, "scale": scale, "crop": crop}
        places = int(found[one].target.shape[3]) if len(found[one]) else None
        row |= {"mirror": mirror, "frames": one.frames, "places": places}
        listed.append(row | {"accuracy": alone.accuracy})
    metrics = part_metrics(result, found[sequences[0]], part)
    metrics |= {"frames": steps, "part": part, "head": head, "protocol": protocol}
    metrics |= {"sequences": listed, "missing_clips": list(missing), "networks": seen}
    metrics |= {"damaged_clips": damaged, "versions": run_folder.versions()}
    stem = f"{'' if protocol == 'centre' else f'{protocol}-'}{name}-{steps}"
    path = folder / f"evaluation-{stem}.json"
    save_predictions(path.with_suffix(".npz"), found[sequences[0]], result)
    run_folder.write_json(path, metrics)
    return metrics, path


def _warn_of_others(folder: Path, part: str, names: Sequence[str]) -> None:
    """Say on stderr where a run itself was tested on other clips, as of a copy completed since."""
    path = folder / run_folder.PREDICTIONS[part]
    told = set(read_predictions(path).names) if path.is_file() else set(names)
    if others := sorted(told ^ set(names)):
        print(
            f"warning: the run was tested on {len(told)} {part} clips, now on {len(names)}: "
            f"{len(others)} differ, for example {others[0]}. Its accuracy is of other clips.",
            file=sys.stderr,
        )


def check_networks(run: Description) -> dict[str, str]:
    """Files of a run's networks, by stream; CheckpointError where one changed.

    Warns of a changed module of the user's: what it makes may still be the same.
    """
    for module, code in run.code.items():
        if code_print(module) != code:
            said = f"the module {module} has changed since the run was trained"
            warnings.warn(f"{said}: its features may be others.", stacklevel=2)
    for path, expected in run.networks.values():
        expected_file = "the network that the run was trained on"
        check_regular(Path(path), CheckpointError, expected_file, "Put the file back there.")
        if (found := weights_hash(path)) != expected:
            wanted = f"those that the run was trained on ({expected})"
            raise CheckpointError(path, f"other weights ({found})", wanted)
    return {stream: path for stream, (path, _) in run.networks.items()}


def sequences_of(
    config: TrainConfig, protocol: str = "centre", frames: int | None = None
) -> tuple[ClipSequence, ...]:
    """A protocol's sequences for a run; frames: T, None as `evaluate_run` says."""
    if frames is None:
        frames = config.test_frames if protocol == "centre" else FRAMES
    found = test_sequences(protocol, frames)
    # the first stored view is the run's own centre, whatever it was given
    return (replace(found[0], view=config.views[0]),) if protocol == "centre" else found


def prepare_sequences(
    dataset: ClipDataset, part: str, settings: FeatureSettings, sequences: Sequence[ClipSequence],
    cache: str | Path, device: str = "cpu", workers: int = 2,
) -> dict[ClipSequence, ClipFeatures]:  # fmt: skip
    """The features of each test sequence, with one view; what the stores lack is made.

    settings: those of the run; its views play no part. Sequences lie in stores of the same kind,
    one for each stream, view and temporal extent; those of a whole clip are the ones that training
    makes. The same clip may have other places P in another sequence, as its scale has. Raises as
    `prepare_parts` does.
    """
    wanted = dict.fromkeys(sequences, getattr(dataset, part))
    made = missing_sequences(dataset, wanted, settings, cache, device)
    made.run(workers)
    # each sequence is read once, and 22 of them would be too many open files
    return {one: look_up(made, part, [one], kept_open=0) for one in sequences}


def table_of_sequences(
    folder: Path, protocol: str, frames: int | None = None, part: str = "test",
    root: str | None = None,
) -> Table:  # fmt: skip
    """A protocol's sequences for the first clip of a run's part.

    Raises ConfigError for a part without clips, and what reading run and clips raises.
    """
    check_choice("--part", part, PARTS)
    run = open_checkpoint(folder, "cpu", root)
    settings = feature_settings(run.config, check_networks(run.description))
    dataset = open_dataset(run.config)
    if not (clips := getattr(dataset, part)):
        raise ConfigError("--part", f"{part}, without clips", "a part that has some")
    n, h, w = dataset.frames(clips[0]).shape[:3]
    rows = sequence_rows(sequences_of(run.config, protocol, frames), n, (h, w), settings)
    return sequence_table(rows, f"{clips[0].name}: {n} frames of {w} x {h} pixels")


def run_settings(folder: Path) -> FeatureSettings:
    """What a finished run's features are made with; CheckpointError where a network changed."""
    run = open_checkpoint(folder, "cpu")
    return feature_settings(run.config, check_networks(run.description))


@dataclass(frozen=True)
class SequenceRow:
    """What a sequence is for one clip.

    rectangle: the crop in source pixels, (top, bottom, left, right), ends not included. index: the
    frames (T,). sides: each stream's input in pixels. k: K of its cubes, so P = k * k places.
    """

    name: str
    extent: str
    scale: int
    crop: str
    mirror: bool
    rectangle: tuple[int, int, int, int]
    index: tuple[int, ...]
    sides: Mapping[str, int]
    k: int


def sequence_rows(
    sequences: Sequence[ClipSequence], n_frames: int, shape: Sequence[int],
    settings: FeatureSettings,
) -> list[SequenceRow]:  # fmt: skip
    """The sequences of a clip of n_frames frames of (H, W) pixels, for a run's networks.

    Raises ConfigError where the streams' cubes differ in places.
    """
    counted = settings.places_of([one.view for one in sequences])
    rows = []
    for one in sequences:
        box = view(one.view, shape, settings.size).box(*shape[:2])
        sides = {s: view_side(one.view, settings.size_of(s)) for s in settings.weights}
        index, k = tuple(one.index(n_frames).tolist()), round(counted[one.view] ** 0.5)
        crop, scale, mirror = read_view(one.view)
        named = (one.name, one.extent, scale, crop, mirror)
        rows.append(SequenceRow(*named, box, index, sides, k))
    return rows


def evaluate_sequences(
    model: RSTAN, features: Mapping[ClipSequence, ClipFeatures], head: str, batch_size: int = 32,
    precision: str = "32",
) -> dict[ClipSequence, Evaluation]:  # fmt: skip
    """Run a model over each sequence; `average` makes one answer of them."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    with for_work(weights * batch_size):
        how = batch_size, precision
        return {k: evaluate(model, of_one, head, k.frames, *how) for k, of_one in features.items()}


def average(results: Sequence[Evaluation]) -> Evaluation:
    """The mean of one or more answers on the same clips: of scores, losses and shares."""
    means: dict[str, Any] = {}
    for name in ("scores", "silhouettes"):
        means[name] = torch.stack([getattr(result, name) for result in results]).mean(0)
    for name in ("loss", "attention_share", "area_share"):
        known = [value for result in results if (value := getattr(result, name)) is not None]
        means[name] = sum(known) / len(known) if known else None
    return replace(results[0], **means)


SEQUENCE_COLUMNS = (
    "sequence", "extent", "scale", "crop", "mirror", "rows", "columns", "input", "K", "frames",
)  # fmt: skip


def sequence_table(rows: Sequence[SequenceRow], clip: str = "") -> Table:
    """One line a sequence of a clip: its crop in source pixels (ends not included), inputs, frames.

    rows: of one clip. clip: words that say which, for the caption. Frames 4, 5, 6 are written 4-6.
    """
    lines = []
    for row in rows:
        top, bottom, left, right = row.rectangle
        sides, mirror = sorted(set(row.sides.values())), "yes" if row.mirror else "no"
        crop = row.crop, mirror, f"{top}-{bottom}", f"{left}-{right}"
        network = ", ".join(map(str, sides)), str(row.k), runs_of(row.index)
        lines.append((row.name, row.extent, str(row.scale), *crop, *network))
    frames = f"{len(rows)} sequences of {len(rows[0].index)} frames" if rows else "no sequences"
    return Table(SEQUENCE_COLUMNS, tuple(lines), f"{frames}; {clip}" if clip else frames)


def runs_of(index: Sequence[int]) -> str:
    """Frame numbers in few letters: 4, 5, 6, 6, 8 is `4-6 6 8`."""
    parts: list[list[int]] = []
    for i in index:
        if parts and i == parts[-1][-1] + 1:
            parts[-1].append(i)
        else:
            parts.append([i])
    return " ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
