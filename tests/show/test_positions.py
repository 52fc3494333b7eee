"""Every position of a control drawn beforehand; tests/site/ moves one in a browser."""

import json
import re

import pytest
from matplotlib.figure import Figure

from rstan_lite import show
from rstan_lite.show.style import describe, new_figure


def draw(gamma: float) -> Figure:
    return describe(new_figure(1, 1), f"gamma < {gamma!r}")


def pictures(positions) -> list[list[str]]:
    """What the page's script takes: words, address and text of each position."""
    found = re.search(r'<script type="application/json">(.*?)</script>', positions._repr_html_())
    return json.loads(found[1])


def test_a_slider_has_each_value_from_end_to_end_and_its_own_first() -> None:
    positions = show.every_position(draw, gamma=show.slider(0.0, 1.0, 0.1, 0.3, "sharpness"))
    assert positions.words == tuple(f"{i / 10:g}" for i in range(11))
    assert positions.words[positions.now] == "0.3"
    assert positions.pictures[3].alt == "gamma < 0.3"  # to the bit: not 0.30000000000000004
    assert positions.pictures[3].png == show.keep(draw(0.3)).png
    assert repr(positions) == "sharpness: 0.3, of 11 positions"


def test_a_choice_has_its_options_by_their_words() -> None:
    pairs = [("none <b>", 0), ("all", 1)]
    positions = show.every_position(draw, gamma=show.choice(pairs, 1, "how & why"))
    text = positions._repr_html_()
    assert [(words, alt) for words, _, alt in pictures(positions)] == [
        ("none <b>", "gamma < 0"),
        ("all", "gamma < 1"),
    ]
    assert "how &amp; why <input" in text
    assert 'max="1" value="1" aria-valuetext="all"' in text
    assert "<b>" not in text
    assert all(
        address.startswith("data:image/png;base64,iVBOR") for _, address, _ in pictures(positions)
    )


def test_several_controls_are_too_many() -> None:
    one = show.slider(0, 1, 1, 0, "one")
    for controls in ({}, {"gamma": one, "way": one}):
        with pytest.raises(ValueError, match="expected one"):
            show.every_position(draw, **controls)
