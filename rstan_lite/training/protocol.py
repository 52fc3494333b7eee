"""Test protocols: one sequence a clip, or the average of several (Sections IV-C and IV-D)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rstan_lite.data.sampling import ClipSequence
from rstan_lite.data.transforms import view, view_side
from rstan_lite.features.settings import FeatureSettings
from rstan_lite.model.rstan import RSTAN
from rstan_lite.training.batches import ClipFeatures
from rstan_lite.training.evaluate import Evaluation, average, evaluate


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
    sequences: Sequence[ClipSequence],
    n_frames: int,
    shape: Sequence[int],
    settings: FeatureSettings,
) -> list[SequenceRow]:
    """The sequences of a clip of n_frames frames of (H, W) pixels, for a run's networks.

    Raises ConfigError where the streams' cubes differ in places.
    """
    counted = settings.places_of([one.view for one in sequences])
    rows = []
    for one in sequences:
        box = view(one.view, shape, settings.size).box(*shape[:2])
        sides = {s: view_side(one.view, settings.size_of(s)) for s in settings.weights}
        index, k = tuple(one.index(n_frames).tolist()), round(counted[one.view] ** 0.5)
        rows.append(
            SequenceRow(one.name, one.extent, one.scale, one.crop, one.mirror, box, index, sides, k)
        )
    return rows


def evaluate_sequences(
    model: RSTAN,
    features: Mapping[ClipSequence, ClipFeatures],
    head: str,
    batch_size: int = 32,
    precision: str = "32",
) -> dict[ClipSequence, Evaluation]:
    """Run a model over each sequence; `average` makes one answer of them."""
    return {
        one: evaluate(model, of_one, head, one.frames, batch_size, precision)
        for one, of_one in features.items()
    }


def judged(
    results: Mapping[ClipSequence, Evaluation], features: Mapping[ClipSequence, ClipFeatures]
) -> tuple[Evaluation, list[dict[str, Any]]]:
    """The average over sequences, and for each sequence what it is and its accuracy alone."""
    listed = [
        {
            "name": one.name,
            "extent": one.extent,
            "scale": one.scale,
            "crop": one.crop,
            "mirror": one.mirror,
            "frames": one.frames,
            "places": int(features[one].target.shape[3]) if len(features[one]) else None,
            "accuracy": result.accuracy,
        }
        for one, result in results.items()
    ]
    return average(list(results.values())), listed
