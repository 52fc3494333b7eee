"""Figures of the lessons: what they say is true of the arrays that they were given."""

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


def test_frame_weights_follow_equation_6() -> None:
    even = show.alt_text(show.frame_sharpness(np.array([0.0, 1.0, 2.0]), 0.0))
    assert "0.333, 0.333, 0.333" in even
    assert "spread over 3.00 of 3" in even
    one = show.alt_text(show.frame_sharpness(np.array([0.0, np.log(2.0), np.log(5.0)]), 1.0))
    assert "0.125, 0.250, 0.625" in one
    sharp = show.frame_sharpness(np.array([0.0, 1000.0]), 10.0)  # no overflow
    assert "0.000, 1.000" in show.alt_text(sharp)
    assert "score of Eq. 5" in texts(sharp)
    with pytest.raises(ValueError, match="sharpness of 0 or more, not -1"):
        show.frame_sharpness(np.zeros(3), -1.0)


def test_attended_frames_are_counted_by_step() -> None:
    figure = show.attended_figure({"current": np.eye(3), "all": np.ones((3, 3))}, title="frames")
    assert "current: 1, 1, 1; all: 3, 3, 3" in show.alt_text(figure)
    assert "step t" in texts(figure)
    assert texts(figure).count("•") == 12
    with pytest.raises(ValueError, match="each rule"):
        show.attended_figure({})


def test_a_step_shows_its_own_row_of_alpha_and_beta() -> None:
    for step in (1, T):
        figure = show.step_attention(CLIP, ALPHA, BETA, step, indices=[0, 9, 18, 27], crop=BOX)
        weights = ", ".join(f"{b:.3f}" for b in BETA[step - 1])
        assert f"Step {step} of {T}. Frame weights beta: {weights}." in show.alt_text(figure)
        assert "frame 27" in texts(figure)
        assert texts(figure).count("(own)") == 1
        heights = [axis.patches[0].get_height() for axis in figure.axes[T : 2 * T]]
        np.testing.assert_allclose(heights, BETA[step - 1])
    with pytest.raises(ValueError, match="step 5 of 4"):
        show.step_attention(CLIP, ALPHA, BETA, T + 1)
    with pytest.raises(ValueError, match="4 frames, but alpha"):
        show.step_attention(CLIP, ALPHA[:2], BETA)


def test_lines_say_where_they_begin_and_end() -> None:
    x = np.arange(1, 5)
    lines = {"one": x / 10, "two": x**2}
    figure = show.line_chart(
        x, lines, xlabel="step", ylabel="value", bounds={"one": x / 5}, marks={"here": 2.0}
    )
    assert "value over step. one: 0.1 at 1, 0.4 at 4; two: 1 at 1, 16 at 4." in show.alt_text(
        figure
    )
    assert {"one", "two", "best possible", "here"} <= set(texts(figure).splitlines())
    drawn = [line.get_ydata() for line in figure.axes[0].get_lines()[:2]]
    np.testing.assert_allclose(drawn, list(lines.values()))
    with pytest.raises(ValueError, match="over 4"):
        show.line_chart(x, {"short": [1.0]}, xlabel="", ylabel="")
    with pytest.raises(ValueError, match="bounds of"):
        show.line_chart(x, lines, xlabel="", ylabel="", bounds={"three": x})


def test_number_grids_write_every_number() -> None:
    panels = {"left": np.array([[1.0, -2.0], [np.nan, 4.0]]), "right": np.array([[0.5], [0.25]])}
    heads = {"left": ["x", "y"], "right": ["z"]}
    figure = show.number_grid(panels, ["$a$", "b"], heads, label="value", title="numbers")
    assert "left: a: 1.00, -2.00; b: nan, 4.00." in show.alt_text(figure)
    assert {"1.00", "-2.00", "4.00", "0.50", "0.25", "value"} <= set(texts(figure).splitlines())
    with pytest.raises(ValueError, match="left"):
        show.number_grid(panels, ["a"], heads, label="value")


def test_the_sum_of_the_maximum_is_one_and_the_disagreement() -> None:
    figure = show.fused_bars(np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.2, 0.7]))
    assert "maximum 1.600; half of the absolute differences adds up to 0.600" in show.alt_text(
        figure
    )
    assert "maximum, sum 1.60" in texts(figure)
    frames = show.fused_bars(np.array([0.5, 0.5]), np.array([0.5, 0.5]), what="frame")
    assert "2 frames" in show.alt_text(frames)
    with pytest.raises(ValueError, match="one length"):
        show.fused_bars(np.ones(2), np.ones(3))


@pytest.mark.parametrize("fusion", ["none", "mean", "max"])
def test_fusion_figures_give_the_sums_of_their_maps(fusion: str) -> None:
    figure = show.fusion_figure(CLIP, STREAMS, fusion, crop=BOX)
    alt = show.alt_text(figure)
    assert alt.startswith(f"Fusion {fusion}.")
    assert "appearance: 1.000, 1.000, 1.000, 1.000" in alt
    if fusion == "none":
        assert alt.count(":") == 3
    else:
        merge = np.maximum if fusion == "max" else lambda a, m: (a + m) / 2
        sums = merge(STREAMS["appearance"], STREAMS["motion"]).sum(-1)
        assert f"fused ({fusion}): {', '.join(f'{s:.3f}' for s in sums)}" in alt


def test_the_scale_stays_where_the_fusion_changes() -> None:
    tops = {
        fusion: max(axis.get_ylim()[1] for axis in show.fusion_figure(CLIP, STREAMS, fusion).axes
                    if axis.get_ylabel() == "weight of a place")
        for fusion in ("none", "mean", "max")
    }  # fmt: skip
    assert len(set(tops.values())) == 1
    with pytest.raises(ValueError, match="one of none, mean, max"):
        show.fusion_figure(CLIP, STREAMS, "sum")


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
