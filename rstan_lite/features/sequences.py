"""Features of test sequences: other frames and other crops than the stored ones of training.

They lie in stores of the same kind, one for each stream, view and temporal extent. A sequence's
frames are decoded again, as an extent needs frames that training did not keep; flow is kept of all
pairs and is not computed twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.sampling import ClipSequence
from rstan_lite.features.backbones import FeatureNet
from rstan_lite.features.extraction import image_features, load_network, view_target
from rstan_lite.features.flow import estimator
from rstan_lite.features.images import stream_images
from rstan_lite.features.inputs import InputStore, fill_inputs, inputs_store
from rstan_lite.features.parallel import over_clips
from rstan_lite.features.pipeline import Features, feature_stores
from rstan_lite.features.settings import FeatureSettings
from rstan_lite.features.store import Fingerprints, Store, fingerprint
from rstan_lite.system.files import clear_parts

Stores = Mapping[ClipSequence, Mapping[str, Store]]  # by sequence, then by stream or "target"


def prepare_sequences(
    dataset: ClipDataset,
    part: str,
    settings: FeatureSettings,
    sequences: Sequence[ClipSequence],
    cache: str | Path,
    device: str = "cpu",
    workers: int = 2,
) -> dict[ClipSequence, Features]:
    """The features of each sequence, with one view; what the stores under `cache` lack is made.

    part: "test" or "validation". settings: those of the run; its views play no part.
    The same clip may have other places P in another sequence, as its scale has.
    Raises DataError (clips), CheckpointError (weights), StoreError (disk, damaged stores).
    """
    flow = estimator(settings.flow, settings.flow_weights, device)
    inputs = inputs_store(dataset, cache, settings.frames, flow, settings.camera)
    stores = _stores(settings, inputs, sequences, cache)
    todo = _missing(stores, getattr(dataset, part))
    if todo:
        for store in (store for of_one in stores.values() for store in of_one.values()):
            clear_parts(store.folder)
        _fill(stores, todo, dataset, inputs, settings, device, workers)
    return {
        one: Features(
            getattr(dataset, part),
            {(kind, one.view): store for kind, store in of_one.items()},
            tuple(settings.weights),
            [one.view],
            kept_open=0,  # each sequence is read once, and 22 of them would be too many open files
        )
        for one, of_one in stores.items()
    }


def _stores(
    settings: FeatureSettings,
    inputs: InputStore,
    sequences: Sequence[ClipSequence],
    cache: str | Path,
) -> dict[ClipSequence, dict[str, Store]]:
    """Each sequence's stores. Those of a whole clip are the ones that training would make."""
    groups: dict[tuple[str, int], list[ClipSequence]] = {}
    for one in sequences:
        groups.setdefault((one.extent, one.frames), []).append(one)
    found = {}
    for (extent, frames), members in groups.items():
        key: dict[str, Any] = {**inputs.recipe, "frames": frames}
        key |= {} if extent == "whole" else {"extent": extent}
        stores = feature_stores(settings, key, [one.view for one in members], cache)
        for one in members:
            found[one] = {kind: store for (kind, name), store in stores.items() if name == one.view}
    return {one: found[one] for one in sequences}


def _missing(stores: Stores, clips: list[Clip]) -> dict[Clip, list[tuple[str, ClipSequence]]]:
    """What has to be made of each clip: (stream or "target", sequence)."""
    todo: dict[Clip, list[tuple[str, ClipSequence]]] = {}
    prints = Fingerprints()  # each clip is read once for all stores
    for one, of_one in stores.items():
        for kind, store in of_one.items():
            for clip in store.missing(clips, prints):
                todo.setdefault(clip, []).append((kind, one))
    return todo


def _fill(
    stores: Stores,
    todo: Mapping[Clip, Sequence[tuple[str, ClipSequence]]],
    dataset: ClipDataset,
    inputs: InputStore,
    settings: FeatureSettings,
    device: str,
    workers: int,
) -> None:
    if "motion" in settings.weights:
        fill_inputs(inputs, dataset, list(todo), workers)
    networks = {
        stream: load_network(settings, stream).to(device).to(memory_format=torch.channels_last)
        for stream in settings.weights
    }

    def fill(clip: Clip, _: None) -> None:
        clip_print = fingerprint(clip.path)  # before the clip is read: a later change is then seen
        frames = dataset.frames(clip)
        masks = dataset.silhouettes(clip, frames)
        tensors = {"frames": torch.from_numpy(frames), "index": torch.arange(len(frames))}
        if "motion" in networks:
            tensors["flow"] = inputs.read(clip, "flow")
        for (kind, name), members in _by_view(todo[clip]).items():
            index = {one: one.index(len(frames)) for one in members}
            used = np.unique(np.concatenate(list(index.values())))  # each frame once
            if kind == "target":
                store = stores[members[0]][kind]
                made = {"target": view_target(masks[used], name, settings.size, store)}
            else:
                made = _features(networks[kind], tensors, kind, name, settings, used, device)
            for one in members:
                rows = torch.from_numpy(np.searchsorted(used, index[one]))
                tensors_of_one = {key: x[rows] for key, x in made.items()}
                stores[one][kind].write(clip, tensors_of_one, clip_print)

    over_clips(list(todo), [], [fill], 1, "test sequences", dataset)


def _by_view(
    wanted: Sequence[tuple[str, ClipSequence]],
) -> dict[tuple[str, str], list[ClipSequence]]:
    """The sequences that share images: (stream or "target", view) -> sequences."""
    groups: dict[tuple[str, str], list[ClipSequence]] = {}
    for kind, one in wanted:
        groups.setdefault((kind, one.view), []).append(one)
    return groups


def _features(
    net: FeatureNet, tensors: Mapping[str, Tensor], stream: str, name: str,
    settings: FeatureSettings, frames: np.ndarray, device: str,
) -> dict[str, Tensor]:  # fmt: skip
    size = settings.size_of(stream)
    images = stream_images(tensors.__getitem__, stream, name, size, frames.tolist(), net.spec.pairs)
    return image_features(net, images, device)
