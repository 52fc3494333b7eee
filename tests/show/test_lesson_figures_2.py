"""Figures of lessons 05 to 08: true text alternatives, labels, and what they refuse."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from rstan_lite import show
from rstan_lite.data.transforms import crop

RNG = np.random.default_rng(1)
T, K = 4, 3
FRAMES = RNG.integers(0, 256, (T, 48, 64, 3), dtype=np.uint8)
ALPHA = RNG.dirichlet(np.ones(K * K), (T, T))
BETA = RNG.dirichlet(np.ones(T), T)
MAPS = {s: RNG.dirichlet(np.ones(K * K), T) for s in ("appearance", "motion")}
TARGET = np.zeros((T, K * K))
TARGET[:3, :3] = 1 / 3
BOX = crop((48, 64), 32)


def texts(figure: Figure) -> str:
    """All that is written in a figure."""
    return "\n".join(t.get_text() for t in figure.findobj(mpl.text.Text))


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
        figure = show.step_attention(FRAMES, ALPHA, BETA, step, indices=[0, 9, 18, 27], crop=BOX)
        weights = ", ".join(f"{b:.3f}" for b in BETA[step - 1])
        assert f"Step {step} of {T}. Frame weights beta: {weights}." in show.alt_text(figure)
        assert "frame 27" in texts(figure)
        assert texts(figure).count("(own)") == 1
        heights = [axis.patches[0].get_height() for axis in figure.axes[T : 2 * T]]
        np.testing.assert_allclose(heights, BETA[step - 1])
    with pytest.raises(ValueError, match="step 5 of 4"):
        show.step_attention(FRAMES, ALPHA, BETA, T + 1)
    with pytest.raises(ValueError, match="4 frames, but alpha"):
        show.step_attention(FRAMES, ALPHA[:2], BETA)


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
    figure = show.fusion_figure(FRAMES, MAPS, fusion, crop=BOX)
    alt = show.alt_text(figure)
    assert alt.startswith(f"Fusion {fusion}.")
    assert "appearance: 1.000, 1.000, 1.000, 1.000" in alt
    if fusion == "none":
        assert alt.count(":") == 3
    else:
        merge = np.maximum if fusion == "max" else lambda a, m: (a + m) / 2
        sums = merge(MAPS["appearance"], MAPS["motion"]).sum(-1)
        assert f"fused ({fusion}): {', '.join(f'{s:.3f}' for s in sums)}" in alt


def test_the_scale_stays_where_the_fusion_changes() -> None:
    tops = {
        fusion: max(axis.get_ylim()[1] for axis in show.fusion_figure(FRAMES, MAPS, fusion).axes
                    if axis.get_ylabel() == "weight of a place")
        for fusion in ("none", "mean", "max")
    }  # fmt: skip
    assert len(set(tops.values())) == 1
    with pytest.raises(ValueError, match="one of none, mean, max"):
        show.fusion_figure(FRAMES, MAPS, "sum")


def test_trained_maps_give_the_share_of_the_chosen_model() -> None:
    even = np.full((T, K * K), 1 / K**2)
    on = np.where(TARGET.any(-1, keepdims=True), TARGET, even)
    models = {0.0: {"fused": even}, 2.0: {"fused": on}}
    masks = np.zeros(FRAMES.shape[:3], np.uint8)
    for value, share in ((0.0, "33.3%"), (2.0, "100.0%")):
        figure = show.trained_maps(FRAMES, models, value, target=TARGET, silhouettes=masks)
        assert show.alt_text(figure).startswith(f"lambda_AA {value:g}.")
        assert f"fused: {share}" in show.alt_text(figure)
        assert f"{value:g}" in texts(figure)
    with pytest.raises(ValueError, match="there are 0, 2"):
        show.trained_maps(FRAMES, models, 1.0, target=TARGET)
