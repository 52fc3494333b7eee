"""What a move of the explorer's slider costs, beside the same maps as a figure of matplotlib."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from benchmarks.timing import interleaved
from rstan_lite.data.transforms import crop
from rstan_lite.show import attention_strip, keep
from rstan_lite.show.explorer import PRESETS, Look, Scene, View, render
from rstan_lite.show.explorer.widget import encoded

STEPS, PLACES, CLASSES = 32, 49, 21  # the paper's T of a test, K x K, and JHMDB's actions
MOVES = 6  # of each round


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """`interleaved` timings of some moves: the fullest view, the largest preset, and matplotlib.

    The first two end with the picture encoded as the widget sends it. matplotlib draws one row of
    the maps of a step without charts, flow or silhouette, which is less than either.
    """
    scene = made_up()
    largest = next(preset for preset in PRESETS if preset.name == "Fig. 7")
    views = {"everything": View(scene, ("a", "b")), "Fig. 7": View(scene, ("a",), largest)}
    at = count()

    def run(way: str) -> None:
        for _ in range(MOVES):
            step = next(at) % scene.steps
            if way in views:
                encoded(render(views[way], step + 1).pixels)
            else:
                maps = {row: alpha[step, step][None] for row, alpha in scene.looks[0].alpha.items()}
                keep(attention_strip(scene.film[step][None], maps, crop=scene.crop))

    return interleaved(run, ("matplotlib", *views), rounds, "matplotlib")


def made_up() -> Scene:
    """A random clip of JHMDB's size under two checkpoints that look at all frames."""
    rng = np.random.default_rng(0)
    slots = np.tile(np.arange(STEPS), (STEPS, 1))
    looks = []
    for name in ("a", "b"):
        alpha = {s: rng.dirichlet(np.ones(PLACES), slots.shape) for s in ("appearance", "motion")}
        beta = {s: rng.dirichlet(np.ones(STEPS), STEPS) for s in alpha}
        for scores in (alpha, beta):
            scores["fused"] = np.maximum(scores["appearance"], scores["motion"])
        answers = rng.dirichlet(np.ones(CLASSES), STEPS)
        looks.append(Look(name, alpha, beta, slots, np.ones_like(slots, bool), answers))
    masks = np.zeros((STEPS, 240, 320), np.uint8)
    masks[:, 60:200, 120:180] = 1
    return Scene(
        "made up", "", rng.integers(0, 255, (STEPS, 240, 320, 3), dtype=np.uint8),
        rng.normal(0, 2, (STEPS, 192, 256, 2)), masks, np.arange(STEPS), STEPS,
        crop((240, 320), 224), tuple(str(c) for c in range(CLASSES)), tuple(looks),
    )  # fmt: skip
