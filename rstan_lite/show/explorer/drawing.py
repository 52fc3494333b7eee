"""The explorer's pages: everything at one step of a clip, or a figure of the paper.

Pillow puts pictures and words on white: a word of matplotlib takes a millisecond or two, and a key
that is held down leaves a tenth of a second for all of a page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from textwrap import wrap
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rstan_lite.show.explorer.scenes import Look, Preset, Scene, positions, with_step
from rstan_lite.show.explorer.step_charts import COLUMN, GREY, NAMES, PALE, Charts
from rstan_lite.show.frames import HEAT_COLOURS, draw_contour, flow_to_colour, overlay
from rstan_lite.show.style import BLACK, LINES, ORANGE, STYLE, VERMILION, Drawing, percent, plain

EDGE, GAP, LINE = 12, 10, 16  # pixels about a page, between pictures, of a line of small words
LABEL = 150  # pixels of rows' names
MOST_CLASSES = 5
KEY = (
    "dashed: what the networks see",
    "white line on a map: half of the scale's end",
    "grey ground: the step's own frame",
    "cross: a frame that it doesn't look at",
    "bold name: the true action",
)


@dataclass(frozen=True, eq=False)
class View:
    """What is looked at: a scene, some of its checkpoints, and a figure of the paper or None.

    names: of the scene's checkpoints, from left to right. ValueError for none or others.
    """

    scene: Scene
    names: tuple[str, ...]
    preset: Preset | None = None

    def __post_init__(self) -> None:
        known = [look.name for look in self.scene.looks]
        if not self.names or not set(self.names) <= set(known):
            raise ValueError(f"checkpoints {self.names}; there are {known}")

    @cached_property
    def looks(self) -> list[Look]:
        """The chosen checkpoints."""
        return [look for name in self.names for look in self.scene.looks if look.name == name]

    @cached_property
    def classes(self) -> list[int]:
        """The classes whose answers are drawn: the true one, then the ever likeliest ones."""
        best = np.max([look.scores.max(axis=0) for look in self.looks], axis=0)  # (C,)
        true = [c for c, name in enumerate(self.scene.classes) if name == self.scene.action]
        order = [*true, *(int(c) for c in np.argsort(-best, kind="stable") if c not in true)]
        return order[:MOST_CLASSES]

    @cached_property
    def charts(self) -> list[Charts]:
        """Each checkpoint's."""
        return [Charts(self.scene, look, self.classes) for look in self.looks]

    def frame(self, step: int, width: int) -> NDArray[np.uint8]:
        """A sampled frame that fits into a box of a width and three quarters of it."""
        return self._once((step, width), lambda: fitted(self.scene.film[step], width))

    def map(self, look: Look, row: str, step: int, frame: int, width: int) -> NDArray[np.uint8]:
        """A step's map over a frame; the frame without colour where the step doesn't look at it."""

        def draw() -> NDArray[np.uint8]:
            picture, weights = self.frame(frame, width), look.map(row, step, frame)
            if weights is None:
                grey = picture.mean(axis=-1, keepdims=True).astype(np.uint8)
                return np.repeat(grey // 3 + 150, 3, axis=-1)
            return overlay(picture, weights, self.scene.crop, peak=self.scene.peak)

        return self._once((look.name, row, step, frame, width), draw)

    def _once(self, key: tuple, draw: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """A picture that several steps show, drawn for the first of them."""
        if key not in self._drawn:
            self._drawn[key] = draw()
        return self._drawn[key]

    @cached_property
    def _drawn(self) -> dict[tuple, NDArray[np.uint8]]:
        return {}

    def seen(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A frame with a dashed line about what the networks see of it."""
        edge, drawn = np.zeros(picture.shape[:2], np.uint8), picture.copy()
        up, down, left, right = self.scene.crop.box(*picture.shape[:2])
        cv2.rectangle(edge, (left, up), (right - 1, down - 1), 1)
        rows, columns = np.nonzero(edge)
        drawn[rows, columns] = ((rows + columns) // 4 % 2 * 255)[:, None]
        return drawn


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


def fitted(picture: NDArray, width: int) -> NDArray:
    """Scale a picture (H, W, ...) to fit into a box of a width and three quarters of it."""
    rows, columns = picture.shape[:2]
    scale = min(width / columns, width * 3 // 4 / rows)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way))


class Page:
    """A white page of width x height pixels; positions count from its top left corner."""

    def __init__(self, view: View, step: int, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), "white")
        self.pen, scene = ImageDraw.Draw(self.image), view.scene
        at = f"step {step + 1} of {scene.steps}, frame {scene.numbers[step]} of {scene.n_frames}"
        self.words(EDGE, EDGE, scene.title, 16, bold=True, room=width - 2 * EDGE)
        self.words(EDGE, EDGE + 22, at, 13)
        self.said = [f"{scene.title}, {at}."]

    def words(
        self,
        left: float,
        top: float,
        text: str,
        size: int = 11,
        colour: str = BLACK,
        *,
        bold: bool = False,
        room: float = 0,
        centred: bool = False,
    ) -> None:
        """Write a line, cut with an ellipsis where it is wider than a room of so many pixels.

        centred: about a position, in front of what is there.
        """
        font = _font(size, bold)
        if centred:
            left -= font.getlength(text) / 2
            right = left + font.getlength(text)
            self.pen.rectangle((left - 2, top, right + 2, top + size + 2), "white")
        while room and font.getlength(text) > room:
            text = text.removesuffix("…")[:-1].rstrip() + "…"
        self.pen.text((left, top), text, colour, font)

    def label(self, top: float, text: str, colour: str = BLACK, bold: bool = False) -> None:
        """Write the name of a row at its left, in lines of about twenty letters."""
        for i, line in enumerate(wrap(text, 19 if bold else 21)):
            self.words(EDGE, top + i * LINE, line, 12, colour, bold=bold, room=LABEL - 8)

    def put(self, picture: NDArray[np.uint8], left: int, top: int, width: int) -> None:
        """Place a picture in the middle of a pale box of three quarters of its width."""
        height, (rows, columns) = width * 3 // 4, picture.shape[:2]
        if (rows, columns) != (height, width):
            self.pen.rectangle((left, top, left + width - 1, top + height - 1), PALE)
        at = left + (width - columns) // 2, top + (height - rows) // 2
        self.image.paste(Image.fromarray(picture), at)

    def scale_bar(self, view: View, left: int, top: int) -> None:
        """The maps' colours and what they stand for, in a strip."""
        places = next((a.shape[-1] for look in view.looks for a in look.alpha.values()), 0)
        if not places:
            return
        strip = cv2.resize(HEAT_COLOURS.astype(np.uint8)[None], (160, 12))
        self.image.paste(Image.fromarray(strip), (left + 136, top + 1))
        even, peak = 1 / places, view.scene.peak
        at = left + 136 + 160 * min(1.0, even / peak)
        self.pen.line((at, top - 2, at, top + 15), BLACK, 2)
        self.words(left, top, "weight of a place: 0")
        self.words(left + 302, top, f"{peak:.2f} or more; black mark: even, {even:.2f}")

    def finish(self) -> Drawing:
        """The page with its words."""
        return Drawing(np.array(self.image), " ".join(self.said))


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """The letters of the other figures, in a size in pixels."""
    (family,) = STYLE["font.sans-serif"]
    name = f"{family.replace(' ', '')}{'-Bold' if bold else ''}.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)


def everything(view: View, step: int) -> Drawing:
    """The frame, its flow and silhouette; a column a checkpoint: maps, weights, answers."""
    scene, several = view.scene, len(view.looks) > 1
    large, small = (250 if several else 160), 160
    top = EDGE + 44
    low = top + LINE + large * 3 // 4 + 14  # of the columns
    page = Page(
        view, step, len(view.looks) * (COLUMN + GAP) - GAP + 2 * EDGE,
        low + 2 * LINE + 4 + small * 3 // 4 + 14 + Charts.HEIGHT + 22 + EDGE,
    )  # fmt: skip
    flow = flow_to_colour(fitted(scene.flow[step], large), scene.speed)
    side = np.linspace(-1, 1, 31)
    wheel = np.stack(np.meshgrid(side, side), axis=-1)  # y down, as in the flow
    if min(flow.shape[:2]) > 2 * len(side):
        inside = np.hypot(wheel[..., 0], wheel[..., 1]) <= 1
        flow[-34:-3, -34:-3][inside] = flow_to_colour(wheel, 1.0)[inside]
    pictures = {
        "frame, and what is seen of it": view.seen(view.frame(step, large)),
        f"flow; strongest: {scene.speed:.0f} px": flow,
    }
    if scene.masks is not None:
        solid = fitted((scene.masks[step] != 0) * np.uint8(255), large)
        pictures["silhouette"] = np.repeat(solid[..., None], 3, axis=-1)
    for i, (caption, picture) in enumerate(pictures.items()):
        left = EDGE + i * (large + GAP)
        page.words(left, top, caption, colour=GREY, room=large)
        page.put(picture, left, top + LINE, large)
    if scene.masks is None:
        page.words(EDGE + 2 * (large + GAP), top, "no silhouette known", colour=GREY)
    for i, text in enumerate(KEY if several else ()):
        page.words(EDGE + 3 * (large + GAP), top + (i + 1) * LINE, text, colour=GREY)
    for i, look in enumerate(view.looks):
        _column(page, view, i, step, EDGE + i * (COLUMN + GAP), low, small)
        page.said.append(_said(scene, look, step))
    page.scale_bar(view, EDGE, page.image.height - 22 - EDGE)
    return page.finish()


def _column(page: Page, view: View, i: int, step: int, left: int, top: int, small: int) -> None:
    """Draw a checkpoint's maps, frame weights and answers."""
    look, scene = view.looks[i], view.scene
    share = scene.share(look, step)
    on = "" if share is None else f": {percent(share)} of the {look.main} map on the person"
    page.words(left, top, f"{look.name}{on}", 13, bold=True, room=COLUMN)
    top += LINE + 4
    for j, row in enumerate(look.rows):
        at = left + j * (small + GAP)
        page.words(at, top, f"alpha, {row}", colour=GREY)
        page.put(view.map(look, row, step, step, small), at, top + LINE, small)
    if not look.rows:
        page.words(left, top, "a model without attention")
    top += LINE + small * 3 // 4 + 14
    page.image.paste(Image.fromarray(view.charts[i].draw(step)), (left, top))
    if look.rows:
        text = f"beta: weights of the frames at step {step + 1}"
        page.words(left + 30, top, text, colour=GREY)
    below = (str(scene.numbers[step]) if look.rows else "", f"step {step + 1}")
    for text, (at, high, wide) in zip(below, Charts.BOXES, strict=True):
        middle = left + 30 + (step + 0.5) * wide / scene.steps
        page.words(middle, top + at + high + 3, text, 10, bold=True, centred=True)
    for j, c in enumerate(view.classes):
        name, value = plain(scene.classes[c]), percent(look.scores[step, c])
        where = left + COLUMN - NAMES + 26, top + Charts.BOXES[1][0] + 6 + 22 * j
        how: Any = {"colour": LINES[j]["color"], "bold": scene.classes[c] == scene.action}
        page.words(*where, f"{value} {name}", room=NAMES - 26, **how)


def _said(scene: Scene, look: Look, step: int) -> str:
    """A checkpoint's column in words: where it looks, at which frame most, and its answer."""
    best = int(look.scores[step].argmax())
    words = [f"{look.name}:"]
    alpha = look.map(look.main, step, step)
    if alpha is not None:
        words.append(f"largest weight of a place {alpha.max():.3f} ({look.main}),")
    if (share := scene.share(look, step)) is not None:
        words.append(f"{percent(share)} of that map on the person,")
    if look.rows:
        weights = np.where(look.valid[step], look.beta[look.main][step], -1)
        most = int(scene.numbers[look.frames[step, int(weights.argmax())]])
        words.append(f"largest frame weight {weights.max():.2f} at frame {most},")
    words.append(f"answer {plain(scene.classes[best])} with {percent(look.scores[step, best])}.")
    return " ".join(words)


Row = tuple[str, Look, str, int | None]


def figure(view: View, preset: Preset, step: int) -> Drawing:
    """Maps in rows over the same few frames, with the frames' weights below them."""
    scene, own = view.scene, preset.kind == "checkpoints"  # own: each frame's own step is shown
    cell, frames = (190 if own else 150), positions(scene.steps)
    most, tall = max(len(_rows(view, preset, t)) for t in range(scene.steps)), cell * 3 // 4
    high, top, about = tall + LINE + 6, EDGE + 64 + LINE, _about(view, preset)
    width = LABEL + len(frames) * (cell + GAP) + 2 * EDGE
    page = Page(view, step, width, top + high * (1 + most) + 22 + EDGE)
    page.words(EDGE, EDGE + 42, about, 12, GREY, room=width - 2 * EDGE)
    frames = with_step(frames, step) if own else frames
    columns = [(EDGE + LABEL + j * (cell + GAP), frame) for j, frame in enumerate(frames)]
    for left, frame in columns:
        strong, picture = own and frame == step, view.frame(frame, cell)
        page.words(left, top - LINE, f"frame {scene.numbers[frame]}", colour=GREY, bold=strong)
        if scene.masks is not None:
            mask = (scene.masks[frame] != 0).astype(np.uint8)
            picture = draw_contour(
                picture, cv2.resize(mask, picture.shape[1::-1], None, 0, 0, cv2.INTER_NEAREST)
            )
        page.put(view.seen(picture), left, top, cell)
    person = "" if scene.masks is None else ", the person outlined"
    page.label(top, f"frames{person}")
    for label, look, row, of in _rows(view, preset, step):
        top, notes = top + high, []
        page.label(top, label, VERMILION if of == step else BLACK, bold=of == step)
        for left, frame in columns:
            current = frame if of is None else of
            page.put(view.map(look, row, current, frame, cell), left, top, cell)
            if own and frame == step:
                page.pen.rectangle((left, top, left + cell - 1, top + tall - 1), None, ORANGE, 3)
            notes.append(_note(scene, look, row, current, frame, own))
            page.words(left, top + tall + 2, notes[-1], colour=GREY)
        page.said.append(f"{label}: {'; '.join(notes)}.")
    page.said.insert(0, f"{about}.")
    page.scale_bar(view, EDGE + LABEL, page.image.height - 22 - EDGE)
    return page.finish()


def _rows(view: View, preset: Preset, step: int) -> list[Row]:
    """A preset's rows: label, checkpoint, stream or "fused", and step (None: each frame's own)."""
    looks = [look for look in view.looks if look.rows]
    if preset.kind == "checkpoints":
        return [(f"{look.name}: {look.main}", look, look.main, None) for look in looks]
    chosen, numbers = positions(view.scene.steps), view.scene.numbers
    steps = with_step([chosen[i] for i in preset.parts if i < len(chosen)], step)
    return [
        (f"step {t + 1} (frame {numbers[t]}): {row}", look, row, t)
        for look in looks[:1]
        for t in steps
        for row in ((look.main,) if preset.kind == "steps" else look.rows)
    ]


def _about(view: View, preset: Preset) -> str:
    """What a preset shows here, and where that is not what the paper's figure shows."""
    parts = [f"{preset.name}: {preset.about}", preset.stand_in(view.scene.action)]
    parts += [f"{look.name} has no attention" for look in view.looks if not look.rows]
    looks = [look for look in view.looks if look.rows]
    for look in looks[:1] if preset.kind != "checkpoints" else ():
        parts.append(f"checkpoint: {look.name}")
        seen, steps = look.frames.shape[1], view.scene.steps
        if seen < steps:
            parts.append(f"it looks at {seen} of {steps} frames a step")
    return "; ".join(part for part in parts if part)


def _note(scene: Scene, look: Look, row: str, step: int, frame: int, own: bool) -> str:
    """What stands below a map: the share of the map on the person, or the frame's weight."""
    if own:
        share = scene.share(look, frame)
        return "" if share is None else f"{percent(share)} on the person"
    weight = look.weight(row, step, frame)
    return "not looked at" if weight is None else f"beta {weight:.2f}"
