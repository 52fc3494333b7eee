"""Figures of notebooks 01 to 04: what they say is true of the arrays that they were given."""

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from rstan_lite import show
from rstan_lite.data.transforms import crop
from rstan_lite.model.rstan import sharpened_softmax
from rstan_lite.show.weights import sharpened

RNG = np.random.default_rng(0)
FRAME = RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8)
MASK = np.zeros((48, 64), np.uint8)
MASK[:24, :32] = 1  # a quarter
FLOW = RNG.normal(0, 1, (48, 64, 2))
CODES = np.full((48, 64, 2), 128, np.uint8)
CODES[0, 0] = 7, 200
SCORES = RNG.normal(size=49)
RULES = {"any": 1e-9, "half": 0.5}


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def receptive(**changed: dict) -> Figure:
    share = np.zeros((32, 32))
    share[8:12, 8:12] = 1.0
    share[20, 20] = 16.0  # as much outside of the tile as inside
    given = {
        "shares": {"a": share},
        "fields": {"a": (0, 24, 0, 24)},
        "cells": {"a": (8, 16, 8, 16)},
    }
    return show.receptive_figure(FRAME[:32, :32], **given | changed)


def test_sampling_names_the_chosen_frames_and_their_steps() -> None:
    figure = show.sampling_figure(3, {"short": [0, 0, 1, 2]})
    assert "short: 0, 0, 1, 2" in show.alt_text(figure)
    assert "1,2" in texts(figure)  # two steps at one frame
    assert "4 steps over a clip of 3 frames" in show.alt_text(figure)


def test_views_say_how_much_the_person_covers() -> None:
    figure = show.views_figure({"whole": (FRAME, MASK), "half": (FRAME[:, :32], MASK[:, :32])})
    assert "whole (person: 25.0%), half (person: 50.0%)" in show.alt_text(figure)


def test_covering_counts_the_frames_that_a_rule_loses() -> None:
    area, largest = np.array([0.01, 0.05, 0.1, 0.2]), np.array([0.2, 0.4, 0.6, 1.0])
    figure = show.covering_figure(area, largest, RULES)
    assert "Of 4 frames with a person, lost by rule: any: 0.0%, half: 50.0%" in show.alt_text(
        figure
    )
    assert "50.0 %" in texts(figure)


def test_flow_figures_name_codes_channels_and_speeds() -> None:
    assert "codes from 7 to 200" in show.alt_text(show.flow_panels(FRAME, FLOW, CODES))
    stack = np.concatenate([CODES] * 3, axis=2)
    drawn = show.flow_stack(stack)
    assert "3 flow fields" in show.alt_text(drawn)
    assert {"0", "5", "x", "y", "code"} <= set(texts(drawn).split("\n"))
    flow = np.zeros((1, 48, 64, 2))
    flow[0, MASK == 1] = 3, 4
    rows = show.flow_rows(FRAME[None], {"all": flow}, MASK[None], indices=[7])
    assert "all: 5.00 on the person, 0.00 elsewhere" in show.alt_text(rows)
    assert "frame 7" in texts(rows)


def test_flow_panels_name_the_frames_and_stretch_the_greys_about_rest() -> None:
    said = texts(show.flow_panels(FRAME, FLOW, CODES, index=7)).split("\n")
    assert {"frame 7", "flow to frame 8, as colour", "128: rest"} <= set(said)
    low = next(text for text in said if text.endswith(": left, up"))
    high = next(text for text in said if text.endswith(": right, down"))
    assert int(low.split(":")[0]) + int(high.split(":")[0]) == 2 * 128


def test_attention_strip_says_what_its_colours_are() -> None:
    maps = {"row": np.eye(49)[:1]}
    lengths = show.attention_strip(FRAME[None], maps, indices=["widest"], scale="length")
    assert {"widest", "length of a place"} <= set(texts(lengths).split("\n"))
    assert "The largest length of a place is 1.00" in show.alt_text(lengths)
    marked = show.attention_strip(FRAME[None], maps, scale="", peak=1.0)
    assert "marked places" in show.alt_text(marked)
    assert len(marked.axes) == 1  # no colour bar


