"""The explorer as a widget: controls for clip, view, checkpoint and step, uploads and exports."""

import io
import os
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rstan_lite.lab.attention.scenes import MOST_UPLOADED, Stage
from rstan_lite.show import widgets
from rstan_lite.show.explorer.drawing import render
from rstan_lite.show.explorer.views import PRESETS, Preset, View, positions
from rstan_lite.show.frames import write_animation
from rstan_lite.show.style import keep
from rstan_lite.system.files import write_atomically

EVERYTHING = "everything at one step"
BY_NAME = {preset.name: preset for preset in PRESETS}
BOTH = "side by side"
NOTE = (  # said beforehand, as nothing arrives here that could be complained about
    f"<p>Jupyter's server may drop files of more than {MOST_UPLOADED >> 20} MiB without a word: "
    "name those by the notebook's parameter <code>video</code>.</p>"
)
STEPS_A_SECOND = 2.0
PICTURES = 32  # of a page, where the first clip alone does not need more: some 3 MB
LATER = (
    "Opened in Jupyter, the explorer has also each checkpoint by itself, the paper's figures, "
    "videos of your own and exports."
)


def view_of(stage: Stage, title: str, figure: str = EVERYTHING, checkpoint: str = BOTH) -> View:
    """The view that the explorer's controls name.

    figure: EVERYTHING or a preset's name. checkpoint: one of the stage's names, or BOTH for all.
    """
    preset = BY_NAME.get(figure)
    if preset is None and figure != EVERYTHING:
        raise ValueError(f"figure {figure!r}; there are {EVERYTHING}, {[*BY_NAME]}")
    names = tuple(stage.names) if checkpoint == BOTH else (checkpoint,)
    return View(stage.scene(title), names, preset)


def setting_of(stage: Stage, preset: Preset, checkpoint: str) -> tuple[str, str, int]:
    """What choosing a preset sets: the clip's title, the checkpoint, and the step from 1."""
    title = stage.titles[preset.choose([stage.action(title) for title in stage.titles])]
    chosen = positions(stage.steps)
    step = chosen[min(preset.parts[0], len(chosen) - 1)] + 1
    if preset.kind == "checkpoints":
        checkpoint = BOTH if len(stage.names) > 1 else checkpoint
    elif checkpoint == BOTH and len(stage.names) > 1:
        checkpoint = stage.names[0]
    return title, checkpoint, step


def explorer(stage: Stage, folder: str | Path) -> Any:
    """Show a stage's scenes beside controls, and draw anew whenever one of them moves.

    folder: where exported files go. Returns an ipywidgets box. Every control has a label and works
    from the keyboard. Below the picture stands its text alternative, which changes with it. In
    `rstan-lite run` it is drawn `beforehand`.
    """
    if widgets.UNATTENDED in os.environ:
        return beforehand(stage)
    return panel_of(stage, Path(folder))[1]


def panel_of(stage: Stage, folder: Path) -> tuple[widgets.Panel, Any]:
    """The explorer's controls with their picture, and the box around them."""
    import ipywidgets

    names = [*stage.names, *([BOTH] if len(stage.names) > 1 else [])]
    step = widgets.Slider(1, max(2, stage.steps), 1, 1, "time step").widget(follow=True)
    step.max = stage.steps  # of a single step there is nothing to slide
    controls = {
        "step": step,
        "title": widgets.Choice(stage.titles, stage.titles[0], "clip").widget(),
        "figure": widgets.Choice([EVERYTHING, *BY_NAME], EVERYTHING, "view").widget(),
        "checkpoint": widgets.Choice(names, names[-1], "checkpoint").widget(),
    }
    view = lru_cache(1)(partial(view_of, stage))  # of all its steps

    @lru_cache(512)
    def picture(step: int, **of: str) -> tuple[bytes, str]:
        drawn = render(view(**of), step)
        return encoded(drawn.pixels), drawn.alt

    def take_preset() -> None:
        preset = BY_NAME.get(controls["figure"].value)
        if preset is not None:
            title, checkpoint, step = setting_of(stage, preset, controls["checkpoint"].value)
            panel.set(title=title, checkpoint=checkpoint, step=step)
        panel.draw()
        if preset is not None:
            words = f"{preset.name} has set clip, checkpoint and step; they can be moved again."
            panel.status.value = widgets.status(words)

    def take_upload() -> None:
        for file in upload.value:
            try:
                title = stage.upload(file["name"], file["content"])
            finally:
                upload.value = ()  # so that the same file can be tried again
            controls["title"].options = [(title, title) for title in stage.titles]
            controls["title"].value = title

    def save(ending: str) -> None:
        of = dict(panel.shown)
        step = of.pop("step")
        path = export(view(**of), folder / export_name(view(**of), ending, step), step)
        panel.status.value = widgets.status(f"saved: {path}")

    panel = widgets.Panel(picture, controls, "jpeg", {"figure": take_preset})
    panel.picture.layout.min_width = "640px"  # else its words are too small to be read
    upload = ipywidgets.FileUpload(
        accept="video/*,.avi,.mkv", multiple=False, layout={"width": "auto"},
        description=f"a video of your own ({MOST_UPLOADED >> 20} MiB at most)",
    )  # fmt: skip
    upload.observe(panel.watch(take_upload), names="value")
    row = [upload]
    for kind in ("PNG", "GIF", "MP4"):
        button = ipywidgets.Button(description=f"save as {kind}", layout={"width": "auto"})
        button.on_click(panel.watch(partial(save, f".{kind.lower()}")))
        row.append(button)
    below = ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}), ipywidgets.HTML(NOTE)
    return panel, panel.box(*below)


def beforehand(stage: Stage) -> widgets.Positions:
    """What `explorer` shows at first, drawn at the steps of the first clips."""
    titles = stage.titles[: max(1, PICTURES // stage.steps)]
    view = cache(partial(view_of, stage))
    steps = widgets.Choice(range(1, stage.steps + 1), 1, "time step")
    controls = {"clip": widgets.Choice(titles, titles[0], "clip"), "step": steps}
    made = widgets.every_position(lambda clip, step: render(view(clip), step), **controls)
    return replace(made, note=LATER)


def export(view: View, path: str | Path, step: int = 1) -> Path:
    """Write a view as .png (the given step, from 1), or .gif or .mp4 (all steps).

    Returns the path. The PNG's Description field holds the text alternative. Raises ConfigError for
    another ending, StoreError where the disk is full or the folder can't be written; no part of a
    file is left then.
    """
    path = Path(path)
    if path.suffix.lower() == ".png":
        write_atomically(path, keep(render(view, step)).png)
        return path
    steps = range(1, view.scene.steps + 1)
    return write_animation((render(view, t).pixels for t in steps), path, STEPS_A_SECOND)


def export_name(view: View, ending: str, step: int = 1) -> str:
    """A name for the file of a view: its clip, figure, checkpoints and, of a picture, its step."""
    parts = [view.scene.title, view.preset.name if view.preset else "", *view.names]
    if ending == ".png":
        parts.append(f"step {step}")
    words = "-".join(part for part in parts if part)
    safe = "".join(c if c.isalnum() or c in "-." else "_" for c in words)
    return safe.lstrip(".")[:120] + ending


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """A picture as JPEG, which is quick to make."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg", quality=95, subsampling=0)
    return buffer.getvalue()
