"""From a view and a step to pixels."""

from __future__ import annotations

from rstan_lite.show.explorer.figures import figure
from rstan_lite.show.explorer.overview import everything
from rstan_lite.show.explorer.views import View
from rstan_lite.show.style import Drawing


def render(view: View, step: int) -> Drawing:
    """Draw a view at a step, counted from 1; the same view and step give the same pixels.

    Returns uint8 (height, width, 3) with its text alternative; the size is that of the view's other
    steps. ValueError for a step that there isn't.
    """
    if not 1 <= step <= view.scene.steps:
        raise ValueError(f"step {step} of {view.scene.steps}")
    if view.preset is None:
        return everything(view, step - 1)
    return figure(view, view.preset, step - 1)
