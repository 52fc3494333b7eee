"""A view as a file: one step as a picture, or all steps as a film."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rstan_lite.show.explorer.rendering import render
from rstan_lite.show.explorer.views import View
from rstan_lite.show.frames import write_animation
from rstan_lite.show.style import keep
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.files import write_atomically

FILMS = (".gif", ".mp4")
STEPS_A_SECOND = 2.0


def export(view: View, path: str | Path, step: int = 1) -> Path:
    """Write a view as .png (the given step, counted from 1), or .gif or .mp4 (all steps).

    The PNG's Description field holds the text alternative. Returns the path. Raises ConfigError for
    another ending, ValueError for a step that there isn't, StoreError where the disk is full or the
    folder can't be written; no part of a file is left then.
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
