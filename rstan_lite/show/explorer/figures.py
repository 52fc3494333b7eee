"""The paper's figures: maps in rows over the same few frames."""

from __future__ import annotations

from rstan_lite.show.explorer.canvas import GREY, Canvas
from rstan_lite.show.explorer.presets import Preset, positions, with_step
from rstan_lite.show.explorer.scene import Look, Scene
from rstan_lite.show.explorer.views import EDGE, GAP, LINE, View, head, scale_bar
from rstan_lite.show.style import ORANGE, VERMILION, Drawing

LABEL = 150  # pixels for the names of the rows
CELLS = {"steps": 150, "streams": 150, "checkpoints": 190}  # pixels that the frames are wide


def figure(view: View, preset: Preset, step: int) -> Drawing:
    """Maps in rows over the same few frames, with the frames' weights below them."""
    scene, cell = view.scene, CELLS[preset.kind]
    tiles = view.tiles(cell)
    frames = positions(scene.steps)
    if preset.kind == "checkpoints":
        frames = with_step(frames, step)
    rows, most = _rows(view, preset, step), _most_rows(view, preset)
    high = tiles.height + LINE + 6
    width = LABEL + len(positions(scene.steps)) * (cell + GAP) + 2 * EDGE
    top = EDGE + 64 + LINE
    canvas = Canvas(width, top + high * (1 + most) + 22 + EDGE)
    said = head(canvas, view, step)
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
    scale_bar(canvas, scene, view.looks, EDGE + LABEL, top + high * (1 + most))
    return Drawing(canvas.finish(), f"{_about(view, preset)}. {said}")


def _rows(view: View, preset: Preset, step: int) -> list[tuple[str, Look, str, int | None]]:
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
    return max(len(_rows(view, preset, t)) for t in range(view.scene.steps))


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
