"""Steps drawn ahead: which, when, and that nothing else follows from it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rstan_lite.show.explorer import View, render, widget
from rstan_lite.show.explorer.widget import Pictures
from rstan_lite.show.style import Drawing
from tests.show.test_explorer import BOTH, T

WITHOUT, WITH = (View(BOTH, (name,)) for name in ("without", "with"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[View, int]]:
    """What was drawn, in order; a picture is one pixel that is its step."""
    seen: list[tuple[View, int]] = []

    def draw(view: View, step: int) -> Drawing:
        seen.append((view, step))
        return Drawing(np.full((1, 1, 3), step, np.uint8), f"{view.names[0]} {step}")

    monkeypatch.setattr(widget, "render", draw)
    monkeypatch.setattr(widget, "REST", 0.0)
    monkeypatch.setattr(widget, "BETWEEN", 0.0)
    return seen


def begun(view: View) -> Pictures:
    pictures = Pictures()
    pictures.begin(view)
    return pictures


async def until(seen: list[tuple[View, int]], number: int) -> None:
    """Give the loop time until so many were drawn, and then for some more."""
    end = time.monotonic() + 10
    while len(seen) < number and time.monotonic() < end:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)


def steps(seen: list[tuple[View, int]]) -> list[int]:
    return [step for _, step in seen]


def test_a_picture_is_the_renders_own_and_made_once() -> None:
    pictures = begun(WITH)
    first = pictures.of(2)
    assert first[0].startswith(b"\xff\xd8")
    assert first[1] == render(WITH, 2).alt
    assert pictures.of(2) is first
    with pytest.raises(ValueError, match="step"):
        pictures.of(T + 1)


def test_without_a_loop_only_what_is_asked_for_is_drawn(calls: list[tuple[View, int]]) -> None:
    pictures = begun(WITH)
    pictures.of(3)
    time.sleep(0.02)
    assert steps(calls) == [3]


def in_a_loop(work: Coroutine[None, None, None]) -> None:
    """Run in an event loop of its own, also where browser tests have left one in this thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def test_the_nearest_steps_follow_each_once(calls: list[tuple[View, int]]) -> None:
    async def press() -> None:
        pictures = begun(WITH)
        pictures.of(2)
        await until(calls, T)
        assert steps(calls) == [2, 3, 1, 4, 5]
        for step in range(1, T + 1):
            assert pictures.of(step)[1] == f"with {step}"
        await until(calls, T + 1)
        assert len(calls) == T

    in_a_loop(press())


def test_another_view_ends_it_and_never_has_the_pictures_of_the_first(
    calls: list[tuple[View, int]],
) -> None:
    async def press() -> None:
        pictures = begun(WITH)
        pictures.of(1)
        pictures.begin(WITHOUT)  # before anything was drawn ahead
        await until(calls, 2)
        assert calls == [(WITH, 1)]
        assert pictures.of(1)[1] == "without 1"
        await until(calls, 1 + T)
        assert {view for view, _ in calls[1:]} == {WITHOUT}
        assert [pictures.of(step)[1] for step in (5, 2)] == ["without 5", "without 2"]

    in_a_loop(press())


def test_the_next_press_takes_over(calls: list[tuple[View, int]]) -> None:
    async def press() -> None:
        pictures = begun(WITH)
        pictures.of(1)
        pictures.of(5)  # both within the rest
        await until(calls, T)
        assert steps(calls) == [1, 5, 4, 3, 2]

    in_a_loop(press())


def test_what_can_not_be_drawn_is_said_only_to_who_asks(
    calls: list[tuple[View, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, complaints = widget.render, []

    def draw(view: View, step: int) -> Drawing:
        made = plain(view, step)
        if step == 3:
            raise ZeroDivisionError
        return made

    monkeypatch.setattr(widget, "render", draw)

    async def press() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
        pictures = begun(WITH)
        pictures.of(2)
        await until(calls, 2)
        assert steps(calls) == [2, 3]
        with pytest.raises(ZeroDivisionError):
            pictures.of(3)
        assert pictures.of(4)[1] == "with 4"  # and goes on from there

    in_a_loop(press())
    assert not complaints


def test_a_press_from_another_thread_waits_for_the_step_being_drawn(
    calls: list[tuple[View, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, begins = widget.render, threading.Event()

    def slow(view: View, step: int) -> Drawing:
        begins.set()
        time.sleep(0.05)
        return plain(view, step)

    monkeypatch.setattr(widget, "render", slow)
    pictures, found = begun(WITH), []

    def ask() -> None:
        begins.wait()
        found.append(pictures.of(1))

    other = threading.Thread(target=ask)
    other.start()
    found.append(pictures.of(1))
    other.join()
    assert steps(calls) == [1]
    assert found[0] is found[1]
