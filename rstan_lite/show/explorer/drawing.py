"""The explorer's pages: everything at one step of a clip, or a figure of the paper.

Pillow puts pictures, words and charts on white: a word of matplotlib takes a millisecond or two,
and a key that is held down leaves a tenth of a second for all of a page.
"""

from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rstan_lite.lab.attention.scenes import FUSED, Look, Scene
from rstan_lite.show import style
from rstan_lite.show.explorer.views import Preset, View, fitted, positions, with_step
from rstan_lite.show.frames import HEAT_COLOURS, draw_contour, flow_to_colour, flow_wheel
from rstan_lite.show.style import BLACK, LINES, STREAM_COLOURS, Drawing, percent, plain

EDGE, GAP, LINE = 12, 10, 16  # pixels about a page, between pictures, of a line of small words
LABEL = 150  # pixels of rows' names
COLUMN, NAMES = 500, 140  # pixels of a checkpoint, and of its classes' names at the right
GREY, PALE = "#595959", "#ececec"  # words beside the main ones; grounds
KEY = (
    "dashed: what the networks see",
    "white line on a map: half of the scale's end",
    "grey ground: the step's own frame",
    "cross: a frame that it doesn't look at",
    "bold name: the true action",
)
AXIS, CHARTS = 30, 300  # pixels at a chart's left; of both charts
DASHES = ((1, 1), (15, 24), (24, 30), (30, 45), (6, 15))  # of each class: pixels on, of so many


def render(view: View, step: int) -> Drawing:
    """Draw a view at a step, counted from 1; ValueError for a step that there isn't.

    The same view and step give the same pixels, and all steps of a view have one size.
    """
    if not 1 <= step <= view.scene.steps:
        raise ValueError(f"step {step} of {view.scene.steps}")
    if view.preset is None:
        return _everything(view, step - 1)
    return _figure(view, view.preset, step - 1)


class _Page:
    """A white page of width x height pixels; positions count from its top left corner."""

    def __init__(self, view: View, step: int, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), "white")
        self.pen, scene = ImageDraw.Draw(self.image), view.scene
        at = f"step {step + 1} of {scene.steps}, frame {scene.numbers[step]} of {scene.n_frames}"
        self.words(EDGE, EDGE, scene.title, 16, bold=True, room=width - 2 * EDGE)
        self.words(EDGE, EDGE + 22, at, 13)
        self.said = [f"{scene.title}, {at}."]

    def words(
        self, left: float, top: float, text: str, size: int = 11, colour: str = BLACK, *,
        bold: bool = False, room: float = 0, anchor: str = "la",
    ) -> None:  # fmt: skip
        """Write words, cut with an ellipsis where they are wider than a room of so many pixels.

        anchor: where their position is, of Pillow's: "la" their top left, "ma" their top middle.
        """
        font = _font(size, bold)
        while room and font.getlength(text) > room:
            text = text.removesuffix("…")[:-1].rstrip() + "…"
        self.pen.text((left, top), text, colour, font, anchor)

    def line(self, x: NDArray, y: NDArray, number: int) -> None:
        """Draw a line through points (n,), (n,) in the colour and the dashes of a class."""
        fine, (on, period) = np.arange(x[0], x[-1] + 1 / 3, 1 / 3), DASHES[number]
        points = np.stack([fine, np.interp(fine, x, y)], -1).tolist()
        for start in range(0, len(points), len(points) if on == period else period):
            part = points[start:] if on == period else points[start : start + on]
            self.pen.line([tuple(point) for point in part], LINES[number]["color"], 2)

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

    def finish(self, view: View, left: int) -> Drawing:
        """The page with its words, and at its foot what the maps' colours stand for."""
        top, peak = self.image.height - 22 - EDGE, view.peak
        sizes = [alpha.shape[-1] for look in view.looks for alpha in look.alpha.values()]
        if sizes:
            strip = cv2.resize(HEAT_COLOURS.astype(np.uint8)[None], (160, 12))
            self.image.paste(Image.fromarray(strip), (left + 136, top + 1))
            even = 1 / sizes[0]
            at = left + 136 + 160 * min(1.0, even / peak)
            self.pen.line((at, top - 2, at, top + 15), BLACK, 2)
            self.words(left, top, "weight of a place: 0")
            self.words(left + 302, top, f"{peak:.2f} or more; black mark: even, {even:.2f}")
        return Drawing(np.array(self.image), " ".join(self.said))


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """The letters of the other figures, in a size in pixels."""
    (family,) = style.STYLE["font.sans-serif"]
    name = f"{family.replace(' ', '')}{'-Bold' if bold else ''}.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)


