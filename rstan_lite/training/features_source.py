"""A run's features: the data set and networks that its configuration names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rstan_lite.data.jhmdb import JHMDB, Clip
from rstan_lite.devices import choose_device
from rstan_lite.errors import CheckpointError, ConfigError
from rstan_lite.features.cli import default_cache
from rstan_lite.features.networks import find_network
from rstan_lite.features.pipeline import PARTS, prepare_parts
from rstan_lite.features.pretrained import weights_hash
from rstan_lite.features.settings import FeatureSettings
from rstan_lite.training.batches import ClipFeatures
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.train import Parts

PUPPETS = "puppets"  # folder of generated clips, inside the cache, where no root is given
# A tour of these ends in minutes on two cores. Fewer actions with more clips of each make a table
# that says more than all twenty with a handful.
PUPPETS_PER_CLASS = 16
PUPPETS_ACTIONS = (
    "clap", "climb_stairs", "golf", "jump", "kick_ball", "pick",
    "pullup", "run", "shoot_bow", "sit", "walk", "wave",
)  # fmt: skip

CLIPS_A_WORKER = 20  # starting a process costs about what so many clips do


def cache_folder(config: TrainConfig) -> Path:
    """Where stores and tuned networks lie."""
    return Path(config.cache or default_cache())


def open_dataset(config: TrainConfig) -> JHMDB:
    """The data set of a configuration; puppets are generated where they are not there yet.

    Raises ConfigError for JHMDB without a root, DataError for what is wrong with the clips.
    """
    root = config.root
    if not root and config.dataset != PUPPETS:
        raise ConfigError(
            "--root",
            "nothing",
            f"the folder of the {config.dataset} clips",
            "Use --dataset puppets for generated clips.",
        )
    if config.dataset == PUPPETS:
        root = root or str(cache_folder(config) / PUPPETS)
        if not (Path(root) / "puppets.json").exists():  # written last: absent, or interrupted
            from rstan_lite.data.puppets import generate

            generate(Path(root), PUPPETS_PER_CLASS, PUPPETS_ACTIONS)
    return JHMDB(root, config.split, config.missing, config.validation)


def feature_settings(config: TrainConfig, networks: Mapping[str, str]) -> FeatureSettings:
    """What the features of a configuration are made with.

    networks: file of weights of each stream's network.
    """
    return FeatureSettings(
        weights={stream: networks[stream] for stream in config.streams},
        backbone=config.backbone,
        views=config.views,
        frames=config.stored_frames,
        size=config.size,
        motion_backbone=config.motion_backbone,
        motion_size=config.motion_size,
        flow=config.flow,
        flow_weights=config.flow_weights,
        camera=config.camera,
    )


def load_part(
    config: TrainConfig, part: str, networks: Mapping[str, str], dataset: JHMDB | None = None
) -> ClipFeatures:
    """Features of one part ("train", "validation", "test"), made where the store lacks them."""
    return _load(config, (part,), networks, dataset or open_dataset(config))[part]


def _load(
    config: TrainConfig, parts: Sequence[str], networks: Mapping[str, str], dataset: JHMDB
) -> dict[str, ClipFeatures]:
    """Parts by name; what several of them lack is made in one go, as starting costs seconds."""
    clips: dict[str, list[Clip]] = {part: getattr(dataset, part) for part in parts}
    found = prepare_parts(
        dataset,
        parts,
        feature_settings(config, networks),
        cache_folder(config),
        device=choose_device(config.device).type,
        workers=_workers(sum(map(len, clips.values()))),
    )
    return {
        part: ClipFeatures(
            names=[clip.name for clip in clips[part]],
            labels=np.array([clip.label for clip in clips[part]], dtype=np.int64),
            cubes=found[part].cubes,
            vectors=found[part].vectors,
            target=found[part].target,
            classes=dataset.classes,
        )
        for part in parts
    }


def _workers(clips: int) -> int:
    """Processes that extract: no more than cores, or than pays for a few clips."""
    return max(1, min(os.cpu_count() or 1, clips // CLIPS_A_WORKER))


def load_parts(config: TrainConfig) -> Parts:
    """Features of all three parts, and which networks made them."""
    dataset = open_dataset(config)
    named = {"appearance": config.appearance_weights, "motion": config.motion_weights}
    networks = {}
    for stream in config.streams:
        backbone = (config.motion_backbone if stream == "motion" else "") or config.backbone
        found = find_network(dataset, backbone, stream, cache_folder(config), named[stream])
        networks[stream] = str(found)
    loaded = _load(config, PARTS, networks, dataset)
    return Parts(
        train=loaded["train"],
        validation=loaded["validation"],
        test=loaded["test"],
        missing=tuple(dataset.missing),
        networks={stream: (path, weights_hash(path)) for stream, path in networks.items()},
    )


def check_networks(networks: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Files of the networks that a run's features came from; CheckpointError where one changed.

    networks: path and hash of each stream's, as a run's description holds them.
    """
    for path, expected in networks.values():
        if not Path(path).is_file():
            raise CheckpointError(path, "no such file", "the network that the run was trained on")
        found = weights_hash(path)
        if found != expected:
            raise CheckpointError(
                path, f"other weights ({found})", f"those that the run was trained on ({expected})"
            )
    return {stream: path for stream, (path, _) in networks.items()}
