"""Figures of the lessons: what they say is true of the arrays that they were given."""

import re

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from rstan_lite import show
from rstan_lite.data.transforms import crop
from rstan_lite.model.rstan import sharpened_softmax
from rstan_lite.show.weights import sharpened
from tests.show.test_figures import texts

RNG = np.random.default_rng(0)
FRAME = RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8)
MASK = np.zeros((48, 64), np.uint8)
MASK[:24, :32] = 1  # a quarter
FLOW = RNG.normal(0, 1, (48, 64, 2))
CODES = np.full((48, 64, 2), 128, np.uint8)
CODES[0, 0] = 7, 200
SCORES = RNG.normal(size=49)
RULES = {"any": 1e-9, "half": 0.5}
DICE = np.random.default_rng(1)
T, K = 4, 3
CLIP = DICE.integers(0, 256, (T, 48, 64, 3), dtype=np.uint8)
ALPHA = DICE.dirichlet(np.ones(K * K), (T, T))
BETA = DICE.dirichlet(np.ones(T), T)
STREAMS = {s: DICE.dirichlet(np.ones(K * K), T) for s in ("appearance", "motion")}
TARGET = np.zeros((T, K * K))
TARGET[:3, :3] = 1 / 3
BOX = crop((48, 64), 32)


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


def flow_rows() -> Figure:
    flow = np.zeros((1, 48, 64, 2))
    flow[0, MASK == 1] = 3, 4
    return show.flow_rows(FRAME[None], {"all": flow}, MASK[None], indices=[7])


def lines(**changed: dict) -> Figure:
    given = {"xlabel": "step", "ylabel": "value", "bounds": {"one": X / 5}, "marks": {"here": 2.0}}
    return show.line_chart(X, {"one": X / 10, "two": X**2}, **given | changed)


X = np.arange(1, 5)
MAPS = {"row": np.eye(49)[:1]}
PANELS = {"left": np.array([[1.0, -2.0], [np.nan, 4.0]]), "right": np.array([[0.5], [0.25]])}
HEADS = {"left": ["x", "y"], "right": ["z"]}
VALUES = {"x": np.array([0.0, 1.0]), "c": np.array([[0.1, 0.2], [0.3, 0.4]])}
AREA, LARGEST = np.array([0.01, 0.05, 0.1, 0.2]), np.array([0.2, 0.4, 0.6, 1.0])


