"""The explorer as a widget: controls for clip, view, checkpoint and step, uploads and exports."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache, partial
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
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import write_atomically

EVERYTHING = "everything at one step"
BY_NAME = {preset.name: preset for preset in PRESETS}
BOTH = "side by side"
NOTE = (  # said beforehand, as nothing arrives here that could be complained about
    f"<p>Jupyter's server may drop files of more than {MOST_UPLOADED >> 20} MiB without a word: "
    "name those by the notebook's parameter <code>video</code>.</p>"
)
KINDS = {"PNG": ".png", "GIF": ".gif", "MP4": ".mp4"}
FILMS = (".gif", ".mp4")
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


class Explorer:
    """The controls' state and what follows from it; `box` is the widget to be shown.

    What was done, or went wrong, after the first picture is said below the buttons, in sight of
    what was pressed; picture and controls stay.
    """

    def __init__(self, stage: Stage, folder: str | Path) -> None:
        import ipywidgets

        self.stage, self.folder = stage, Path(folder)
        self.screen, self._quiet = widgets.Screen("jpeg"), False
        self._kept: dict[int, tuple[bytes, str]]  # the view's steps, each drawn once: a file, words
        self._drawn: tuple[View, dict[int, tuple[bytes, str]], dict[str, Any]]  # what is shown
        figures = [EVERYTHING, *BY_NAME]
        names = [*stage.names, *([BOTH] if len(stage.names) > 1 else [])]
        self.step = widgets.Slider(1, max(2, stage.steps), 1, 1, "time step").widget(follow=True)
        self.step.max = stage.steps  # of a single step there is nothing to slide
        self.title = widgets.Choice(stage.titles, stage.titles[0], "clip").widget()
        self.figure = widgets.Choice(figures, EVERYTHING, "view").widget()
        self.checkpoint = widgets.Choice(names, names[-1], "checkpoint").widget()
        self.upload = ipywidgets.FileUpload(
            accept="video/*,.avi,.mkv", multiple=False, layout={"width": "auto"},
            description=f"a video of your own ({MOST_UPLOADED >> 20} MiB at most)",
        )  # fmt: skip
        self.saves = {
            kind: ipywidgets.Button(description=f"save as {kind}", layout={"width": "auto"})
            for kind in KINDS
        }
        self.status, note = ipywidgets.HTML(""), ipywidgets.HTML(NOTE)
        self.screen.picture.layout.min_width = "640px"  # else its words are too small to be read
        self.screen.picture.layout.max_width = "100%"
        self._changed()
        acts = {self.step: self._show, self.title: self._changed, self.checkpoint: self._changed,
                self.figure: self._take_preset, self.upload: self._take_upload}  # fmt: skip
        for control, act in acts.items():
            control.observe(self._watch(act), names="value")
        for kind, button in self.saves.items():
            button.on_click(self._watch(partial(self._save, KINDS[kind])))
        row = ipywidgets.HBox([*self.saves.values(), self.upload], layout={"flex_flow": "row wrap"})
        page = ipywidgets.Box([self.screen.picture], layout={"overflow": "auto"})
        controls = self.step, self.title, self.figure, self.checkpoint
        self.box = ipywidgets.VBox([*controls, row, self.status, page, self.screen.text, note])

    def _watch(self, act: Callable[[], None]) -> Callable[[object], None]:
        """An observer that does something, and says what goes wrong."""

        def watcher(_: object) -> None:
            if self._quiet:  # the controls are being set together
                return
            self.status.value = ""  # of what was done before
            try:
                act()
            except Exception as error:  # whatever it is: the reader moved a control and must see it
                self._view, self._kept, shown = self._drawn
                self._set(**shown)
                what = "That did not work; the picture is the one before."
                self.status.value = widgets.complaint(what, error)

        return watcher

    def _show(self) -> None:
        """Show the view at the slider's step; each step is drawn once."""
        step = self.step.value
        if step not in self._kept:
            drawn = render(self._view, step)
            self._kept[step] = encoded(drawn.pixels, "jpeg"), drawn.alt
        self.screen.show(*self._kept[step])
        self._drawn = self._view, self._kept, {**self._chosen(), "step": step}

    def _chosen(self) -> dict[str, str]:
        return {name: getattr(self, name).value for name in ("title", "figure", "checkpoint")}

    def _changed(self) -> None:
        """Take another view; where it can't be drawn, the watcher takes the one before again."""
        self._view = view_of(self.stage, **self._chosen())
        self._kept = {}
        self._show()

    def _take_preset(self) -> None:
        preset = BY_NAME.get(self.figure.value)
        if preset is not None:
            title, checkpoint, step = setting_of(self.stage, preset, self.checkpoint.value)
            self._set(title=title, checkpoint=checkpoint, step=step)
        self._changed()
        if preset is not None:
            words = f"{preset.name} has set clip, checkpoint and step; they can be moved again."
            self.status.value = widgets.status(words)

    def _take_upload(self) -> None:
        if not self.upload.value:
            return
        (file,) = self.upload.value
        try:
            title = self.stage.upload(file["name"], file["content"])
        finally:
            self._set(upload=())  # so that the same file can be tried again
        self._set(title=title, options=[(title, title) for title in self.stage.titles])
        self._changed()

    def _save(self, ending: str) -> None:
        path = self.folder / export_name(self._view, ending, self.step.value)
        self.status.value = widgets.status(f"saved: {export(self._view, path, self.step.value)}")

    def _set(self, options: list[tuple[str, str]] | None = None, **values: Any) -> None:
        """Set controls without drawing in between. options: also the titles to choose from."""
        self._quiet = True
        try:
            if options is not None:
                self.title.options = options
            for name, value in values.items():
                getattr(self, name).value = value
        finally:
            self._quiet = False


