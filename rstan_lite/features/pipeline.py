"""From clips on disk to the features that the recurrence reads: extract, then look up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import check_views, view, view_side
from rstan_lite.errors import ConfigError
from rstan_lite.features.backbones import STREAMS, FeatureNet, backbone
from rstan_lite.features.images import view_images
from rstan_lite.features.inputs import fill_inputs, has_masks, inputs_store
from rstan_lite.features.pretrained import load_imagenet, load_tuned, read_state, weights_hash
from rstan_lite.features.store import Store
from rstan_lite.features.uninitialised import Uninitialised

BATCH = 16  # images through a network at a time


@dataclass(frozen=True)
class FeatureSettings:
    """What the features of a data set are made with; all of it is part of the stores' keys.

    weights: a file for each stream that is wanted: a tuned network or an ImageNet state.
    backbone, size: network and side of its input in pixels; motion_backbone, motion_size: those of
    the motion stream, where they differ.
    views: the stored views of a training clip; the first also serves tests. frames: S stored
    frames a clip. flow, camera: see `flow.flow_sequence`.
    """

    weights: Mapping[str, str | Path]
    backbone: str = "squeezenet1_0"
    views: tuple[str, ...] = ("centre", "centre-mirror")
    frames: int = 16
    size: int = 224
    motion_backbone: str = ""
    motion_size: int = 0
    flow: str = "dis"
    camera: str = "similarity"

    def __post_init__(self) -> None:
        for stream in self.weights:
            if stream not in STREAMS:
                raise ConfigError("stream", repr(stream), f"one of {', '.join(STREAMS)}")
        if not self.weights or not self.views:
            raise ConfigError("features", "no stream or no view", "at least one of each")
        check_views(self.views, self.size)

    def backbone_of(self, stream: str) -> str:
        """The name of a stream's network."""
        return (self.motion_backbone if stream == "motion" else "") or self.backbone

    def size_of(self, stream: str) -> int:
        """The side of a stream's images in pixels."""
        return (self.motion_size if stream == "motion" else 0) or self.size

    @cached_property
    def places(self) -> int:
        """P, places of the streams' cubes in the first view, see `places_of`."""
        return self.places_of(self.views)[self.views[0]]

    def places_of(self, views: Sequence[str]) -> dict[str, int]:
        """P of the cubes in each view, the same in all streams; only shapes are computed.

        Raises ConfigError for an unknown network or node, a side of images that a network can't
        take, and streams with other numbers of places.
        """
        found: dict[str, dict[str, int]] = {name: {} for name in views}
        known: dict[tuple[str, int], int] = {}
        for stream in self.weights:
            spec, size = backbone(self.backbone_of(stream)), self.size_of(stream)
            with Uninitialised():
                net = FeatureNet(spec, stream, side=size)
            for name in views:
                side = view_side(name, size)
                if (stream, side) not in known:
                    known[stream, side] = net.sizes(side)[0]
                found[name][stream] = known[stream, side]
        for name, of_view in found.items():
            if len(set(of_view.values())) > 1:
                raise ConfigError(
                    "features",
                    f"cubes of {of_view} places in the view {name}",
                    "as many places in both streams: attention is fused place by place (Eq. 14)",
                    "Choose other sizes of the networks' inputs.",
                )
        return {name: next(iter(of_view.values())) for name, of_view in found.items()}


def load_network(settings: FeatureSettings, stream: str) -> FeatureNet:
    """A stream's network with its weights, ready to extract features.

    The weights file may be one of `rstan-lite tune` (or shipped) or an ImageNet state; from the
    latter a motion network gets its first convolution by cross-modality initialisation.
    """
    path = settings.weights[stream]
    state = read_state(Path(path))
    classes = len(state["classifier.bias"]) if any(k.startswith("trunk.") for k in state) else 0
    with Uninitialised():
        net = FeatureNet(
            backbone(settings.backbone_of(stream)), stream, classes, side=settings.size_of(stream)
        )
    if classes:
        load_tuned(net, path)
    else:
        load_imagenet(net, path)
    return net.eval()


class Features:
    """A data set's features on disk, for a choice of clips.

    cubes[stream]: n clips of (V, S, P, d_cv); vectors[stream]: (V, S, d_fc); target: (V, S, P);
    all are lazy: `cubes[stream][i][v]` is read from the disk when it is touched.
    """

    def __init__(
        self,
        clips: list[Clip],
        stores: Mapping[tuple[str, str], Store],
        streams: Sequence[str],
        views: Sequence[str],
    ):
        self.cubes, self.vectors = (
            {s: Rows([stores[s, v] for v in views], clips, name) for s in streams}
            for name in ("cubes", "vectors")
        )
        self.target = Rows([stores["target", v] for v in views], clips, "target")


