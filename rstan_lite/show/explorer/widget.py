"""The explorer as a widget: controls for clip, view, checkpoint and step, uploads and exports."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from rstan_lite.show.explorer.ahead import Pictures
from rstan_lite.show.explorer.export import export, export_name
from rstan_lite.show.explorer.presets import PRESETS, Preset, positions
from rstan_lite.show.explorer.sources import MOST_UPLOADED, Stage
from rstan_lite.show.explorer.views import View
from rstan_lite.show.widgets import Screen, choice, complaint, slider, widget_of

EVERYTHING = "everything at one step"
BOTH = "side by side"
NOTE = (  # said beforehand, as nothing arrives here that could be complained about
    f"<p>Jupyter's server may drop files of more than {MOST_UPLOADED >> 20} MiB without a word: "
    "name those by the notebook's parameter <code>video</code>.</p>"
)
KINDS = {"PNG": ".png", "GIF": ".gif", "MP4": ".mp4"}


def view_of(stage: Stage, title: str, figure: str = EVERYTHING, checkpoint: str = BOTH) -> View:
    """The view that the explorer's controls name.

    figure: EVERYTHING or a preset's name. checkpoint: one of the stage's names, or BOTH for all.
    """
    preset = _preset(figure)
    if preset is None and figure != EVERYTHING:
        raise ValueError(f"figure {figure!r}; there are {EVERYTHING}, {[p.name for p in PRESETS]}")
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


def _preset(name: str) -> Preset | None:
    return next((preset for preset in PRESETS if preset.name == name), None)


class Explorer:
    """The controls' state and what follows from it; `box` is the widget to be shown.

    What was done, or went wrong, after the first picture is said below the buttons, in sight of
    what was pressed; picture and controls stay.
    """

    def __init__(self, stage: Stage, folder: str | Path) -> None:
        import ipywidgets

        self.stage, self.folder = stage, Path(folder)
        self.screen, self._pictures, self._quiet = Screen("jpeg"), Pictures(), False
        self._view: View | None = None  # the one that is shown
        figures = [EVERYTHING, *(preset.name for preset in PRESETS)]
        names = [*stage.names, *([BOTH] if len(stage.names) > 1 else [])]
        self.step = widget_of(slider(1, max(2, stage.steps), 1, 1, "time step"), follow=True)
        self.step.max = stage.steps  # of a single step there is nothing to slide
        self.title = widget_of(choice(stage.titles, stage.titles[0], "clip"))
        self.figure = widget_of(choice(figures, EVERYTHING, "view"))
        self.checkpoint = widget_of(choice(names, names[-1], "checkpoint"))
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
        self.step.observe(self._watch(self._draw), names="value")
        for control in (self.title, self.checkpoint):
            control.observe(self._watch(self._changed), names="value")
        self.figure.observe(self._watch(self._take_preset), names="value")
        self.upload.observe(self._watch(self._take_upload), names="value")
        for kind, button in self.saves.items():
            button.on_click(self._watch(partial(self._save, KINDS[kind])))
        row = ipywidgets.HBox([*self.saves.values(), self.upload], layout={"flex_flow": "row wrap"})
        page = ipywidgets.Box([self.screen.picture], layout={"overflow": "auto"})
        self.box = ipywidgets.VBox(
            [self.step, self.title, self.figure, self.checkpoint, row, self.status, page,
             self.screen.text, note]
        )  # fmt: skip

    def _watch(self, act: Callable[[], None]) -> Callable[[object], None]:
        """An observer that does something, and says what goes wrong."""

        def watcher(_: object) -> None:
            if self._quiet:  # the controls are being set together
                return
            self.status.value = ""  # of what was done before
            try:
                act()
            except Exception as error:  # whatever it is: the reader moved a control and must see it
                self._set(**self._drawn)
                what = "That did not work; the picture is the one before."
                self.status.value = complaint(what, error)

        return watcher

    def _draw(self) -> None:
        step = self.step.value
        self.screen.show(*self._pictures.of(step))
        self._drawn["step"] = step

    def _changed(self) -> None:
        chosen = {name: getattr(self, name).value for name in ("title", "figure", "checkpoint")}
        before = self._view
        self._view = view_of(self.stage, **chosen)
        self._pictures.begin(self._view)
        try:
            self.screen.show(*self._pictures.of(self.step.value))
        except Exception:
            if before is not None:  # what is shown, and saved, stays the view before
                self._view = before
                self._pictures.begin(before)
            raise
        self._drawn: dict[str, Any] = {**chosen, "step": self.step.value}  # what the picture shows

    def _take_preset(self) -> None:
        preset = _preset(self.figure.value)
        if preset is not None:
            title, checkpoint, step = setting_of(self.stage, preset, self.checkpoint.value)
            self._set(title=title, checkpoint=checkpoint, step=step)
        self._changed()
        if preset is not None:
            self._say(f"{preset.name} has set clip, checkpoint and step; they can be moved again.")

    def _take_upload(self) -> None:
        if not self.upload.value:
            return
        (file,) = self.upload.value
        try:
            title = self.stage.upload(file["name"], file["content"])
        finally:
            self._set(upload=())  # so that the same file can be tried again
        self._quiet = True
        try:
            self.title.options = [(title, title) for title in self.stage.titles]
        finally:
            self._quiet = False
        self._set(title=title)
        self._changed()

    def _save(self, ending: str) -> None:
        step = self.step.value
        view = self._pictures.view
        path = export(view, self.folder / export_name(view, ending, step), step)
        self._say(f"saved: {path}")

    def _say(self, words: str) -> None:
        self.status.value = f'<p role="status" aria-live="polite">{escape(words)}</p>'

    def _set(self, **values: Any) -> None:
        """Set controls without drawing in between."""
        self._quiet = True
        try:
            for name, value in values.items():
                getattr(self, name).value = value
        finally:
            self._quiet = False


def explorer(stage: Stage, folder: str | Path) -> Any:
    """Show a stage's scenes beside controls, and draw anew whenever one of them moves.

    stage: see `Stage`. folder: where exported files go. Returns an ipywidgets box. Every control
    has a label and works from the keyboard: Tab reaches it, arrow keys move it, Enter or Space
    presses a button. Below the picture stands its text alternative, which changes with it.
    """
    return Explorer(stage, folder).box
