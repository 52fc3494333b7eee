"""A figure that follows controls, with a kernel or drawn beforehand (tests/site/ moves one)."""

import html
import json
import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from rstan_lite import show
from rstan_lite.classroom.notebook import UNATTENDED
from rstan_lite.show.style import Drawing, describe, new_figure, styled
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
    *_, text = box.children
    return html.unescape(re.sub("<[^>]+>", "", text.value))


def png(box) -> bytes:
    (page,) = (child for child in box.children if type(child) is widgets.Box)
    return bytes(page.children[0].value)  # the widget keeps a view of it


def test_controls_have_labels_and_a_move_changes_picture_and_text() -> None:
    box = box_of(way=show.choice([("the larger", "max"), ("the middle", "mean")], "max", "fusion"))
    gamma, way = box.children[:2]
    assert (said(box), png(box)) == ("gamma < 1.0, by max", show.keep(draw(1.0)).png)
    gamma.value = 2.0
    assert said(box) == "gamma < 2.0, by max"
    way.value = "mean"
    assert (said(box), png(box)) == ("gamma < 2.0, by mean", show.keep(draw(2.0, "mean")).png)
    assert (gamma.description, way.description) == ("sharpness", "fusion")
    assert (gamma.min, gamma.max, gamma.step) == (0.0, 4.0, 0.5)
    assert isinstance(gamma, widgets.FloatSlider)
    assert isinstance(show.slider(0, 3, 1, 0, "step").widget(), widgets.IntSlider)
    assert isinstance(way, widgets.SelectionSlider)
    assert any(TEXT_CLASS in child._dom_classes for child in box.children)


def test_what_draw_raises_is_said_and_the_control_goes_back() -> None:
    box = box_of()
    (gamma, status, *_), before = box.children, png(box)
    gamma.value = 3.0
    assert "gamma <too> large" in html.unescape(status.value)
    assert (gamma.value, png(box), said(box)) == (1.0, before, "gamma < 1.0, by max")
    gamma.value = 2.0
    assert said(box) == "gamma < 2.0, by max"


def test_where_nobody_moves_controls_what_they_show_is_drawn_unless_it_is_too_much(monkeypatch):
    monkeypatch.setenv(UNATTENDED, "1")
    levels = {"gamma": show.slider(0.0, 1.0, 0.5, 0.5, "sharpness")}
    assert [alt for _, alt in show.explore(shown, **levels).pictures] == [
        f"gamma < {gamma}" for gamma in (0.0, 0.5, 1.0)
    ]
    monkeypatch.setattr("rstan_lite.show.widgets.MOST_POSITIONS", 2)
    assert isinstance(show.explore(shown, **levels), widgets.VBox)


def test_what_can_not_be_drawn_at_first_is_raised() -> None:
    with pytest.raises(ValueError, match="large"):
        show.explore(draw, gamma=show.slider(0.0, 4.0, 0.5, 3.0, "sharpness"))
    with pytest.raises(ValueError, match="text alternative"):
        show.explore(lambda t: new_figure(1, 1), t=show.slider(0, 3, 1, 0, "step"))


def shown(gamma: float) -> Figure:
    return describe(new_figure(1, 1), f"gamma < {gamma!r}")


def pictures(positions) -> list[tuple[list[str], bytes, str]]:
    """What the page's script takes: words, content and text of each position."""
    found = re.search(r'<script type="application/json">(.*?)</script>', positions._repr_html_())
    entries = json.loads(found[1])["pictures"]
    return [(words, b64decode(content), text) for words, content, text in entries]


def test_a_slider_has_each_value_from_end_to_end_and_its_own_first() -> None:
    positions = show.every_position(shown, gamma=show.slider(0.0, 1.0, 0.1, 0.3, "sharpness"))
    assert positions.words == (tuple(f"{i / 10:g}" for i in range(11)),)
    assert positions.words[0][positions.now[0]] == "0.3"
    assert positions.pictures[3][1] == "gamma < 0.3"  # to the bit: not 0.30000000000000004
    with Image.open(BytesIO(positions.pictures[3][0])) as picture:
        assert (picture.format, picture.size) == ("WEBP", (120, 120))
    assert repr(positions) == "sharpness: 0.3, of 11 positions"


def test_a_choice_has_its_options_by_their_words() -> None:
    pairs = [("none <b>", 0), ("all", 1)]
    positions = show.every_position(shown, gamma=show.choice(pairs, 1, "how & why"))
    text = positions._repr_html_()
    assert [(words, alt) for words, _, alt in pictures(positions)] == [
        (["none <b>"], "gamma < 0"),
        (["all"], "gamma < 1"),
    ]
    assert "how &amp; why <input" in text
    assert 'max="1" value="1" aria-valuetext="all"' in text
    assert 'src="data:image/webp;base64,UklGR' in text
    assert "<b>" not in text
    assert all(content[8:12] == b"WEBP" for _, content, _ in pictures(positions))


def named(**values: object) -> Drawing:
    """A picture whose only pixel and text say where it stands."""
    text = ", ".join(f"{name} {value}" for name, value in values.items())
    return Drawing(np.full((1, 1, 3), 80 * int(values["t"]), np.uint8), text)


def test_several_controls_have_a_picture_for_each_combination() -> None:
    controls = {"way": show.choice(("a", "b"), "b", "way"), "t": show.slider(1, 3, 1, 2, "step")}
    made = replace(show.every_position(named, **controls), note="More <i>in</i> Jupyter.")
    assert [(words, text) for words, _, text in pictures(made)] == [
        ([way, str(t)], f"way {way}, t {t}") for way in "ab" for t in (1, 2, 3)
    ]
    text = made._repr_html_()
    assert text.count("<input") == text.count("<output") == 2
    assert 'alt="way: b, step: 2"' in text
    assert ">way b, t 2</figcaption>" in text
    shades = [np.array(Image.open(BytesIO(content)))[0, 0, 0] for content, _ in made.pictures]
    assert np.allclose(shades, [80, 160, 240] * 2, atol=4)
    assert "<em>More &lt;i&gt;in&lt;/i&gt; Jupyter.</em>" in text
    assert repr(made) == "way: b, of 2 positions; step: 2, of 3 positions"
