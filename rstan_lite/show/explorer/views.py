"""What the explorer draws: one step with everything in it, or one of the paper's figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rstan_lite.show.explorer.canvas import GREY, Canvas
from rstan_lite.show.explorer.charts import SCALE, answers, classes_of, frame_weights
from rstan_lite.show.explorer.presets import Preset, positions, with_step
from rstan_lite.show.explorer.scene import Look, Scene
from rstan_lite.show.explorer.tiles import Tiles
from rstan_lite.show.pixels import heat_colours
from rstan_lite.show.style import ORANGE, VERMILION, Drawing

COLUMN, GAP = 500, 10  # pixels that a checkpoint is wide, and between two of them
EDGE, LINE = 12, 16  # about the page; of a line of small words
LABEL = 150  # pixels for the names of a figure's rows
CELLS = {"steps": 150, "streams": 150, "checkpoints": 190}  # pixels that its frames are wide
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

    looks: names of the scene's checkpoints, from left to right. ValueError for none or others.
    """

    scene: Scene
    names: tuple[str, ...]
    preset: Preset | None = None

    def __post_init__(self) -> None:
        known = [look.name for look in self.scene.looks]
        if not self.names or not set(self.names) <= set(known):
            raise ValueError(f"checkpoints {self.names}; there are {known}")

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """The chosen checkpoints."""
        by_name = {look.name: look for look in self.scene.looks}
        return tuple(by_name[name] for name in self.names)

    def tiles(self, width: int) -> Tiles:
        """Pictures of a width, in boxes of three quarters of its height, kept once made."""
        if width not in self._tiles:
            self._tiles[width] = Tiles(self.scene, width, width * 3 // 4)
        return self._tiles[width]

    @cached_property
    def _tiles(self) -> dict[int, Tiles]:
        return {}


def render(view: View, step: int) -> Drawing:
    """Draw a view at a step, counted from 1; the same view and step give the same pixels.

    Returns uint8 (height, width, 3) with its text alternative; the size is that of the view's other
    steps. ValueError for a step that there isn't.
    """
    if not 1 <= step <= view.scene.steps:
        raise ValueError(f"step {step} of {view.scene.steps}")
    if view.preset is None:
        return _everything(view, step - 1)
    return _figure(view, view.preset, step - 1)


def _everything(view: View, step: int) -> Drawing:
    """The frame, its flow and silhouette; a column a checkpoint: maps, weights, answers."""
    scene, columns = view.scene, len(view.looks)
    large, small = view.tiles(250 if columns > 1 else 160), view.tiles(160)
    width = max(2, columns) * COLUMN + (max(2, columns) - 1) * GAP + 2 * EDGE
    width = width if columns > 1 else COLUMN + 2 * EDGE
    tops = np.cumsum([EDGE + 44, LINE + large.height + 14, LINE + 4 + LINE + small.height + 14,
                      LINE + 6 + 112 + 12, LINE + 6 + 132 + 16])  # fmt: skip
    canvas = Canvas(width, int(tops[-1]) + 22 + EDGE)
    said = _head(canvas, view, step)

    wide = large.width + GAP
    pictures = [("frame, and what is seen of it", large.frames[step])]
    pictures.append((f"flow; strongest: {scene.speed:.0f} px", large.flow[step]))
    if large.masks is not None:
        solid = np.repeat(large.masks[step][..., None] * np.uint8(255), 3, axis=-1)
        pictures.append(("silhouette", solid))
    for i, (caption, picture) in enumerate(pictures):
        left, top = EDGE + i * wide, int(tops[0])
        text = canvas.shortened(caption, large.width, 11)
        canvas.words(left, top, text, size=11, colour=GREY)
        large.draw(canvas, picture, left, top + LINE, crop=i == 0)
    if large.masks is None:
        canvas.words(EDGE + 2 * wide, int(tops[0]) + LINE, "no silhouette known", size=11)
    for i, text in enumerate(KEY if columns > 1 else ()):
        canvas.words(EDGE + 3 * wide, int(tops[0]) + (i + 1) * LINE, text, size=11, colour=GREY)

    classes = classes_of(scene, view.looks)
    for i, look in enumerate(view.looks):
        left, name = EDGE + i * (COLUMN + GAP), look.name
        if (share := scene.share(look, step)) is not None:
            name += f": {100 * share:.0f} % of the {look.main} map on the person"
        canvas.words(left, int(tops[1]), canvas.shortened(name, COLUMN, 13, True),
                     size=13, bold=True)  # fmt: skip
        top = int(tops[1]) + LINE + 4
        for j, row in enumerate(look.rows):
            at = left + j * (small.width + GAP)
            canvas.words(at, top, f"alpha, {row}", size=11, colour=GREY)
            small.draw(canvas, small.map(look, row, step, step), at, top + LINE)
        if not look.rows:
            canvas.words(left, top, "a model without attention", size=11)
        top, box = int(tops[2]), (left, int(tops[2]) + LINE + 6, COLUMN, 112)
        if look.rows:
            words = f"beta: weights of the frames at step {step + 1}"
            canvas.words(left + SCALE, top, words, size=11, colour=GREY)
            frame_weights(canvas, scene, look, step, box)
        top = int(tops[3])
        canvas.words(left + SCALE, top, "answers: probability of each action, step by step",
                     size=11, colour=GREY)  # fmt: skip
        answers(canvas, scene, look, classes, step, (left, top + LINE + 6, COLUMN, 132))
        said += " " + _said(scene, look, step)
    _bar(canvas, scene, view.looks, EDGE, int(tops[4]))
    return Drawing(canvas.finish(), said)


def _figure(view: View, preset: Preset, step: int) -> Drawing:
    """Maps in rows over the same few frames, with the frames' weights below them."""
    scene, cell = view.scene, CELLS[preset.kind]
    tiles = view.tiles(cell)
    frames = positions(scene.steps)
    if preset.kind == "checkpoints":
        frames = with_step(frames, step)
    rows = _rows(view, preset, step, frames)
    high = tiles.height + LINE + 6
    width = LABEL + len(positions(scene.steps)) * (cell + GAP) + 2 * EDGE
    top = EDGE + 64 + LINE
    canvas = Canvas(width, top + high * (1 + _most_rows(view, preset)) + 22 + EDGE)
    said = _head(canvas, view, step)
    canvas.words(EDGE, EDGE + 42, canvas.shortened(_about(view, preset), width - 2 * EDGE, 12),
                 size=12, colour=GREY)  # fmt: skip
    for j, frame in enumerate(frames):
        left = EDGE + LABEL + j * (cell + GAP)
        own = preset.kind == "checkpoints" and frame == step
        words = f"frame {scene.numbers[frame]}"
        canvas.words(left, top - LINE, words, size=11, bold=own, colour=GREY)
        tiles.draw(canvas, tiles.outlined[frame], left, top, crop=True)
    person = "" if scene.masks is None else ", the person outlined"
    _label(canvas, f"frames{person}", top, False)
    for i, (label, look, row, of) in enumerate(rows, start=1):
        y, weights = top + i * high, []
        _label(canvas, label, y, of == step)
        for j, frame in enumerate(frames):
            left, current = EDGE + LABEL + j * (cell + GAP), frame if of is None else of
            tiles.draw(canvas, tiles.map(look, row, current, frame), left, y)
            if frame == step and of is None:
                canvas.frame(left, y, tiles.width, tiles.height, ORANGE, 3)
            note = _note(scene, look, row, current, frame, preset)
            weights.append(note)
            canvas.words(left, y + tiles.height + 2, note, size=11, colour=GREY)
        said += f" {label}: {'; '.join(weights)}."
    _bar(canvas, scene, view.looks, EDGE + LABEL, top + high * (1 + _most_rows(view, preset)))
    return Drawing(canvas.finish(), f"{_about(view, preset)}. {said}")


def _rows(
    view: View, preset: Preset, step: int, frames: list[int]
) -> list[tuple[str, Look, str, int | None]]:
    """A preset's rows: label, checkpoint, stream or "fused", and step (None: each frame's own)."""
    looks = _shown(view, preset)
    if preset.kind == "checkpoints":
        return [(f"{look.name}: {look.main}", look, look.main, None) for look in looks]
    chosen = positions(view.scene.steps)
    of = with_step([chosen[i] for i in preset.parts if i < len(chosen)], step)
    rows: list[tuple[str, Look, str, int | None]] = []
    for look in looks:
        for t in of:
            shown = (look.main,) if preset.kind == "steps" else look.rows
            words = f"step {t + 1} (frame {view.scene.numbers[t]})"
            rows += [(f"{words}: {row}", look, row, t) for row in shown]
    return rows


def _shown(view: View, preset: Preset) -> list[Look]:
    """The checkpoints whose maps a preset shows: the first that has any, or all of them."""
    looks = [look for look in view.looks if look.rows]
    return looks if preset.kind == "checkpoints" else looks[:1]


def _most_rows(view: View, preset: Preset) -> int:
    """The most rows that a preset has at any step, so that all its pictures are of one size."""
    frames = positions(view.scene.steps)
    return max(len(_rows(view, preset, t, frames)) for t in range(view.scene.steps))


def _about(view: View, preset: Preset) -> str:
    """What a preset shows here, and where that is not what the paper's figure shows."""
    parts = [f"{preset.name}: {preset.about}", preset.stand_in(view.scene.action)]
    parts += [f"{look.name} has no attention" for look in view.looks if not look.rows]
    for look in _shown(view, preset) if preset.kind != "checkpoints" else ():
        parts.append(f"checkpoint: {look.name}")
        seen, steps = look.frames.shape[1], view.scene.steps
        if seen < steps:
            parts.append(f"it looks at {seen} of {steps} frames a step")
    return "; ".join(part for part in parts if part)


def _note(scene: Scene, look: Look, row: str, step: int, frame: int, preset: Preset) -> str:
    """What stands below a map: the frame's weight, or the share of the map on the person."""
    if preset.kind == "checkpoints":
        share = scene.share(look, frame)
        return "" if share is None else f"{100 * share:.0f} % on the person"
    weight = look.weight(row, step, frame)
    return "not looked at" if weight is None else f"beta {weight:.2f}"


def _label(canvas: Canvas, text: str, top: int, strong: bool) -> None:
    """A row's name at its left, a line for each part, marked where it is the slider's step."""
    if strong:
        canvas.box(EDGE - 8, top, EDGE - 4, top + 2 * LINE, VERMILION)
    for i, part in enumerate(_lines(canvas, text, LABEL - 10)):
        canvas.words(EDGE, top + i * LINE, part, size=12, bold=strong)


def _lines(canvas: Canvas, text: str, width: float) -> list[str]:
    """Break a text into lines of at most so many pixels."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if canvas.width_of(longer, 12, True) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return [canvas.shortened(line, width, 12, True) for line in lines]


def _head(canvas: Canvas, view: View, step: int) -> str:
    """Clip, step and frame above everything; the same in words for the text alternative."""
    scene = view.scene
    where = f"step {step + 1} of {scene.steps}, frame {scene.numbers[step]} of {scene.n_frames}"
    room = canvas.pixels.shape[1] - 2 * EDGE
    canvas.words(EDGE, EDGE, canvas.shortened(scene.title, room, 16, True), size=16, bold=True)
    canvas.words(EDGE, EDGE + 22, where, size=13)
    return f"{scene.title}, {where}."


def _said(scene: Scene, look: Look, step: int) -> str:
    """A checkpoint's column in words: where it looks, at which frame most, and its answer."""
    best = int(look.scores[step].argmax())
    words = [f"{look.name}:"]
    alpha = look.map(look.main, step, step)
    if alpha is not None:
        words.append(f"largest weight of a place {alpha.max():.3f} ({look.main}),")
    if (share := scene.share(look, step)) is not None:
        words.append(f"{100 * share:.0f} % of that map on the person,")
    if look.rows:
        weights = np.where(look.valid[step], look.beta[look.main][step], -1)
        most = int(scene.numbers[look.frames[step, int(weights.argmax())]])
        words.append(f"largest frame weight {weights.max():.2f} at frame {most},")
    words.append(f"answer {scene.classes[best].replace('_', ' ')}")
    return " ".join(words) + f" with {100 * look.scores[step, best]:.0f} %."


def _bar(canvas: Canvas, scene: Scene, looks: tuple[Look, ...], left: int, top: int) -> None:
    """The maps' colours and what they stand for, in a strip."""
    places = next((a.shape[-1] for look in looks for a in look.alpha.values()), 0)
    if not places:
        return
    words, wide = "weight of a place: 0", 160
    canvas.words(left, top, words, size=11)
    start = left + round(canvas.width_of(words, 11)) + 6
    colours = np.rint(255 * heat_colours(np.linspace(0, 1, wide)))  # (wide, 3)
    canvas.pixels[top + 1 : top + 13, start : start + wide] = colours
    even = start + wide * min(1.0, 1 / places / scene.peak)
    canvas.line([(even, top - 2), (even, top + 15)], "black", 2)
    text = f"{scene.peak:.2f} or more; black mark: even, {1 / places:.2f}"
    canvas.words(start + wide + 6, top, text, size=11)
