"""The attention explorer: a clip, a checkpoint and a time step, seen from every side.

`open_checkpoints` and `Stage` make scenes of runs and clips, `render` draws a `View` of a scene,
`export` writes it, `explorer` puts controls beside it, `beforehand` does so without a kernel.
"""

from rstan_lite.lab.attention.scenes import Look, Scene, Stage, one_of_each
from rstan_lite.lab.predict import open_checkpoints
from rstan_lite.show.explorer.drawing import render
from rstan_lite.show.explorer.views import PRESETS, View
from rstan_lite.show.explorer.widget import (
    BOTH,
    EVERYTHING,
    beforehand,
    explorer,
    export,
    setting_of,
    view_of,
)

__all__ = [
    "BOTH", "EVERYTHING", "PRESETS", "Look", "Scene", "Stage", "View", "beforehand", "explorer",
    "export", "one_of_each", "open_checkpoints", "render", "setting_of", "view_of",
]  # fmt: skip