def explorer(stage: Stage, folder: str | Path) -> Any:
    """Show a stage's scenes beside controls, and draw anew whenever one of them moves.

    folder: where exported files go. Returns an ipywidgets box. Every control has a label and works
    from the keyboard. Below the picture stands its text alternative, which changes with it.
    """
    return Explorer(stage, folder).box


def beforehand(stage: Stage, folder: str | Path) -> widgets.Positions:
    """What `explorer` shows at first, drawn at the steps of the first clips, see `positions_of`.

    folder: unused, as nothing is exported; so that one call can stand in the place of the other.
    """
    titles = stage.titles[: max(1, PICTURES // stage.steps)]
    view = cache(partial(view_of, stage))

    def picture(clip: str, step: int) -> tuple[bytes, str]:
        drawn = render(view(clip), step)
        return encoded(drawn.pixels, "webp"), drawn.alt

    steps = widgets.Choice(range(1, stage.steps + 1), 1, "time step")
    controls = {"clip": widgets.Choice(titles, titles[0], "clip"), "step": steps}
    return widgets.positions_of(picture, controls, "webp", LATER)


def export(view: View, path: str | Path, step: int = 1) -> Path:
    """Write a view as .png (the given step, from 1), or .gif or .mp4 (all steps).

    Returns the path. The PNG's Description field holds the text alternative. Raises ConfigError for
    another ending, StoreError where the disk is full or the folder can't be written; no part of a
    file is left then.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending == ".png":
        write_atomically(path, keep(render(view, step)).png)
    elif ending in FILMS:
        steps = range(1, view.scene.steps + 1)
        film = np.stack([render(view, t).pixels for t in steps])
        write_animation(film, path, STEPS_A_SECOND)
    else:
        raise ConfigError(path, f"the ending {path.suffix!r}", f".png, {', '.join(FILMS)}")
    return path


def export_name(view: View, ending: str, step: int = 1) -> str:
    """A name for the file of a view: its clip, figure, checkpoints and, of a picture, its step."""
    parts = [view.scene.title, view.preset.name if view.preset else "", *view.names]
    if ending not in FILMS:
        parts.append(f"step {step}")
    words = "-".join(part for part in parts if part)
    safe = "".join(c if c.isalnum() or c in "-." else "_" for c in words)
    return safe.lstrip(".")[:120] + ending


def encoded(pixels: NDArray[np.uint8], kind: str) -> bytes:
    """A picture as "jpeg", quick to make, or as "webp", a quarter of its size in ten times that."""
    buffer = io.BytesIO()
    options = {"jpeg": {"quality": 95, "subsampling": 0}, "webp": {"quality": 80}}[kind]
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()