@pytest.mark.parametrize(
    ("draw", "said", "written"),
    [  # what the text alternative says, and lines that are written in the figure
        (lambda: show.sampling_figure(3, {"short": [0, 0, 1, 2]}), "short: 0, 0, 1, 2",
         {"1,2"}),  # two steps at one frame
        (lambda: show.sampling_figure(3, {"short": [0, 0, 1, 2]}),
         "4 steps over a clip of 3 frames", set()),
        (lambda: show.views_figure({"whole": (FRAME, MASK), "half": (FRAME[:, :32], MASK[:, :32])}),
         "whole (person: 25.0%), half (person: 50.0%)", set()),
        (lambda: show.covering_figure(AREA, LARGEST, RULES),
         "Of 4 frames with a person, lost by rule: any: 0.0%; half: 50.0%",
         {"half: 50.0 % end with nobody"}),
        (lambda: show.flow_panels(FRAME, FLOW, CODES, index=7), "codes from 7 to 200",
         {"frame 7", "flow to frame 8, as colour"}),
        (lambda: show.flow_stack(np.concatenate([CODES] * 3, axis=2)), "3 flow fields",
         {"0", "5", "x", "y"}),
        (flow_rows, "all: 5.00 on the person, 0.00 elsewhere", {"frame 7"}),
        (lambda: show.attention_strip(FRAME[None], MAPS, indices=["widest"], scale="length"),
         "The largest length of a place is 1.00", {"widest", "length of a place"}),
        (lambda: show.attention_strip(FRAME[None], MAPS, scale="", peak=1.0), "marked places",
         set()),
        (receptive, "a: 50% inside its own tile", set()),
        (lambda: show.memory_figure(VALUES, ranges={"x": (0, 1), "c": (-1, 1)}),
         "x: 1.00; c: 0.30, 0.40", {"step t", "unit 2"}),
        (lambda: show.accuracy_by_step({"test": np.array([0.25, 0.75])}, 0.5, 12),
         "test: 25% at step 1, 75% at step 2; guessing 50%", set()),
        (lambda: show.sharpness_curves(SCORES[:4], [0.0, 1.0, 50.0], mark=(1,)),
         ": 0.25 at 0, ", {"1", "sharpness $\\gamma_\\alpha$", "weight $\\alpha$"}),
        (lambda: show.features_figure({"L": np.array([3.0, 4.0]), "best": np.array([0.0, 1.0])}),
         "L: 5.00, best: 1.00", {"the 2 of 2 channels that differ most, sorted by the last row"}),
        (lambda: show.frame_sharpness(np.array([0.0, 1.0, 2.0]), 0.0), "0.333, 0.333, 0.333",
         {"score of Eq. 5"}),
        (lambda: show.frame_sharpness(np.array([0.0, np.log(2.0), np.log(5.0)]), 1.0),
         "0.125, 0.250, 0.625", set()),
        (lambda: show.frame_sharpness(np.array([0.0, 1000.0]), 10.0), "0.000, 1.000", set()),
        (lambda: show.frame_sharpness(np.zeros(3), 0.0), "spread over 3.00 of 3", set()),
        (lines, "value over step. one: 0.1 at 1, 0.4 at 4; two: 1 at 1, 16 at 4.",
         {"one", "two", "best possible", "here"}),
        (lambda: show.number_grid(PANELS, ["$a$", "b"], HEADS, label="value", title="numbers"),
         "left: a: 1.00, -2.00; b: nan, 4.00.", {"1.00", "-2.00", "4.00", "0.50", "0.25", "value"}),
        (lambda: show.fused_bars(np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.2, 0.7])),
         "maximum 1.600; half of the absolute differences adds up to 0.600",
         {"maximum, sum 1.60"}),
        (lambda: show.fused_bars(np.array([0.5, 0.5]), np.array([0.5, 0.5]), what="frame"),
         "2 frames", set()),
        (lambda: show.attended_figure({"current": np.eye(3), "all": np.ones((3, 3))}),
         "current: 1, 1, 1; all: 3, 3, 3", {"step t"}),
    ],
)  # fmt: skip
def test_figures_say_and_show_what_they_were_given(draw, said: str, written: set[str]) -> None:
    figure = draw()
    assert said in show.alt_text(figure)
    assert written <= set(texts(figure).split("\n"))


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: show.sampling_figure(3, {"a": [0, 1], "b": [0]}), r"\w"),
        (lambda: show.sampling_figure(3, {"a": [0, 3]}), r"\w"),
        (lambda: show.sampling_figure(3, {}), r"\w"),
        (lambda: show.covering_figure(np.ones(2), np.ones(3), RULES), r"\w"),
        (lambda: show.covering_figure(np.ones(0), np.ones(0), RULES), r"\w"),
        (lambda: show.flow_panels(FRAME, FLOW, CODES[1:], index=0), r"\w"),
        (lambda: show.flow_stack(CODES[..., :1]), r"\w"),
        (lambda: show.flow_rows(FRAME[None], {}, MASK[None]), r"\w"),
        (lambda: receptive(cells={"b": (0, 1, 0, 1)}), r"\w"),
        (lambda: show.memory_figure({"x": np.ones(3)}, ranges={"y": (0, 1)}), r"\w"),
        (lambda: show.memory_figure({"x": np.ones(3), "y": np.ones(2)}, ranges={}), r"\w"),
        (lambda: show.accuracy_by_step({"a": np.ones(3), "b": np.ones(2)}, 0.5, 4), "over 3"),
        (lambda: show.sharpness_figure(FRAME, SCORES, -1.0), r"\w"),
        (lambda: show.sharpness_curves(SCORES, [0.0, 1.0]), r"\w"),
        (lambda: show.features_figure({"only": np.ones(3)}), r"\w"),
        (lambda: show.frame_sharpness(np.zeros(3), -1.0), "sharpness of 0 or more, not -1"),
        (lambda: show.step_attention(CLIP, ALPHA, BETA, T + 1, indices=range(T)), "step 5 of 4"),
        (
            lambda: show.step_attention(CLIP, ALPHA[:2], BETA, indices=range(T)),
            "4 frames, but alpha",
        ),
        (lambda: show.line_chart(X, {"short": [1.0]}, xlabel="", ylabel=""), "over 4"),
        (lambda: lines(bounds={"three": X}), "bounds of"),
        (lambda: show.number_grid(PANELS, ["a"], HEADS, label="value"), "left"),
        (lambda: show.fused_bars(np.ones(2), np.ones(3)), "one length"),
        (lambda: show.fusion_figure(CLIP, STREAMS, "sum"), "one of none, mean, max"),
    ],
)
def test_figures_refuse_what_does_not_belong_together(draw, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw()


def test_the_greys_of_flow_are_stretched_about_rest() -> None:
    figure = show.flow_panels(FRAME, FLOW, CODES, index=7)
    low, rest, high = map(int, re.findall(r"\d+", figure.get_supxlabel()))
    assert (rest, low + high) == (128, 2 * 128)
    grey = figure.axes[2].images[0].get_array()
    assert grey[0, 0, 0] == 0  # 7, less than the low end
    assert grey[1, 1, 0] == 0.5


@pytest.mark.parametrize("gamma", [0.0, 1.0, 7.5, 1e4])
def test_sharpness_figures_use_equation_3(gamma: float) -> None:
    alpha = sharpened(SCORES, gamma)
    package = sharpened_softmax(torch.from_numpy(SCORES), gamma)
    np.testing.assert_allclose(alpha, package.numpy(), rtol=1e-12, atol=1e-300)
    figure = show.sharpness_figure(FRAME, SCORES, gamma, crop((48, 64), 32))
    words = show.alt_text(figure)
    assert f"sharpness {gamma:g}: the largest is {alpha.max():.3f}" in words
    assert f"as if by {show.effective_number(alpha):.1f} of 49 places" in words


@pytest.mark.parametrize(
    ("weights", "count"), [(np.full(49, 1 / 49), 49), (np.eye(9)[3], 1), ([0.5, 0.5, 0], 2)]
)
def test_effective_number_runs_from_one_to_all(weights: np.ndarray, count: int) -> None:
    assert show.effective_number(weights) == pytest.approx(count)


def test_a_step_shows_its_own_row_of_alpha_and_beta() -> None:
    for step in (1, T):
        figure = show.step_attention(CLIP, ALPHA, BETA, step, indices=[0, 9, 18, 27], crop=BOX)
        weights = ", ".join(f"{b:.3f}" for b in BETA[step - 1])
        assert f"Step {step} of {T}. Frame weights beta: {weights}." in show.alt_text(figure)
        assert "frame 27" in texts(figure)
        assert texts(figure).count("(own)") == 1
        heights = [bar.get_height() for bar in figure.axes[T].patches]
        np.testing.assert_allclose(heights, BETA[step - 1])


def test_fusion_figures_give_the_sums_of_their_maps_on_one_scale() -> None:
    tops = set()
    a, m = STREAMS["appearance"], STREAMS["motion"]
    for fusion, fused in {"none": None, "mean": (a + m) / 2, "max": np.maximum(a, m)}.items():
        figure = show.fusion_figure(CLIP, STREAMS, fusion, crop=BOX)
        alt = show.alt_text(figure)
        assert alt.startswith(f"Fusion {fusion}.")
        assert "appearance: 1.000, 1.000, 1.000, 1.000" in alt
        assert ("fused" in alt) == (fused is not None)
        if fused is not None:
            sums = ", ".join(f"{s:.3f}" for s in fused.sum(-1))
            assert f"fused ({fusion}): {sums}" in alt
        tops |= {x.get_ylim()[1] for x in figure.axes if x.get_ylabel() == "weight of a place"}
    assert len(tops) == 1


def test_trained_maps_give_the_share_of_the_chosen_model() -> None:
    even = np.full((T, K * K), 1 / K**2)
    on = np.where(TARGET.any(-1, keepdims=True), TARGET, even)
    models = {0.0: {"fused": even}, 2.0: {"fused": on}}
    masks = np.zeros(CLIP.shape[:3], np.uint8)
    for value, share in ((0.0, "33.3%"), (2.0, "100.0%")):
        figure = show.trained_maps(CLIP, models, value, target=TARGET, silhouettes=masks)
        assert show.alt_text(figure).startswith(f"lambda_AA {value:g}.")
        assert f"fused: {share}" in show.alt_text(figure)
        assert f"{value:g}" in texts(figure)
    with pytest.raises(ValueError, match="there are 0, 2"):
        show.trained_maps(CLIP, models, 1.0, target=TARGET)
