"""Fuse a run with scores of your own: python own_scores.py RUN SCORES.csv

SCORES.csv has a header `clip,<class>,<class>,...` and a line for each test clip.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from rstan_lite.lab.scores import read_predictions

found = read_predictions(Path(sys.argv[1]) / "predictions.npz")
with open(sys.argv[2], newline="", encoding="utf-8") as file:
    rows = {row["clip"]: row for row in csv.DictReader(file)}
mine = np.array([[float(rows[clip][name]) for name in found.classes] for clip in found.names])
mine /= mine.sum(1, keepdims=True)
for title, scores in (("run", found.scores), ("yours", mine), ("fused", found.scores + mine)):
    print(f"{title}: {(scores.argmax(1) == found.labels).mean():.1%}")
