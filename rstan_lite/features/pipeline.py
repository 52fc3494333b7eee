"""From clips on disk to the features that the recurrence reads: extract, then look up."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.features.backbones import backbone
from rstan_lite.features.extraction import Extraction
from rstan_lite.features.flow import estimator
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.pretrained import read_state, weights_hash
from rstan_lite.features.settings import FeatureSettings
from rstan_lite.features.store import Fingerprints, Store
from rstan_lite.system.errors import ConfigError, StoreError
from rstan_lite.system.files import clear_parts

PARTS = ("train", "validation", "test")
# Files of one tensor of one part. With two streams a part has five tensors, so that three parts and
# a second data set stay below the 65,530 maps that Linux allows a process.
KEPT_OPEN = 2048


class Features:
    """A data set's features on disk, for a choice of clips.

    cubes[stream]: n clips of (V, S, P, d_cv); vectors[stream]: (V, S, d_fc); target: (V, S, P);
    all are lazy: `cubes[stream][i][v]` is read from the disk when it is touched. stores: by
    (stream or "target", view). kept_open: files of each tensor that stay open once they were read.
    """

    def __init__(
        self,
        clips: list[Clip],
        stores: Mapping[tuple[str, str], Store],
        streams: Sequence[str],
        views: Sequence[str],
        kept_open: int = KEPT_OPEN,
    ):
        self.stores = stores
        self.cubes, self.vectors = (
            {s: Rows([stores[s, v] for v in views], clips, name, kept_open) for s in streams}
            for name in ("cubes", "vectors")
        )
        self.target = Rows([stores["target", v] for v in views], clips, "target", kept_open)


class Rows:
    """A stored tensor of many clips and views as one lazy array (n, V, ...).

    `rows[i]` lists clip i's tensor for each view, memory-mapped. Files stay open, up to kept_open:
    what is read again costs no more than its copy.
    """

    def __init__(self, stores: list[Store], clips: list[Clip], name: str, kept_open: int):
        self._stores, self._clips, self._name = stores, clips, name
        self._kept_open = kept_open
        self._one = tuple(stores[0].read(clips[0], name).shape) if clips else ()
        self.shape = (len(clips), len(stores), *self._one)
        self._open: dict[int, list[Tensor]] = {}

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, row: int) -> list[Tensor]:
        if row in self._open:
            return self._open[row]
        found = [self._read(store, self._clips[row]) for store in self._stores]
        if (len(self._open) + 1) * len(found) <= self._kept_open:
            self._open[row] = found
        return found

    def _read(self, store: Store, clip: Clip) -> Tensor:
        found = store.read(clip, self._name)
        if tuple(found.shape) != self._one or not found.is_floating_point():
            raise StoreError(
                store.path(clip),
                f"{self._name} {tuple(found.shape)} of {found.dtype}",
                f"floating-point numbers of shape {self._one}, as of the first clip",
                "Remove it and run `rstan-lite extract` again: only this clip is made anew.",
            )
        return found


def prepare(
    dataset: ClipDataset,
    part: str,
    settings: FeatureSettings,
    cache: str | Path,
    device: str = "cpu",
    workers: int = 2,
) -> Features:
    """`prepare_parts` of one part."""
    return prepare_parts(dataset, (part,), settings, cache, device, workers)[part]


def prepare_parts(
    dataset: ClipDataset,
    parts: Sequence[str],
    settings: FeatureSettings,
    cache: str | Path,
    device: str = "cpu",
    workers: int = 2,
) -> dict[str, Features]:
    """The features of parts of a data set; what the stores under `cache` lack is made first.

    parts: some of "train" (all views), "validation" and "test" (the first view only).
    workers: processes; one or none: this one alone.
    Clips whose inputs `rstan-lite tune` stored are not decoded again. Each clip's features appear
    whole or not at all, so that a call after a killed one makes the rest.
    Raises DataError (clips), CheckpointError (weights), StoreError (disk, damaged stores).
    """
    found = missing_features(dataset, parts, settings, cache, device)
    if found.todo:
        for store in found.stores.values():
            clear_parts(store.folder)
        found.run(workers)
    return {
        part: Features(
            getattr(dataset, part), found.stores, tuple(settings.weights), _views(settings, part)
        )
        for part in parts
    }


def missing_features(
    dataset: ClipDataset,
    parts: Sequence[str],
    settings: FeatureSettings,
    cache: str | Path,
    device: str = "cpu",
    only: Container[str] | None = None,
) -> Extraction:
    """The steps that make what the stores under `cache` lack of parts of a data set, not yet taken.

    only: names of clips; the others are left out, and not read. Raises as `prepare_parts` does.
    """
    for part in parts:
        if part not in PARTS:
            raise ConfigError("part", repr(part), f"one of {', '.join(PARTS)}")
    flow = estimator(settings.flow, settings.flow_weights, device)
    inputs = inputs_store(dataset, cache, settings.frames, flow, settings.camera)
    stores = feature_stores(settings, inputs.recipe, settings.views, cache)
    prints = Fingerprints()
    todo: dict[Clip, list[tuple[str, str]]] = {}
    for part in parts:
        clips = [c for c in getattr(dataset, part) if only is None or c.name in only]
        views = _views(settings, part)
        for key, store in stores.items():
            for clip in store.missing(clips, prints) if key[1] in views else ():
                todo.setdefault(clip, []).append(key)
    return Extraction(dataset, inputs, stores, todo, settings, device)


def _views(settings: FeatureSettings, part: str) -> tuple[str, ...]:
    return settings.views if part == "train" else settings.views[:1]


def feature_stores(
    settings: FeatureSettings, inputs: Mapping[str, Any], views: Sequence[str], cache: str | Path
) -> dict[tuple[str, str], Store]:
    """A store for each (stream or "target", view), views of any size.

    inputs: what says which clips and frames the features are of, see `inputs.InputStore`'s recipe.
    Raises ConfigError where the streams' cubes differ in places.
    """
    stores, places = {}, settings.places_of(views)
    for stream, weights in settings.weights.items():
        read_state(Path(weights))  # a missing or damaged file is said before its hash is taken
        for name in views:
            key = {
                "content": f"features 2, {stream}",
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
        key |= {"size": settings.size, "places": places[name]}
        stores["target", name] = Store.under(cache, "target", key)
    return stores
