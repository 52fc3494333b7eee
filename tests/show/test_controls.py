"""A figure that follows controls: what is drawn, what is said, and how mistakes are shown."""

import html
import re

import pytest
from matplotlib.figure import Figure

from rstan_lite import show
from rstan_lite.show.style import describe, new_figure, styled
from rstan_lite.show.widgets import TEXT_CLASS

widgets = pytest.importorskip("ipywidgets")


@styled
def draw(gamma: float, way: str = "max") -> Figure:
    if gamma > 2:
        raise ValueError("gamma <too> large")
    figure = new_figure(1, 1)
    figure.add_subplot().set_xlabel("x")
    return describe(figure, f"gamma < {gamma}, by {way}")


def box_of(**more):
    controls = {"gamma": show.slider(0.0, 4.0, 0.5, 1.0, "sharpness"), **more}
    return show.explore(draw, **controls)


def said(box) -> str:
    (text,) = (child for child in box.children if isinstance(child, widgets.HTML))
    return html.unescape(re.sub("<[^>]+>", "", text.value))


def picture_of(box):
    (picture,) = (child for child in box.children if isinstance(child, widgets.Image))
    return picture


def png(box) -> bytes:
    return bytes(picture_of(box).value)  # the widget keeps a view of it


def test_first_figure_and_its_text_are_those_of_the_first_values() -> None:
    box = box_of(way=show.choice(["max", "mean"], "mean", "fusion"))
    assert said(box) == "gamma < 1.0, by mean"
    assert png(box) == show.keep(draw(1.0, "mean")).png
    assert png(box).startswith(b"\x89PNG")


def test_moving_a_control_changes_picture_and_text() -> None:
    box = box_of(way=show.choice([("the larger", "max"), ("the middle", "mean")], "max", "fusion"))
    gamma, way = box.children[:2]
    before = png(box)
    gamma.value = 2.0
    assert said(box) == "gamma < 2.0, by max"
    way.value = "mean"
    assert said(box) == "gamma < 2.0, by mean"
    assert png(box).startswith(b"\x89PNG")
    assert png(box) != before  # the Description field differs, if nothing else


def test_controls_are_labelled_and_can_be_focused() -> None:
    box = box_of(way=show.choice(["max", "mean"], "max", "fusion"))
    gamma, way = box.children[:2]
    assert (gamma.description, way.description) == ("sharpness", "fusion")
    assert not gamma.disabled
    assert gamma.tabbable is not False
    assert (gamma.min, gamma.max, gamma.step) == (0.0, 4.0, 0.5)
    assert isinstance(gamma, widgets.FloatSlider)
    assert isinstance(way, widgets.SelectionSlider)


def test_whole_numbers_stay_whole() -> None:
    seen = []

    def draw_step(t: int) -> Figure:
        seen.append(t)
        return describe(new_figure(1, 1), f"step {t}")

    box = show.explore(draw_step, t=show.slider(0, 3, 1, 0, "step"))
    box.children[0].value = 2
    assert seen == [0, 2]
    assert all(type(t) is int for t in seen)


def test_what_draw_raises_is_shown_until_the_next_change() -> None:
    box = box_of()
    box.children[0].value = 3.0
    assert "ValueError: gamma <too> large" in said(box)
    assert picture_of(box).layout.display == "none"
    box.children[0].value = 2.0
    assert said(box) == "gamma < 2.0, by max"
    assert picture_of(box).layout.display is None


def test_what_draw_raises_at_first_is_raised() -> None:
    with pytest.raises(ValueError, match="large"):
        show.explore(draw, gamma=show.slider(0.0, 4.0, 0.5, 3.0, "sharpness"))


def test_a_figure_without_text_is_refused() -> None:
    with pytest.raises(ValueError, match="text alternative"):
        show.explore(lambda t: new_figure(1, 1), t=show.slider(0, 3, 1, 0, "step"))


def test_text_can_be_found_by_its_class() -> None:
    assert any(TEXT_CLASS in child._dom_classes for child in box_of().children)


@pytest.mark.parametrize(
    "numbers", [(1, 1, 1, 1), (0, 1, 0, 0), (0, 1, 2, 0), (0, 1, 1, 2), (0, 1, 0.001, 0)]
)
def test_a_slider_that_cannot_be_walked_is_refused(numbers: tuple) -> None:
    with pytest.raises(ValueError, match="'gamma'"):
        show.slider(*numbers, "gamma")


@pytest.mark.parametrize(
    ("options", "value", "label"),
    [(["a", "b"], "c", "x"), (["a", "a"], "a", "x"), (["a", "b"], "a", " ")],
)
def test_a_choice_that_is_none_is_refused(options: list, value: str, label: str) -> None:
    with pytest.raises(ValueError, match=r"choice|label"):
        show.choice(options, value, label)


def test_nothing_to_explore_is_refused() -> None:
    with pytest.raises(ValueError, match="no controls"):
        show.explore(draw)