def test_receptive_figure_says_what_share_lies_in_the_tile() -> None:
    assert "a: 50% inside its own tile" in show.alt_text(receptive())


def test_memory_and_accuracy_figures_end_where_the_values_end() -> None:
    values = {"x": np.array([0.0, 1.0]), "c": np.array([[0.1, 0.2], [0.3, 0.4]])}
    figure = show.memory_figure(values, ranges={"x": (0, 1), "c": (-1, 1)})
    assert "x: 1.00; c: 0.30, 0.40" in show.alt_text(figure)
    assert {"step t", "unit 2"} <= set(texts(figure).split("\n"))
    figure = show.accuracy_by_step({"test": np.array([0.25, 0.75])}, 0.5, 12)
    assert "test: 25% at step 1, 75% at step 2; guessing 50%" in show.alt_text(figure)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 7.5, 1e4])
def test_sharpness_figures_use_equation_3(gamma: float) -> None:
    alpha = sharpened(SCORES, gamma)
    package = sharpened_softmax(torch.from_numpy(SCORES), gamma)
    np.testing.assert_allclose(alpha, package.numpy(), rtol=1e-12, atol=1e-300)
    figure = show.sharpness_figure(FRAME, SCORES, gamma, crop((48, 64), 32))
    words = show.alt_text(figure)
    assert f"sharpness {gamma:g}: the largest is {alpha.max():.3f}" in words
    assert f"as if by {show.effective_number(alpha):.1f} of 49 places" in words


def test_effective_number_run_from_one_to_all() -> None:
    assert show.effective_number(np.full(49, 1 / 49)) == pytest.approx(49)
    assert show.effective_number(np.eye(9)[3]) == 1
    assert show.effective_number(np.array([0.5, 0.5, 0])) == pytest.approx(2)


def test_sharpness_curves_begin_even() -> None:
    figure = show.sharpness_curves(SCORES[:4], [0.0, 1.0, 50.0], mark=(1,))
    assert "begin at 0.250 to 0.250" in show.alt_text(figure)
    assert {"1", "sharpness $\\gamma_\\alpha$", "weight $\\alpha$"} <= set(
        texts(figure).split("\n")
    )


def test_features_figure_gives_each_vector_a_row() -> None:
    figure = show.features_figure({"L": np.array([3.0, 4.0]), "best": np.array([0.0, 1.0])})
    assert "L: 5.00, best: 1.00" in show.alt_text(figure)
    assert "2 of 2 channels" in texts(figure)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: show.sampling_figure(3, {"a": [0, 1], "b": [0]}),
        lambda: show.sampling_figure(3, {"a": [0, 3]}),
        lambda: show.sampling_figure(3, {}),
        lambda: show.views_figure({}),
        lambda: show.covering_figure(np.ones(2), np.ones(3), RULES),
        lambda: show.covering_figure(np.ones(0), np.ones(0), RULES),
        lambda: show.flow_panels(FRAME, FLOW, CODES[1:]),
        lambda: show.flow_stack(CODES[..., :1]),
        lambda: show.flow_rows(FRAME[None], {}, MASK[None]),
        lambda: receptive(cells={"b": (0, 1, 0, 1)}),
        lambda: show.memory_figure({"x": np.ones(3)}, ranges={"y": (0, 1)}),
        lambda: show.memory_figure({"x": np.ones(3), "y": np.ones(2)}, ranges={}),
        lambda: show.accuracy_by_step({"a": np.ones(3), "b": np.ones(2)}, 0.5, 4),
        lambda: show.sharpness_figure(FRAME, SCORES, -1.0),
        lambda: show.sharpness_curves(SCORES, [0.0, 1.0]),
        lambda: show.features_figure({"only": np.ones(3)}),
    ],
)
def test_figures_refuse_what_does_not_belong_together(draw) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        draw()
