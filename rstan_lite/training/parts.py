"""What a run trains on: the clips and networks that its configuration names, and their features.

A second data set (Section IV-B) is another list of clips through the same networks and steps.
"""

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from rstan_lite.data.clips import ClipDataset
from rstan_lite.data.datasets import DATASETS, open_clips
from rstan_lite.features.backbones import backbone
from rstan_lite.features.extraction import FeatureSettings
from rstan_lite.features.networks import find_network, look
from rstan_lite.features.pipeline import PARTS, ClipFeatures, prepare_parts
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import CheckpointError, ConfigError, DataError
from rstan_lite.system.reading import disk_errors
from rstan_lite.system.settings import default_cache, one_of, pairs
from rstan_lite.system.tensor_files import weights_hash
from rstan_lite.system.threads import cores
from rstan_lite.training.batches import measure_scales
from rstan_lite.training.config import TrainConfig

PUPPETS = "puppets"
FOLDER = "puppets-tour-24"  # generated clips, inside the cache, where no root is given
CLIPS_A_WORKER = 20  # starting a process costs about what so many clips do


@dataclass(frozen=True)
class Parts:
    """A data set's features, as a run needs them.

    missing: clips that the lists name in vain. damaged: by part, and what was found in them.
    networks: each stream's weights file, and its hash. seen: see `networks_seen`.
    second: training clips of a second data set; second_shared: those that the first one judges by.
    short_side, data: of the first data set, see `Description`. code: see `FeatureSettings.code_of`.
    """

    train: ClipFeatures
    validation: ClipFeatures
    test: ClipFeatures
    missing: tuple[str, ...] = ()
    damaged: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    networks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    second: ClipFeatures | None = None
    second_missing: tuple[str, ...] = ()
    second_damaged: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    second_shared: tuple[str, ...] = ()
    seen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    short_side: int = 0
    data: str = ""
    code: Mapping[str, str] = field(default_factory=dict)


def load_parts(config: TrainConfig, progress: bool = True) -> Parts:
    """Features of all parts, and which networks made them: the first data set's, for both.

    progress: show bars of what is made.
    """
    dataset, other, networks, shared = find_sources(config, progress)
    dataset.check_training()
    found: dict[str, Any] = {**_prepare(config, PARTS, networks, dataset, progress)}
    dataset.check_training()  # damaged clips may have been left out
    if other is not None:
        second = _prepare(second_config(config), ("train",), networks, other, progress)["train"]
        found |= {"second": second, "second_missing": other.missing}
        found |= {"second_damaged": other.damaged, "second_shared": shared}
    return Parts(
        **found,
        missing=dataset.missing,
        networks={stream: (path, weights_hash(path)) for stream, path in networks.items()},
        damaged=dataset.damaged,
        seen=networks_seen(networks, dataset, config.dataset),  # now: without damaged clips
        short_side=dataset.short_side(),
        data=dataset.identity(),
        code=feature_settings(config, networks).code_of(*config.streams),
    )


def scaled(config: TrainConfig, parts: Parts) -> Parts:
    """The parts, also a second data set, with the training part's scales, where asked for."""
    if config.scale == "none":
        return parts
    scales = measure_scales(parts.train)
    names = (*PARTS, "second") if parts.second is not None else PARTS
    return replace(parts, **{name: replace(getattr(parts, name), scales=scales) for name in names})


class Sources(NamedTuple):
    """What a configuration's features are made of.

    networks: each stream's file of weights. shared: clips of second that dataset judges by.
    """

    dataset: ClipDataset
    second: ClipDataset | None
    networks: Mapping[str, str]
    shared: tuple[str, ...]


def find_sources(config: TrainConfig, progress: bool = True) -> Sources:
    """Open a configuration's data sets and find its networks; puppets may be generated.

    Raises ConfigError, DataError (clips) and CheckpointError (networks).
    """
    dataset = open_dataset(config, progress)
    other, shared = _open_second(config, dataset, progress)
    named = {"appearance": config.appearance_weights, "motion": config.motion_weights}
    named |= pairs("--input-weights", config.input_weights)
    networks = dict.fromkeys(config.streams, "")
    settings = feature_settings(config, networks)
    for stream in config.streams:
        settings.code_of(stream)  # what there isn't is said before weights are looked for
        backbone(name := settings.backbone_of(stream))
        cache, given = cache_folder(config), named.get(stream, "")
        networks[stream] = str(find_network(dataset, name, stream, cache, given))
    settings.places_of(config.views)  # complains before the work
    return Sources(dataset, other, networks, shared)


def cache_folder(config: TrainConfig) -> Path:
    """Where stores and tuned networks lie."""
    return Path(config.cache or default_cache()).absolute()


def open_dataset(config: TrainConfig, progress: bool = True) -> ClipDataset:
    """The data set of a configuration; puppets are generated. Raises ConfigError, DataError."""
    root, name = config.root, config.dataset
    if name == PUPPETS:
        root = str(generated(Path(root or cache_folder(config) / FOLDER), progress))
    if not root:
        hint = "Use --dataset puppets for generated clips."
        raise ConfigError("--root", "nothing", f"the folder of the {name} clips", hint)
    how = config.split, config.missing, config.validation, config.damaged, config.fold
    return open_clips(name, root, *how)


