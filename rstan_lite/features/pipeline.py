"""From clips on disk to the features that the recurrence reads: extract, then look up."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache as cached
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.sampling import ClipSequence
from rstan_lite.features.backbones import backbone
from rstan_lite.features.extraction import Extraction, FeatureSettings, Wanted
from rstan_lite.features.flow import estimator
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.store import MEND, Store, fingerprint
from rstan_lite.system.errors import DataError, StoreError
from rstan_lite.system.settings import check_choice
from rstan_lite.system.tensor_files import read_state, weights_hash

PARTS = ("train", "validation", "test")
# Files of one tensor of one part: all of a run stay below the 65,530 maps that Linux allows.
KEPT_OPEN = 2048


@dataclass
class ClipFeatures:
    """The features of n clips: arrays, or `Rows` that are read when they are touched.

    names: n clip names. labels: (n,) int64 indices into classes.
    cubes[stream]: (n, V, S, P, d_cv) and vectors[stream]: (n, V, S, d_fc), any float type: V views
        of S equally spaced frames. View 0 is the centre crop.
    target: (n, V, S, P) float32, M of Eq. 18: rows sum to one, or are zero without a silhouette.
    scales[stream]: what cubes and vectors are divided by when a batch is read.
    """

    names: Sequence[str]
    labels: np.ndarray
    cubes: Mapping[str, Any]
    vectors: Mapping[str, Any]
    target: Any
    classes: tuple[str, ...]
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.names)
        # a part without clips, as --validation 0 makes one, has no features to take sizes from
        for stream in self.cubes if n else ():
            shape, vector = tuple(self.cubes[stream].shape), tuple(self.vectors[stream].shape)
            if len(shape) != 5 or len(vector) != 4 or shape[:3] != vector[:3] or shape[0] != n:
                expected = f"({n}, views, frames, places, d_cv) and ({n}, views, frames, d_fc)"
                found = f"cubes {shape} and vectors {vector}"
                raise DataError(f"features of stream {stream}", found, expected)
            if tuple(self.target.shape) != shape[:4]:
                raise DataError("silhouette targets", f"{tuple(self.target.shape)}", f"{shape[:4]}")
        if len(self.labels) != n:
            raise DataError("labels", f"{len(self.labels)}", f"{n}, one a clip")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def streams(self) -> tuple[str, ...]:
        """Streams that are present."""
        return tuple(self.cubes)

    @property
    def views(self) -> int:
        """Stored views V of a clip."""
        return int(self.target.shape[1])

    @property
    def stored_frames(self) -> int:
        """Stored frames S of a clip."""
        return int(self.target.shape[2])


class Rows:
    """A stored tensor of many clips and views as one lazy array (n, V, ...).

    `rows[i]` lists clip i's tensor for each view, memory-mapped. Up to kept_open files stay open.
    """

    def __init__(self, stores: list[Store], clips: list[Clip], name: str, kept_open: int):
        self._stores, self._clips, self._name, self._kept_open = stores, clips, name, kept_open
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
            said = f"{self._name} {tuple(found.shape)} of {found.dtype}"
            expected = f"floating-point numbers of shape {self._one}, as of the first clip"
            raise StoreError(store.path(clip), said, expected, MEND)
        return found


def prepare_parts(
    dataset: ClipDataset, parts: Sequence[str], settings: FeatureSettings, cache: str | Path,
    device: str = "cpu", workers: int = 2, progress: bool = True,
) -> dict[str, ClipFeatures]:  # fmt: skip
    """The features of parts of a data set; what the stores under `cache` lack is made first.

    parts: some of "train" (all views), "validation" and "test" (the first view only).
    workers: processes; one or none: this one alone. progress: show a bar. Clips whose inputs
    `rstan-lite tune` stored are not decoded again.
    Raises DataError (clips), CheckpointError (weights), StoreError (disk, damaged stores).
    """
    made = missing_features(dataset, parts, settings, cache, device)
    made.run(workers, progress)
    return {part: look_up(made, part, _stored_views(settings, part)) for part in parts}


def _stored_views(settings: FeatureSettings, part: str) -> list[ClipSequence]:
    names = settings.views if part == "train" else settings.views[:1]
    return [ClipSequence(name, frames=settings.frames) for name in names]


def look_up(
    made: Extraction, part: str, views: Sequence[ClipSequence], kept_open: int = KEPT_OPEN
) -> ClipFeatures:
    """A part's features in their stores, of its clips without damaged ones.

    views: V of them, as the second axis. kept_open: files of each tensor that stay open.
    """
    clips: list[Clip] = getattr(made.dataset, part)

    def rows(kind: str, name: str) -> Rows:
        return Rows([made.stores[kind, one] for one in views], clips, name, kept_open)

    streams = made.settings.weights
    cubes, vectors = ({s: rows(s, name) for s in streams} for name in ("cubes", "vectors"))
    names, labels = [clip.name for clip in clips], np.array([c.label for c in clips], np.int64)
    target, classes = rows("target", "target"), made.dataset.classes
    return ClipFeatures(names, labels, cubes, vectors, target, classes)


def missing_features(
    dataset: ClipDataset, parts: Sequence[str], settings: FeatureSettings, cache: str | Path,
    device: str = "cpu", only: Container[str] | None = None,
) -> Extraction:  # fmt: skip
    """The steps that make what stores lack of parts. only: names of the clips to make."""
    wanted: dict[ClipSequence, list[Clip]] = {}
    for part in parts:
        check_choice("part", part, PARTS)
        clips = [c for c in getattr(dataset, part) if only is None or c.name in only]
        for one in _stored_views(settings, part):
            wanted[one] = wanted.get(one, []) + clips
    return missing_sequences(dataset, wanted, settings, cache, device)


def missing_sequences(
    dataset: ClipDataset, wanted: Mapping[ClipSequence, list[Clip]], settings: FeatureSettings,
    cache: str | Path, device: str,
) -> Extraction:  # fmt: skip
    """The steps that make what the stores under `cache` lack of sequences of clips, of any size.

    There is a store for each stream (or "target") and sequence. Raises as
    `FeatureSettings.places_of` does, and CheckpointError for a missing or damaged file of weights.
    """
    flow = estimator(settings.flow, settings.flow_weights, device)
    inputs = inputs_store(dataset, cache, settings.frames, flow, settings.camera)
    places = settings.places_of([one.view for one in wanted])
    made_by: dict[str, dict[str, Any]] = {}
    for stream, weights in settings.weights.items():
        read_state(Path(weights))  # a missing or damaged file is said before its hash is taken
        name, size = settings.backbone_of(stream), settings.size_of(stream)
        made_by[stream] = {"backbone": name, "weights": weights_hash(weights), "size": size}
        made_by[stream] |= {"content": f"features 2, {stream}", **backbone(name).content(stream)}
        if code := settings.code_of(stream):
            made_by[stream] |= {"function": settings.function_of(stream), "code": code}
    stores: dict[Wanted, Store] = {}
    todo: dict[Clip, list[Wanted]] = {}
    prints = cached(fingerprint)  # each clip is read once for all stores
    for one, clips in wanted.items():
        extent = {} if one.extent == "whole" else {"extent": one.extent}
        shared = {"inputs": {**inputs.recipe, "frames": one.frames, **extent}, "view": one.view}
        target = {"content": "target 1", "size": settings.size, "places": places[one.view]}
        for kind, how in {**made_by, "target": target}.items():
            stores[kind, one] = Store.under(cache, kind, {**shared, **how})
            for clip in stores[kind, one].missing(clips, prints):
                todo.setdefault(clip, []).append((kind, one))
    return Extraction(dataset, inputs, todo, stores, settings, device)