def _dashed(view: View, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame with a dashed line about what the networks see of it."""
    edge, drawn = np.zeros(picture.shape[:2], np.uint8), picture.copy()
    up, down, left, right = view.scene.crop.box(*picture.shape[:2])
    cv2.rectangle(edge, (left, up), (right - 1, down - 1), 1)
    rows, columns = np.nonzero(edge)
    drawn[rows, columns] = ((rows + columns) // 4 % 2 * 255)[:, None]
    return drawn


def _everything(view: View, step: int) -> Drawing:
    """The frame, its flow and silhouette; a column a checkpoint: maps, weights, answers."""
    scene, several = view.scene, len(view.looks) > 1
    large, small = (250 if several else 160), 160
    top = EDGE + 44
    low = top + LINE + large * 3 // 4 + 14  # of the columns
    height = low + 2 * LINE + 4 + small * 3 // 4 + 14 + CHARTS + 22 + EDGE
    page = _Page(view, step, len(view.looks) * (COLUMN + GAP) - GAP + 2 * EDGE, height)
    flow = flow_to_colour(fitted(scene.flow[step], large), view.speed)
    if min(flow.shape[:2]) > 62:  # there is room for a key
        flow[-34:-3, -34:-3] = flow_wheel(31)
    pictures = {
        "frame, and what is seen of it": _dashed(view, view.frame(step, large)),
        f"flow; strongest: {view.speed:.0f} px": flow,
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
        _column(page, view, look, step, EDGE + i * (COLUMN + GAP), low, small)
        page.said.append(_said(scene, look, step))
    return page.finish(view, EDGE)


def _column(
    page: _Page, view: View, look: Look, step: int, left: int, top: int, small: int
) -> None:
    """Draw a checkpoint's maps, frame weights and answers."""
    scene = view.scene
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
    if look.rows:
        _weights(page, scene, look, step, left + AXIS, top)
    _answers(page, view, look, step, left + AXIS, top + 166)


def _weights(page: _Page, scene: Scene, look: Look, step: int, left: int, top: int) -> None:
    """Bars of each frame's weight: a bar a stream and one for both, on all steps' scale."""
    page.words(left, top, f"beta: weights of the frames at step {step + 1}", colour=GREY)
    low, high, wide, every = top + 104, 78, COLUMN - AXIS, -(-scene.steps // 16)
    page.words(left - 4, low - high - 7, f"{scene.most:.2f}", 10, GREY, anchor="ra")
    page.words(left - 4, low - 7, "0", 10, GREY, anchor="ra")
    each, share = wide / scene.steps, 0.8 * wide / scene.steps / len(look.rows)
    page.pen.rectangle((left + step * each, low - high, left + (step + 1) * each, low), PALE)
    for t in range(scene.steps):
        middle = left + each * (t + 0.5)
        for i, row in enumerate(look.rows):
            if (weight := look.weight(row, step, t)) is not None:
                start = middle - 0.4 * each + i * share
                box = start, low - high * weight / scene.most, start + share - 1, low
                _bar(page.pen, box, row)
        if look.slot(step, t) is None:
            page.words(middle, low - 12, "x", 11, "#808080", anchor="ma")
        how: Any = {"bold": True} if t == step else {"colour": GREY}
        if t == step or (t % every == 0 and abs(t - step) > every // 2):
            page.words(middle, low + 3, str(scene.numbers[t]), 10, anchor="ma", **how)
    page.pen.line((left, low, left + wide, low), BLACK)
    page.words(left, low + 16, "frame of the video", 10, GREY)
    for i, row in enumerate(look.rows):
        start = left + wide - 90 * (len(look.rows) - i)
        _bar(page.pen, (start, low + 24, start + 10, low + 32), row)
        page.words(start + 16, low + 22, row, 10)


def _bar(pen: ImageDraw.ImageDraw, box: tuple[float, float, float, float], row: str) -> None:
    """A bar that is told from the others without its colour, too."""
    left, top, right, low = box
    hollow = row == FUSED
    pen.rectangle(box, "white" if hollow else STREAM_COLOURS[row], STREAM_COLOURS[row])
    for y in range(int(low) - 3, int(top), -3) if row == "motion" else ():
        pen.line((left, y, right, y), "white")


def _answers(page: _Page, view: View, look: Look, step: int, left: int, top: int) -> None:
    """Lines of the classes' probabilities over all steps, and their names with the step's."""
    title = "answers: the likeliest actions' probabilities, step by step"
    page.words(left, top - 18, title, colour=GREY)
    high, wide, steps = 114, COLUMN - AXIS - NAMES, view.scene.steps
    for share in (1, 0.5, 0):
        y = top + high * (1 - share)
        page.words(left - 4, y - 7, f"{share:g}", 10, GREY, anchor="ra")
        page.pen.line((left, y, left + wide, y), PALE if share else BLACK)
    at = left + wide * (np.arange(steps) + 0.5) / steps
    page.pen.line((at[step], top - 2, at[step], top + high), GREY)
    page.words(at[step], top + high + 3, f"step {step + 1}", 10, bold=True, anchor="ma")
    for j, c in reversed([*enumerate(view.classes)]):  # the first lies above the others
        colour, heights = LINES[j]["color"], top + high * (1 - look.scores[:, c])
        page.line(at, heights, j)
        x, y = at[step], heights[step]
        page.pen.ellipse((x - 4, y - 4, x + 4, y + 4), colour)
        name, sample = view.scene.classes[c], top + 12 + 22 * j
        page.line(np.array([left + wide + 5, left + wide + 20]), np.full(2, sample), j)
        words, bold = f"{percent(look.scores[step, c])} {plain(name)}", name == view.scene.action
        place = left + wide + 26, sample - 6
        page.words(*place, words, colour=colour, bold=bold, room=NAMES - 26)


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


def _figure(view: View, preset: Preset, step: int) -> Drawing:
    """Maps in rows over the same few frames, with the frames' weights below them."""
    scene, own = view.scene, preset.kind == "checkpoints"  # own: each frame's own step is shown
    cell, frames = (190 if own else 150), positions(scene.steps)
    most, tall = max(len(_rows(view, preset, t)) for t in range(scene.steps)), cell * 3 // 4
    high, top, about = tall + LINE + 6, EDGE + 64 + LINE, _about(view, preset)
    width = LABEL + len(frames) * (cell + GAP) + 2 * EDGE
    page = _Page(view, step, width, top + high * (1 + most) + 22 + EDGE)
    page.words(EDGE, EDGE + 42, about, 12, GREY, room=width - 2 * EDGE)
    frames = with_step(frames, step) if own else frames
    columns = [(EDGE + LABEL + j * (cell + GAP), frame) for j, frame in enumerate(frames)]
    for left, frame in columns:
        strong, picture = own and frame == step, view.frame(frame, cell)
        page.words(left, top - LINE, f"frame {scene.numbers[frame]}", colour=GREY, bold=strong)
        if scene.masks is not None:
            mask = (scene.masks[frame] != 0).astype(np.uint8)
            mask = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            picture = draw_contour(picture, mask)
        page.put(_dashed(view, picture), left, top, cell)
    page.label(top, "frames" if scene.masks is None else "frames, the person outlined")
    page.said.insert(0, f"{about}.")
    for label, look, row, of in _rows(view, preset, step):
        top, notes = top + high, []
        page.label(top, label, style.VERMILION if of == step else BLACK, bold=of == step)
        for left, frame in columns:
            page.put(view.map(look, row, frame if own else of, frame, cell), left, top, cell)
            if own and frame == step:
                box = (left, top, left + cell - 1, top + tall - 1)
                page.pen.rectangle(box, None, style.ORANGE, 3)
            share, weight = scene.share(look, frame), look.weight(row, of, frame)
            if own:
                notes.append("" if share is None else f"{percent(share)} on the person")
            else:
                notes.append("not looked at" if weight is None else f"beta {weight:.2f}")
            page.words(left, top + tall + 2, notes[-1], colour=GREY)
        page.said.append(f"{label}: {'; '.join(notes)}.")
    return page.finish(view, EDGE + LABEL)


def _rows(view: View, preset: Preset, step: int) -> list[tuple[str, Look, str, int]]:
    """A preset's rows: label, checkpoint, stream or "fused", and step (-1: each frame's own)."""
    looks = [look for look in view.looks if look.rows]
    if preset.kind == "checkpoints":
        return [(f"{look.name}: {look.main}", look, look.main, -1) for look in looks]
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
