"""Attention as arrays and as a video: python attention_maps.py RUN VIDEO OUT

A step's places sum to 1 in a stream. In `fused`, a maximum of the streams, they sum to more.
"""

import sys
from pathlib import Path

import numpy as np

from rstan_lite import load
from rstan_lite.cli.main import main

run, video, out = sys.argv[1:4] if len(sys.argv) == 4 else sys.exit(__doc__)
look = load(run).attend(video)
Path(out).mkdir(parents=True, exist_ok=True)
np.savez(Path(out) / "attention.npz", frames=look.frames, **look.maps)
for name, maps in look.maps.items():
    print(f"{name}: {maps.shape} (steps, rows, columns); a step sums to {maps[0].sum():.2f}")
sys.exit(main(["predict", video, "--run", run, "--out", out]))  # also draws a video per map
