"""The explorer's two charts: frame weights of a step, and answers over the steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rstan_lite.show.explorer.canvas import GREY, PALE, Canvas
from rstan_lite.show.explorer.scene import FUSED, Look, Scene
from rstan_lite.show.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, STREAM_COLOURS, VERMILION

LINES = (  # a class is told from the others by colour and dash, and by its name at the line's end
    (BLACK, 0), (BLUE, 6), (VERMILION, 3), (GREEN, 10), (PURPLE, 2), (ORANGE, 14),
)  # fmt: skip
NAMES = 128  # pixels for the names at the right of the answers
SCALE = 30  # pixels for the numbers at the left of both charts
MOST_CLASSES = 5
UNSEEN = "#a0a0a0"  # frames that a step does not look at


def classes_of(scene: Scene, looks: Sequence[Look]) -> list[int]:
    """The classes whose answers are drawn: the true one, then those that were ever likeliest."""
    top = np.max([look.scores.max(axis=0) for look in looks], axis=0)  # (C,)
    order = [int(c) for c in np.argsort(-top, kind="stable")]
    if scene.action in scene.classes:
        true = scene.classes.index(scene.action)
        order.remove(true)
        order.insert(0, true)
    return order[:MOST_CLASSES]


def frame_weights(
    canvas: Canvas, scene: Scene, look: Look, step: int, box: tuple[int, int, int, int]
) -> None:
    """Draw each frame's weight beta at a step as bars, a bar a stream and one for both.

    box: left, top, width, height. The scale is that of all steps and checkpoints. The step's own
    frame has a grey ground; frames that the step does not look at have no bar, but a cross.
    """
    left, top, width, height = box
    left, width, bottom = left + SCALE, width - SCALE, top + height - 30
    room, slot = bottom - top, width / scene.steps
    canvas.words(left - 4, top, f"{scene.most:.2f}", size=10, colour=GREY, anchor="rm")
    canvas.words(left - 4, bottom, "0", size=10, colour=GREY, anchor="rm")
    every = max(1, int(np.ceil(canvas.width_of("000 ", 10) / slot)))
    for frame in range(scene.steps):
        x, own = left + frame * slot, frame == step
        if own:
            canvas.box(x, top - 4, x + slot, bottom, PALE)
        if own or (frame % every == 0 and abs(frame - step) >= every):
            number = str(int(scene.numbers[frame]))
            canvas.words(
                x + slot / 2, bottom + 4, number, size=10, bold=own, anchor="ma",
                colour=BLACK if own else GREY,
            )  # fmt: skip
        if look.slot(step, frame) is None:
            middle, low = x + slot / 2, bottom - 6
            for tilt in (-3, 3):
                ends = [(middle - 3, low - tilt), (middle + 3, low + tilt)]
                canvas.line(ends, UNSEEN)
            continue
        thick = 0.8 * slot / len(look.rows)
        for i, row in enumerate(look.rows):
            high = room * (look.weight(row, step, frame) or 0.0) / scene.most
            start = x + 0.1 * slot + i * thick
            canvas.box(start, bottom - high, start + thick, bottom, STREAM_COLOURS[row])
            if row == "motion" and thick > 3:  # stripes: no colour is needed to tell the bars apart
                canvas.stripes(start, bottom - high, start + thick, bottom, 4)
            if row == FUSED and thick > 6:
                canvas.box(start + 2, bottom - high + 2, start + thick - 2, bottom, "white")
    canvas.line([(left, bottom), (left + width, bottom)], BLACK)
    canvas.words(left, top + height, "frame of the video", size=10, colour=GREY, anchor="ls")
    _key(canvas, look, left + width, top + height)


def _key(canvas: Canvas, look: Look, right: float, bottom: float) -> None:
    """Say which bar is which, from right to left."""
    for row in reversed(look.rows):
        canvas.words(right, bottom, row, size=10, anchor="rs")
        right -= canvas.width_of(row, 10) + 14
        canvas.box(right, bottom - 9, right + 10, bottom, STREAM_COLOURS[row])
        if row == "motion":
            for y in (bottom - 7, bottom - 3):
                canvas.box(right, y, right + 10, y + 1, "white")
        elif row == FUSED:
            canvas.box(right + 2, bottom - 7, right + 8, bottom, "white")
        right -= 8


def answers(
    canvas: Canvas,
    scene: Scene,
    look: Look,
    classes: Sequence[int],
    step: int,
    box: tuple[int, int, int, int],
) -> None:
    """Draw the probability of some classes over all steps, with a line at one step.

    box: left, top, width, height. Names at the right have the probability at that step; the true
    action's is bold. Classes are drawn in the order given, the first one above the others.
    """
    left, top, width, height = box
    left, width, bottom = left + SCALE, width - SCALE - NAMES, top + height - 18
    across = np.linspace(left + 6, left + width - 6, scene.steps)
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        canvas.line([(left, y), (left + width, y)], "#c8c8c8" if share else BLACK)
        canvas.words(left - 4, y, f"{share:g}", size=10, colour=GREY, anchor="rm")
    canvas.line([(across[step], top - 4), (across[step], bottom)], GREY)
    canvas.words(across[step], bottom + 4, f"step {step + 1}", size=10, bold=True, anchor="ma")
    drawn = list(zip(classes, LINES, strict=False))
    for c, (colour, pattern) in reversed(drawn):
        heights = bottom - look.scores[:, c] * (bottom - top)
        points = list(zip(across, heights, strict=True))
        canvas.line(points, colour, 2, pattern)
        canvas.dot(across[step], heights[step], 4, colour)
    wanted = [bottom - float(look.scores[-1, c]) * (bottom - top) for c in classes]
    for c, (colour, _), y in zip(classes, LINES, spread(wanted, 14, top, bottom), strict=False):
        true = scene.classes[c] == scene.action
        value = f" {100 * look.scores[step, c]:.0f} %"
        name = scene.classes[c].replace("_", " ")
        room = NAMES - 10 - canvas.width_of(value, 11, true)
        text = canvas.shortened(name, room, 11, true) + value
        canvas.words(left + width + 8, y, text, size=11, colour=colour, bold=true, anchor="lm")


def spread(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, in their order, at least so far apart where there is room."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    floor = low
    for i in order:
        placed[i] = max(wanted[i], floor)
        floor = placed[i] + apart
    ceiling = high
    for i in reversed(order):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - apart
    return placed
