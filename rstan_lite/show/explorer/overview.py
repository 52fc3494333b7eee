"""Everything about one step: frame, flow and silhouette, and a column for each checkpoint."""

from __future__ import annotations

import numpy as np

from rstan_lite.show.explorer.canvas import GREY, Canvas
from rstan_lite.show.explorer.charts import SCALE, answers, classes_of, frame_weights
from rstan_lite.show.explorer.scene import Look, Scene
from rstan_lite.show.explorer.tiles import Tiles
from rstan_lite.show.explorer.views import EDGE, GAP, LINE, View, head, scale_bar
from rstan_lite.show.style import Drawing

COLUMN = 500  # pixels that a checkpoint is wide
KEY = (
    "dashed: what the networks see",
    "white line on a map: half of the scale's end",
    "grey ground: the step's own frame",
    "cross: a frame that it doesn't look at",
    "bold name: the true action",
)


def everything(view: View, step: int) -> Drawing:
    """The frame, its flow and silhouette; a column a checkpoint: maps, weights, answers."""
    scene, columns = view.scene, len(view.looks)
    large, small = view.tiles(250 if columns > 1 else 160), view.tiles(160)
    width = columns * (COLUMN + GAP) - GAP + 2 * EDGE
    tops = np.cumsum([EDGE + 44, LINE + large.height + 14, LINE + 4 + LINE + small.height + 14,
                      LINE + 6 + 112 + 12, LINE + 6 + 132 + 16])  # fmt: skip
    canvas = Canvas(width, int(tops[-1]) + 22 + EDGE)
    said = head(canvas, view, step)

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
        left = EDGE + i * (COLUMN + GAP)
        _column(canvas, scene, look, small, classes, step, left, [int(top) for top in tops[1:4]])
        said += " " + _said(scene, look, step)
    scale_bar(canvas, scene, view.looks, EDGE, int(tops[4]))
    return Drawing(canvas.finish(), said)


def _column(
    canvas: Canvas,
    scene: Scene,
    look: Look,
    tiles: Tiles,
    classes: list[int],
    step: int,
    left: int,
    tops: list[int],
) -> None:
    """Draw a checkpoint's maps, frame weights and answers, each at one of three heights."""
    name = look.name
    if (share := scene.share(look, step)) is not None:
        name += f": {100 * share:.0f} % of the {look.main} map on the person"
    canvas.words(left, tops[0], canvas.shortened(name, COLUMN, 13, True),
                 size=13, bold=True)  # fmt: skip
    top = tops[0] + LINE + 4
    for j, row in enumerate(look.rows):
        at = left + j * (tiles.width + GAP)
        canvas.words(at, top, f"alpha, {row}", size=11, colour=GREY)
        tiles.draw(canvas, tiles.map(look, row, step, step), at, top + LINE)
    if not look.rows:
        canvas.words(left, top, "a model without attention", size=11)
    top, box = tops[1], (left, tops[1] + LINE + 6, COLUMN, 112)
    if look.rows:
        words = f"beta: weights of the frames at step {step + 1}"
        canvas.words(left + SCALE, top, words, size=11, colour=GREY)
        frame_weights(canvas, scene, look, step, box)
    top = tops[2]
    canvas.words(left + SCALE, top, "answers: the likeliest actions' probabilities, step by step",
                 size=11, colour=GREY)  # fmt: skip
    answers(canvas, scene, look, classes, step, (left, top + LINE + 6, COLUMN, 132))


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