class Rows:
    """A stored tensor of many clips and views as one lazy array (n, V, ...).

    `rows[i]` lists clip i's tensor for each view, memory-mapped.
    """

    def __init__(self, stores: list[Store], clips: list[Clip], name: str):
        self._stores, self._clips, self._name = stores, clips, name
        one = stores[0].read(clips[0], name).shape if clips else ()
        self.shape = (len(clips), len(stores), *one)

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, row: int) -> list[Tensor]:
        return [store.read(self._clips[row], self._name) for store in self._stores]


def prepare(
    dataset: ClipDataset,
    part: str,
    settings: FeatureSettings,
    cache: str | Path,
    device: str = "cpu",
    workers: int = 2,
) -> Features:
    """The features of a part of a data set; what the stores under `cache` lack is made first.

    part: "train" (all views), "validation" or "test" (the first view only).
    Raises DataError (clips), CheckpointError (weights), StoreError (disk, damaged stores).
    """
    if part not in ("train", "validation", "test"):
        raise ConfigError("part", repr(part), "train, validation or test")
    clips: list[Clip] = getattr(dataset, part)
    views = settings.views if part == "train" else settings.views[:1]
    inputs = inputs_store(dataset, cache, settings.frames, settings.flow, settings.camera)
    stores = feature_stores(settings, inputs.key, settings.views, cache)
    wanted = {key: store for key, store in stores.items() if key[1] in views}
    todo = {key: store.missing(clips) for key, store in wanted.items()}
    if any(todo.values()):
        fill_inputs(inputs, dataset, clips, workers)
        for kind in dict.fromkeys(kind for kind, _ in todo):
            _fill(kind, wanted, inputs, todo, settings, device)
    return Features(clips, stores, tuple(settings.weights), views)


def feature_stores(
    settings: FeatureSettings, inputs: Mapping[str, Any], views: Sequence[str], cache: str | Path
) -> dict[tuple[str, str], Store]:
    """A store for each (stream or "target", view), views of any size.

    inputs: what says which clips and frames the features are of, see `inputs.inputs_store`.
    Raises ConfigError where the streams' cubes differ in places.
    """
    stores, counted = {}, settings.places_of(views)
    for stream, weights in settings.weights.items():
        read_state(Path(weights))  # a missing or damaged file is said before its hash is taken
        for name in views:
            key = {
                "content": f"features 1, {stream}",
                "inputs": inputs,
                "backbone": settings.backbone_of(stream),
                "weights": weights_hash(weights),
                "view": name,
                "size": settings.size_of(stream),
                **backbone(settings.backbone_of(stream)).content(stream),
            }
            stores[stream, name] = Store.under(cache, stream, key)
    for name in views:
        key = {"content": "target 1", "inputs": inputs, "view": name}
        key |= {"size": settings.size, "places": counted[name]}
        stores["target", name] = Store.under(cache, "target", key)
    return stores


def _fill(
    kind: str, stores: Mapping[tuple[str, str], Store], inputs: Store,
    todo: Mapping[tuple[str, str], list[Clip]], settings: FeatureSettings, device: str,
) -> None:  # fmt: skip
    """Make what the stores of a stream, or of "target", lack, in all views."""
    todo = {key: clips for key, clips in todo.items() if key[0] == kind and clips}
    net = None
    if todo and kind != "target":  # loaded once for all views: it may hold half a gigabyte
        net = load_network(settings, kind).to(device).to(memory_format=torch.channels_last)
    for (_, name), clips in todo.items():
        store = stores[kind, name]
        for clip in tqdm(clips, desc=f"{kind}, {name}"):
            if net is None:
                store.write(clip, {"target": _clip_target(inputs, clip, name, settings, store)})
                continue
            frames, size = range(len(inputs.read(clip, "index"))), settings.size_of(kind)
            images = view_images(inputs, clip, kind, name, size, frames, net.spec.pairs)
            store.write(clip, image_features(net, images, device))


def _clip_target(
    inputs: Store, clip: Clip, name: str, settings: FeatureSettings, store: Store
) -> Tensor:
    """M of Eq. 18 of the stored frames, (S, P); zeros where the data set has no silhouettes."""
    if not has_masks(inputs):
        return torch.zeros(len(inputs.read(clip, "index")), store.key["places"])
    return view_target(inputs.read(clip, "masks").numpy(), name, settings.size, store)


def view_target(masks: np.ndarray, name: str, size: int, store: Store) -> Tensor:
    """M of Eq. 18 in a view, float32 (S, P), of masks uint8 (S, H, W); P is the store's."""
    geometry = view(name, masks.shape[1:3], size)
    seen = np.stack([geometry.mask(mask) for mask in masks])
    return torch.from_numpy(target(seen, round(store.key["places"] ** 0.5)))


@torch.no_grad()
def image_features(net: FeatureNet, images: Tensor, device: str = "cpu") -> dict[str, Tensor]:
    """Cubes (n, P, d_cv) and vectors (n, d_fc), float16, of images uint8 (n, s, s, channels)."""
    parts = [net.features(chunk.to(device)) for chunk in images.split(BATCH)]
    return {name: torch.cat([part[name] for part in parts]).half().cpu() for name in parts[0]}
