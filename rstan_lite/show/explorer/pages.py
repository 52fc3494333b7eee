"""The explorer for a page without a kernel: its first view at every step of some clips."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rstan_lite.show.explorer.canvas import webp
from rstan_lite.show.explorer.rendering import render
from rstan_lite.show.explorer.sources import Stage
from rstan_lite.show.explorer.views import View
from rstan_lite.show.explorer.widget import view_of
from rstan_lite.show.widgets import Positions, choice, positions_of

PICTURES = 32  # at most, where the first clip alone does not need more: some 3 MB of a page
NOTE = (
    "Opened in Jupyter, the explorer has also each checkpoint by itself, the paper's figures, "
    "videos of your own and exports."
)


def beforehand(stage: Stage, folder: str | Path) -> Positions:
    """What `explorer` shows at first, drawn at the steps of the first clips, see `positions_of`.

    stage: see `Stage`. folder: unused, as nothing is exported; so that one call can stand in the
    place of the other. Returns sliders over pictures that need no kernel.
    """
    titles = stage.titles[: max(1, PICTURES // stage.steps)]

    @cache
    def view(title: str) -> View:
        return view_of(stage, title)

    def picture(clip: str, step: int) -> tuple[bytes, str]:
        drawn = render(view(clip), step)
        return webp(drawn.pixels), drawn.alt

    steps = choice(range(1, stage.steps + 1), 1, "time step")
    controls = {"clip": choice(titles, titles[0], "clip"), "step": steps}
    return positions_of(picture, controls, "webp", NOTE)
