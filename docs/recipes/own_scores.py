"""Fuse a run with scores of your own: python own_scores.py RUN SCORES.csv

SCORES.csv has a line for each test clip: its name, then a score for each class.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from rstan_lite.lab.scores import read_predictions

found = read_predictions(Path(sys.argv[1]) / "predictions.npz")
with open(sys.argv[2], newline="", encoding="utf-8") as file:
    own = {name: np.array(scores, float) for name, *scores in csv.reader(file)}
mine = np.stack([own[name] for name in found.names])  # (n, C), in the run's order
for share in (0.0, 0.25, 0.5, 0.75, 1.0):
    fused = (1 - share) * found.scores + share * mine / mine.sum(1, keepdims=True)
    print(f"{share:.2f} of your scores: {(fused.argmax(1) == found.labels).mean():.1%}")
