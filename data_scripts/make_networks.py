"""Rebuild the two small networks that ship with the package, from generated clips alone.

They are trained on puppets of another seed than the ones that users see, so that a tour's test
clips are new to them. About an hour on two cores. The cards beside the shipped files say what they
were made with.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.features.inputs import inputs_store
from rstan_lite.features.networks import SHIPPED, shipped, split_name
from rstan_lite.lab.network_tuning import tune, tuned_path
from rstan_lite.lab.tuning_images import TuneSettings, fill_inputs
from rstan_lite.puppets import generate
from rstan_lite.system.interruption import run_command

SEED = 1000
CLIPS_PER_CLASS = 60
FRAMES = 16
SETTINGS = TuneSettings(
    backbone=SHIPPED, weights="none", segments=2, size=112, test_size=112, lr=0.03, head_lr=0.003
)
# The puppets of each stream's network, and what its tuning does in its own way. Flow shows
# movements one by one, so that clips of a single actor serve for motion. What an actor looks like,
# and that he is the one in the vest, is learnt from clips with rivals; as a frame says little about
# the action, each place is asked for it.
RIVALS = {"motion": (0, 0), "appearance": (0, 2)}
STREAMS: dict[str, dict[str, Any]] = {
    "motion": {"actor": 0.3, "epochs": 40},
    "appearance": {"actor": 0.5, "epochs": 30, "places": 1.0, "colour": 0.25},
}


def main() -> int:
    """Read the command line, generate, train and put the files in their place."""
    parser = argparse.ArgumentParser(description="Rebuild the networks that ship with the package.")
    parser.add_argument(
        "folder", type=Path, help="for the clips and stores: some gigabytes, kept for a rerun"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--streams", default=",".join(STREAMS), help="which networks")
    arguments = parser.parse_args()
    return run_command(lambda: _make(arguments))


def _make(a: argparse.Namespace) -> int:
    cache = a.folder / "cache"
    for stream in a.streams.split(","):
        fewest, most = RIVALS[stream]
        folder = a.folder / f"puppets-{fewest}-{most}"
        generate(folder, CLIPS_PER_CLASS, seed=SEED, workers=a.workers, rivals=(fewest, most))
        data = JHMDB(folder)
        store = inputs_store(data, cache, FRAMES, camera="similarity")
        fill_inputs(store, data, data.train + data.validation, a.workers)
        settings = replace(SETTINGS, stream=stream, **STREAMS[stream])
        path = tuned_path(cache, store, split_name(data), settings)
        card = tune(
            store, data.train, data.validation, data.classes, split_name(data), settings, path,
            device=a.device, workers=a.workers,
        )  # fmt: skip
        shipped(stream).parent.mkdir(exist_ok=True)
        for file in (path, path.with_suffix(".json")):
            shutil.copyfile(file, shipped(stream).with_suffix(file.suffix))
        print(f"{shipped(stream)}: validation {card['best']['validation_accuracy']:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
