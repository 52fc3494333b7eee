"""Every position of controls drawn beforehand; tests/site/ moves one in a browser."""

import json
import re
from base64 import b64decode

import pytest
from matplotlib.figure import Figure

from rstan_lite import show
from rstan_lite.show import widgets as module
from rstan_lite.show.style import describe, new_figure
from rstan_lite.show.widgets import positions_of


def draw(gamma: float) -> Figure:
    return describe(new_figure(1, 1), f"gamma < {gamma!r}")


def pictures(positions) -> list[tuple[list[str], bytes, str]]:
    """What the page's script takes: words, content and text of each position."""
    found = re.search(r'<script type="application/json">(.*?)</script>', positions._repr_html_())
    entries = json.loads(found[1])["pictures"]
    return [(words, b64decode(content), text) for words, content, text in entries]


def test_a_slider_has_each_value_from_end_to_end_and_its_own_first() -> None:
    positions = show.every_position(draw, gamma=show.slider(0.0, 1.0, 0.1, 0.3, "sharpness"))
    assert positions.words == (tuple(f"{i / 10:g}" for i in range(11)),)
    assert positions.words[0][positions.now[0]] == "0.3"
    assert positions.pictures[3][1] == "gamma < 0.3"  # to the bit: not 0.30000000000000004
    assert positions.pictures[3][0] == show.keep(draw(0.3)).png
    assert repr(positions) == "sharpness: 0.3, of 11 positions"


def test_a_choice_has_its_options_by_their_words() -> None:
    pairs = [("none <b>", 0), ("all", 1)]
    positions = show.every_position(draw, gamma=show.choice(pairs, 1, "how & why"))
    text = positions._repr_html_()
    assert [(words, alt) for words, _, alt in pictures(positions)] == [
        (["none <b>"], "gamma < 0"),
        (["all"], "gamma < 1"),
    ]
    assert "how &amp; why <input" in text
    assert 'max="1" value="1" aria-valuetext="all"' in text
    assert 'src="data:image/png;base64,iVBOR' in text
    assert "<b>" not in text
    assert all(content.startswith(b"\x89PNG") for _, content, _ in pictures(positions))


def said(**values: object) -> tuple[bytes, str]:
    """A picture of no pixels, whose text says where it stands."""
    text = ", ".join(f"{name} {value}" for name, value in values.items())
    return text.encode(), text


def test_several_controls_have_a_picture_for_each_combination() -> None:
    controls = {"way": show.choice(("a", "b"), "b", "way"), "t": show.slider(1, 3, 1, 2, "step")}
    made = positions_of(said, controls, "jpeg", "More <i>in</i> Jupyter.")
    assert [(words, text) for words, _, text in pictures(made)] == [
        ([way, str(t)], f"way {way}, t {t}") for way in "ab" for t in (1, 2, 3)
    ]
    text = made._repr_html_()
    assert text.count("<input") == text.count("<output") == 2
    assert 'alt="way: b, step: 2"' in text
    assert ">way b, t 2</figcaption>" in text
    assert "data:image/jpeg;base64,d2F5IGIsIHQgMg==" in text
    assert "<em>More &lt;i&gt;in&lt;/i&gt; Jupyter.</em>" in text
    assert repr(made) == "way: b, of 2 positions; step: 2, of 3 positions"


@pytest.mark.parametrize("value", [0.0, 7.0, 20.0])
def test_a_grid_of_several_is_thinned_about_their_values(value: float) -> None:
    controls = {
        "gamma": show.slider(0.0, 20.0, 0.5, value, "sharpness"),
        "way": show.choice(("none", "mean", "max"), "max", "fusion"),
        "t": show.slider(1, 9, 1, 4, "step"),
    }
    made = positions_of(said, controls)
    assert module.MOST / 3 < len(made.pictures) <= module.MOST
    assert made.words[1] == ("none", "mean", "max")
    assert [words[now] for words, now in zip(made.words, made.now, strict=True)] == [
        f"{value:g}", "max", "4",
    ]  # fmt: skip
    assert made._repr_html_().count(f"gamma {value}, way max, t 4</figcaption>") == 1


def test_no_control_is_too_few() -> None:
    with pytest.raises(ValueError, match="no controls"):
        show.every_position(draw)
