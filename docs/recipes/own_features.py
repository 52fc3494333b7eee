"""Train RSTAN on features that you have already: python own_features.py RUN

Random numbers stand for yours. K = 7, so P = 49 places; V = 1 view of S = 8 frames of each clip.
"""

import sys

import numpy as np

from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.training.parts import Parts, scaled
from rstan_lite.training.profiles import resolve
from rstan_lite.training.train import train


def part(clips, classes=("jump", "wave"), V=1, S=8, P=49):
    """Features of one part: cubes (n, V, S, P, d_cv) and vectors (n, V, S, d_fc) of each stream."""
    labels = np.arange(clips) % len(classes)
    cubes = np.random.rand(clips, V, S, P, 16).astype(np.float32)
    vectors = np.random.rand(clips, V, S, 32).astype(np.float32) + labels[:, None, None, None]
    target = np.zeros((clips, V, S, P), np.float32)  # M of Eq. 18; zeros: no silhouettes
    names = [f"clip {i}" for i in range(clips)]
    return ClipFeatures(names, labels, {"motion": cubes}, {"motion": vectors}, target, classes)


config = resolve("tiny", {"streams": ("motion",), "stored_frames": 8, "iterations": 60})
parts = scaled(config, Parts(train=part(48), validation=part(8), test=part(16)))
print("test accuracy", train(config, sys.argv[1], parts, progress=False)["test_accuracy"])
