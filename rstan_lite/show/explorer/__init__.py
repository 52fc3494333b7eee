"""The attention explorer: a clip, a checkpoint and a time step, seen from every side.

`open_checkpoints` and `Stage` make scenes of runs and clips, `render` draws a `View` of a scene as
pixels, `export` writes it to a file, `explorer` puts controls beside it, and `beforehand` does so
for a page without a kernel.
"""

from rstan_lite.show.explorer.export import export
from rstan_lite.show.explorer.pages import beforehand
from rstan_lite.show.explorer.presets import PRESETS
from rstan_lite.show.explorer.rendering import render
from rstan_lite.show.explorer.scene import Look, Scene
from rstan_lite.show.explorer.sources import Stage, one_of_each, open_checkpoints
from rstan_lite.show.explorer.views import View
from rstan_lite.show.explorer.widget import BOTH, EVERYTHING, explorer, setting_of, view_of

__all__ = [
    "BOTH",
    "EVERYTHING",
    "PRESETS",
    "Look",
    "Scene",
    "Stage",
    "View",
    "beforehand",
    "explorer",
    "export",
    "one_of_each",
    "open_checkpoints",
    "render",
    "setting_of",
    "view_of",
]
