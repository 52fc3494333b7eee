"""Features made of random numbers in which one place in each frame tells the class."""

import numpy as np
import torch

from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.training.parts import Parts

STREAMS = ("appearance", "motion")
# A training on such features: a second or two.
SMALL = {"iterations": 100, "frames": 3, "test_frames": 4, "stored_frames": 4}
SMALL |= {"d_h": 24, "d_att": 12, "lr": 0.05, "device": "cpu"}


def make_features(
    n: int,
    classes: int = 4,
    views: int = 1,
    stored: int = 4,
    places: int = 9,
    d_cv: int = 12,
    d_fc: int = 5,
    seed: int = 0,
    streams: tuple[str, ...] = STREAMS,
) -> ClipFeatures:
    """n clips whose vectors are noise: only the cube at the actor's place holds the class.

    The actor's place carries a mark (the last channel) and, in channel c, the class c. All other
    places hold the same marks of random classes without the last channel, so an average over
    places says little. The target M is the actor's place.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(n, dtype=np.int64) % classes
    actor = rng.integers(places, size=(n, views, stored))
    target = np.eye(places, dtype=np.float32)[actor]
    cubes, vectors = {}, {}
    for stream in streams:
        told = rng.integers(classes, size=(n, views, stored, places))
        told = np.where(target > 0, labels[:, None, None, None], told)
        cube = 0.1 * rng.standard_normal((n, views, stored, places, d_cv))
        cube[..., :classes] += 2 * np.eye(classes)[told]
        cube[..., -1] += 3 * target
        cubes[stream] = cube.astype(np.float16)
        vectors[stream] = rng.standard_normal((n, views, stored, d_fc)).astype(np.float16)
    return ClipFeatures(
        names=[f"clip {i} of {seed}" for i in range(n)],
        labels=labels,
        cubes=cubes,
        vectors=vectors,
        target=torch.from_numpy(target),
        classes=tuple("abcdefgh"[:classes]),
    )


def make_parts(train: int = 64, validation: int = 24, test: int = 32, **shape: int) -> Parts:
    """Training, validation and test clips."""
    return Parts(
        make_features(train, seed=1, **shape),
        make_features(validation, seed=2, **shape),
        make_features(test, seed=3, **shape),
    )