def generated(folder: Path, progress: bool = True, **parameters: Any) -> Path:
    """A folder of puppets, which are drawn if absent. parameters: `generate`'s; none: TOUR."""
    with disk_errors(DataError, folder, "the folder of the generated clips"):
        there = (folder / "puppets.json").exists()  # written last: absent, or interrupted
    if not there:
        from rstan_lite.puppets import TOUR, generate

        generate(folder, progress=progress, **(parameters or TOUR))
    return folder


def second_config(config: TrainConfig) -> TrainConfig:
    """A run's configuration with its second data set, all of it, in the first one's place.

    ConfigError for a run without one.
    """
    if config.second_dataset == "none":
        raise ConfigError("--second-dataset", "none", one_of(DATASETS))
    return replace(
        config, dataset=config.second_dataset, root=config.second_root, split=config.second_split,
        validation=0.0, fold=0, second_dataset="none", second_root="",
    )  # fmt: skip


def _open_second(
    config: TrainConfig, dataset: ClipDataset, progress: bool
) -> tuple[ClipDataset | None, tuple[str, ...]]:
    """A configuration's second data set, or None; and its clips that the first one judges by."""
    if config.second_dataset == "none":
        return None, ()
    if not config.second_root and config.second_dataset != PUPPETS:
        expected = f"the folder of the {config.second_dataset} clips"
        raise ConfigError("--second-root", "nothing", expected)
    other = open_dataset(second_config(config), progress)
    judged = {clip.name for clip in (*dataset.validation, *dataset.test)}
    shared = sorted(judged & {clip.name for clip in other.train})
    kin = {config.dataset, config.second_dataset} == {"jhmdb", "hmdb51"}
    if kin or (other.NAME == dataset.NAME and shared):
        said = f"{len(shared)} of the clips that are judged train in the second data set"
        why = ": JHMDB was cut from HMDB51, with splits of its own" if kin else ""
        warnings.warn(f"{said}{why}. Accuracies are those of clips seen in training.", stacklevel=2)
    return other, tuple(shared)


def feature_settings(config: TrainConfig, networks: Mapping[str, str]) -> FeatureSettings:
    """What the features of a configuration are made with. networks: each stream's weights file."""
    if not set(config.streams) <= networks.keys():
        expected = f"one for each of {', '.join(config.streams)}"
        raise CheckpointError("networks", f"{sorted(networks)}", expected)
    weights = {stream: networks[stream] for stream in config.streams}
    names = {spec.name for spec in fields(FeatureSettings)} - {"weights", "frames"}
    shared: dict[str, Any] = {name: getattr(config, name) for name in names}
    return FeatureSettings(weights, frames=config.stored_frames, **shared)


def load_part(
    config: TrainConfig, part: str, networks: Mapping[str, str], dataset: ClipDataset | None = None
) -> ClipFeatures:
    """Features of one part ("train", "validation", "test"), made where the store lacks them."""
    return _prepare(config, (part,), networks, dataset or open_dataset(config))[part]


def _prepare(
    config: TrainConfig, parts: Sequence[str], networks: Mapping[str, str], dataset: ClipDataset,
    progress: bool = True,
) -> dict[str, ClipFeatures]:  # fmt: skip
    settings, cache = feature_settings(config, networks), cache_folder(config)
    device, workers = choose_device(config.device).type, extraction_workers(dataset, parts)
    return prepare_parts(dataset, parts, settings, cache, device, workers, progress)


def extraction_workers(dataset: ClipDataset, parts: Sequence[str]) -> int:
    """Processes that extract: no more than cores, or than pays for a few clips."""
    clips = sum(len(getattr(dataset, part)) for part in parts)
    return max(1, min(cores(), clips // CLIPS_A_WORKER))


def networks_seen(
    networks: Mapping[str, str], dataset: ClipDataset, name: str,
    parts: Sequence[str] = ("test", "validation"),
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """For each stream whether its network was trained on clips of a part, as metrics.json has it.

    Keys: "file", and of each part "saw_<part>" (None: not known) and "<part>_why".
    """
    found: dict[str, dict[str, Any]] = {}
    for stream, path in networks.items():
        found[stream] = {"file": path}
        for part in parts:
            answer = look(path, dataset, name, part)
            found[stream] |= {f"saw_{part}": answer.seen, f"{part}_why": answer.why}
    return found


def warn_of_seen(seen: Mapping[str, Mapping[str, Any]]) -> None:
    """Say, a line a stream, where a network was trained on clips that are judged now."""
    for stream, found in seen.items():
        for part in ("test", "validation"):
            if found.get(f"saw_{part}"):
                said = f"the {stream} network {found['file']} has seen {part} clips: "
                why = f"{found[f'{part}_why']}. The {part} accuracy is no measure of unseen clips."
                print(f"warning: {said}{why}", file=sys.stderr)
