"""The pictures of a view's steps, drawn before they are asked for while the kernel has time."""

from __future__ import annotations

import asyncio
from threading import Lock

from rstan_lite.show.explorer.canvas import jpeg
from rstan_lite.show.explorer.rendering import render
from rstan_lite.show.explorer.views import View

# Seconds without a press before a step is drawn ahead: the picture that was asked for is on its way
# to the browser until then, and would have to share the processors.
REST = 0.06
BETWEEN = 0.005  # seconds between two steps, in which a press is answered


class Pictures:
    """The steps of the view that was begun with, as JPEG and words; each is drawn once.

    After each `of`, the steps nearest to the one asked for are drawn too, one at a time, in pauses
    of the event loop that runs there; without a loop none is. That shows nothing, and what can't be
    drawn raises only when it is asked for. The next `begin` or `of` ends it.
    """

    view: View

    def __init__(self) -> None:
        self._lock = Lock()  # Jupyter may handle widgets in another thread than cells

    def begin(self, view: View) -> None:
        """Forget the pictures of the view before, and take another."""
        with self._lock:
            self.view, self._kept = view, dict[int, tuple[bytes, str]]()
            self._turn = object()  # of the last press; the callbacks of others do nothing

    def of(self, step: int) -> tuple[bytes, str]:
        """The picture and words of a step, counted from 1. Raises as `render`."""
        self._turn = turn = object()  # before the wait for a step that is being drawn
        found = self._of(step)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return found
        loop.call_later(REST, self._ahead, loop, turn, step)
        return found

    def _of(self, step: int) -> tuple[bytes, str]:
        with self._lock:
            if step not in self._kept:
                drawn = render(self.view, step)
                self._kept[step] = jpeg(drawn.pixels), drawn.alt
            return self._kept[step]

    def _ahead(self, loop: asyncio.AbstractEventLoop, turn: object, near: int) -> None:
        """Draw the missing step that is nearest, and come back for the one after that."""
        with self._lock:
            missing = set(range(1, self.view.scene.steps + 1)) - self._kept.keys()
        if turn is not self._turn or not missing:
            return
        try:
            self._of(min(missing, key=lambda step: (abs(step - near), -step)))
        except Exception:  # is raised, and said, when the reader comes to that step
            return
        loop.call_later(BETWEEN, self._ahead, loop, turn, near)
