"""Figures say what is true of their arrays, in words too; they leave matplotlib as it was."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from rstan_lite import show
from rstan_lite.data.transforms import crop
from rstan_lite.features.extraction import FeatureSettings
from rstan_lite.features.networks import shipped
from rstan_lite.lab import protocols as sequences
from rstan_lite.lab.ledger.claims import Difference
from rstan_lite.lab.ledger.error_analysis import Attended, Change, Pair
from rstan_lite.lab.protocols import sequence_rows
from rstan_lite.model.rstan import sharpened_softmax
from rstan_lite.show.charts import RESULT_COLUMNS
from rstan_lite.show.comparisons import MOST_PAIRS
from rstan_lite.show.concepts import CONCEPTS
from rstan_lite.show.weights import sharpened

RNG = np.random.default_rng(0)
T, P = 4, 16
FRAMES = RNG.integers(0, 256, (T, 48, 64, 3), dtype=np.uint8)
MASKS = np.zeros((T, 48, 64), np.uint8)
MASKS[:, :24, :32] = 1  # a quarter
FLOW = RNG.normal(0, 3, (T, 48, 64, 2))
STREAMS = {s: RNG.dirichlet(np.ones(P), T) for s in ("appearance", "motion")}
MAPS = {**STREAMS, "fused": np.maximum(*STREAMS.values())}
ALPHA, BETA = RNG.dirichlet(np.ones(P), (T, T)), RNG.dirichlet(np.ones(T), T)
TARGET = np.zeros((T, P))
TARGET[:, :4] = 0.25
SEEN: Any = {"indices": [0, 9, 18, 27], "crop": crop((48, 64), 32)}
FRAME, MASK = FRAMES[0], MASKS[0]
CODES = np.full((48, 64, 2), 128, np.uint8)
CODES[0, 0] = 7, 200
SCORES = RNG.normal(size=49)
WINDOW = np.array([[0, 1], [1, 2], [2, 2]])
VALID = np.array([[True, True], [True, True], [True, False]])
LATER = {"fused": np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])}
HISTORY = {"a": {"loss": [3.0, 2.0], "accuracy": [0.1, 0.5]}, "b": {"loss": [3.0], "accuracy": [0]}}
MATRIX = np.array([[3, 1], [0, 2]])
RULES = {"any": 1e-9, "half": 0.5}
X = np.arange(1, 5)
ONE = {"row": np.eye(49)[:1]}
PANELS = {"left": np.array([[1.0, -2.0], [np.nan, 4.0]]), "right": np.array([[0.5], [0.25]])}
HEADS = {"left": ["x", "y"], "right": ["z"]}
VALUES = {"x": np.array([0.0, 1.0]), "c": np.array([[0.1, 0.2], [0.3, 0.4]])}
AREA, LARGEST = np.array([0.01, 0.05, 0.1, 0.2]), np.array([0.2, 0.4, 0.6, 1.0])


def texts(figure: Figure) -> str:
    """All that is written in a figure."""
    found = figure.findobj(mpl.text.Text)
    return "\n".join(t.get_text() for t in found)


def clip() -> Figure:
    return show.clip_strip(FRAMES, MASKS, FLOW, title="wave", **SEEN)


def attention(**more: Any) -> Figure:
    return show.attention_strip(FRAMES, MAPS, **SEEN, target=TARGET, **more)


def receptive() -> Figure:
    share = np.zeros((32, 32))
    share[8:12, 8:12] = 1.0
    share[20, 20] = 16.0  # as much outside of the tile as inside
    fields, cells = {"a": (0, 24, 0, 24)}, {"a": (8, 16, 8, 16)}
    given = {"shares": {"a": share}, "fields": fields, "cells": cells}
    return show.receptive_figure(FRAME[:32, :32], **given)


def flow_rows() -> Figure:
    flow = np.zeros((1, 48, 64, 2))
    flow[0, MASK == 1] = 3, 4
    return show.flow_rows(FRAME[None], {"all": flow}, MASK[None], indices=[7])


def lines() -> Figure:
    given = {"xlabel": "step", "ylabel": "value", "bounds": {"one": X / 5}, "marks": {"here": 2.0}}
    return show.line_chart(X, {"one": X / 10, "two": X**2}, **given)


TALES = [  # a figure, what its text alternative says, and lines that are written in it
    (clip, "wave: 4 frames", "frame 9|frame, silhouette|flow|x, y flow"),
    (lambda: attention(silhouettes=MASKS), f"{max(m.max() for m in MAPS.values()):.2f}",
     "fused|weight of a place|frame, silhouette"),
    (lambda: show.attention_strip(FRAME[None], ONE, indices=["widest"], scale="length"),
     "The largest length of a place is 1.00", "widest|length of a place"),
    (lambda: show.attention_strip(FRAME[None], ONE, scale="", peak=1.0), "marked places", ""),
    (lambda: show.beta_heatmap(LATER, WINDOW, VALID, indices=[0, 5, 9], title="when"), "when",
     "step t|frame of the clip|frame weight (hatched: not looked at)|0.75"),
    (lambda: show.attended_figure({"current": np.eye(3), "all": np.ones((3, 3))}),
     "current: 1, 1, 1; all: 3, 3, 3", "step t"),
    (lambda: show.curves(HISTORY), "b after 1 epochs: loss 3.00", "epoch|loss|accuracy (%)|a|b"),
    (lambda: show.confusion_figure(MATRIX, ["kick_ball", "wave"]),
     "5 of 6 clips on the diagonal. Most frequent mistake: kick ball taken for wave (1 clips)",
     "true action|predicted action|share of the action's clips (%)|kick ball"),
    (lambda: show.concept_figure("actor"), "Actor attention: in training",
     "silhouette $M_t$|fused map $\\alpha_t^{com}$"),
    (show.step_diagram, "Diagram of one step",
     "Eq. 1|Eq. 2, 3|Eq. 8-13|Eq. 14|Eq. 15|Eq. 16, 17|Eq. 18"),
    (lambda: show.sampling_figure(3, {"short": [0, 0, 1, 2]}),
     "4 steps over a clip of 3 frames. short: 0, 0, 1, 2", "1,2"),  # two steps at one frame
    (lambda: show.views_figure({"whole": (FRAME, MASK), "half": (FRAME[:, :32], MASK[:, :32])}),
     "whole (person: 25.0%), half (person: 50.0%)", ""),
    (lambda: show.covering_figure(AREA, LARGEST, RULES),
     "Of 4 frames with a person, lost by rule: any: 0.0%; half: 50.0%",
     "half: 50.0 % end with nobody"),
    (lambda: show.flow_panels(FRAME, FLOW[0], CODES, index=7), "codes from 7 to 200",
     "frame 7|flow to frame 8, as colour"),
    (lambda: show.flow_stack(np.concatenate([CODES] * 3, axis=2)), "3 flow fields", "0|5|x|y"),
    (flow_rows, "all: 5.00 on the person, 0.00 elsewhere", "frame 7"),
    (receptive, "a: 50% inside its own tile", ""),
    (lambda: show.memory_figure(VALUES, ranges={"x": (0, 1), "c": (-1, 1)}),
     "x: 1.00; c: 0.30, 0.40", "step t|unit 2"),
    (lambda: show.accuracy_by_step({"test": np.array([0.25, 0.75])}, 0.5, 12),
     "test: 25% at step 1, 75% at step 2; guessing 50%", ""),
    (lambda: show.sharpness_curves(SCORES[:4], [0.0, 1.0, 50.0], mark=(1,)),
     ": 0.25 at 0, ", "1|sharpness $\\gamma_\\alpha$|weight $\\alpha$"),
    (lambda: show.features_figure({"L": np.array([3.0, 4.0]), "best": np.array([0.0, 1.0])}),
     "L: 5.00, best: 1.00", "the 2 of 2 channels that differ most, sorted by the last row"),
    (lambda: show.frame_sharpness(np.array([0.0, np.log(2.0), np.log(5.0)]), 1.0),
     "0.125, 0.250, 0.625; spread over 2.46 of 3", "score of Eq. 5"),
    (lines, "value over step. one: 0.1 at 1, 0.4 at 4; two: 1 at 1, 16 at 4.",
     "one|two|best possible|here"),
    (lambda: show.number_grid(PANELS, ["$a$", "b"], HEADS, label="value", title="numbers"),
     "left: a: 1.00, -2.00; b: nan, 4.00.", "1.00|-2.00|4.00|0.50|0.25|value"),
    (lambda: show.fused_bars(np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.2, 0.7])),
     "maximum 1.600; half of the absolute differences adds up to 0.600", "maximum, sum 1.60"),
]  # fmt: skip


@pytest.mark.parametrize(("draw", "said", "written"), TALES)
def test_figures_say_and_label_what_they_show(draw, said: str, written: str) -> None:
    before = dict(mpl.rcParams)
    figure = draw()
    assert said in show.alt_text(figure)
    assert {*written.split("|")} - {""} <= {*texts(figure).split("\n")}
    assert dict(mpl.rcParams) == before
    assert mpl._pylab_helpers.Gcf.get_num_fig_managers() == 0


def step(number: int) -> Figure:
    return show.step_attention(FRAMES, ALPHA, BETA, number, **SEEN)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: show.alt_text(Figure()), "text alternative"),
        (lambda: show.clip_strip(FRAMES, MASKS[1:]), "shorter"),
        (lambda: show.attention_strip(FRAMES, {"motion": MAPS["motion"][1:]}), "shorter"),
        (lambda: show.beta_heatmap({}, indices=[]), "nothing to show"),
        (lambda: step(T + 1), "step 5 of 4"),
    ],
)
def test_figures_refuse_what_does_not_belong_together(draw, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw()


def test_frame_scores_lie_at_the_frames_they_belong_to() -> None:
    table = show.by_frame(LATER["fused"], WINDOW, VALID)
    nan = np.nan
    np.testing.assert_array_equal(table, [[0.25, 0.75, nan], [nan, 0.5, 0.5], [nan, nan, 1.0]])
    np.testing.assert_array_equal(show.by_frame(BETA), BETA)


def test_sharpness_figures_use_equation_3() -> None:
    for gamma in (0.0, 7.5, 1e4):
        alpha = sharpened(SCORES, gamma)
        package = sharpened_softmax(torch.from_numpy(SCORES), gamma)
        np.testing.assert_allclose(alpha, package.numpy(), rtol=1e-12, atol=1e-300)
        words = show.alt_text(show.sharpness_figure(FRAME, SCORES, gamma, SEEN["crop"]))
        assert f"sharpness {gamma:g}: the largest is {alpha.max():.3f}" in words
        assert f"as if by {show.effective_number(alpha):.1f} of 49 places" in words


def test_a_step_shows_its_own_row_of_alpha_and_beta() -> None:
    figure = step(T)
    weights = ", ".join(f"{b:.3f}" for b in BETA[-1])
    assert f"Step {T} of {T}. Frame weights beta: {weights}." in show.alt_text(figure)
    assert texts(figure).count("(own)") == 1
    np.testing.assert_allclose([bar.get_height() for bar in figure.axes[T].patches], BETA[-1])


def test_fusion_figures_give_the_sums_of_their_maps() -> None:
    a, m = STREAMS.values()
    alt = show.alt_text(show.fusion_figure(FRAMES, STREAMS, crop=SEEN["crop"]))
    for row, maps in {"appearance": a, "mean": (a + m) / 2, "maximum": np.maximum(a, m)}.items():
        assert f"{row}: {', '.join(f'{s:.3f}' for s in maps.sum(-1))}" in alt


def test_keep_writes_a_png_with_its_description(tmp_path: Path) -> None:
    picture = show.keep(clip(), tmp_path / "new" / "clip.png", dpi=40)
    assert picture.path is not None
    with Image.open(picture.path) as image:
        assert image.info["Description"] == picture.alt
        assert image.width > image.height
    data, metadata = picture._repr_mimebundle_()
    assert data["image/png"] == picture.path.read_bytes()
    assert data["text/plain"] == metadata["image/png"]["alt"] == picture.alt
    assert show.keep(clip(), dpi=40).png == picture.png  # the same every time


def test_result_table_gives_means_and_spread() -> None:
    runs = [{"test_accuracy": a, "n_test": 80, "attention_on_silhouette": 0.4} for a in (0.5, 0.7)]
    models = {"plain": {"test_accuracy": 0.5, "n_test": 80}, "full": {"runs": runs}}
    table = show.result_table(models, caption="puppets")
    assert table.columns == RESULT_COLUMNS
    assert table.rows[0] == ("plain", "50.0", "none", "80", "1")
    assert table.rows[1] == ("full", "60.0 ± 14.1", "40.0 ± 0.0", "80", "2")
    assert table.column("accuracy (%)") == ("50.0", "60.0 ± 14.1")


def test_table_in_text_and_html() -> None:
    table = show.Table(("model", "n"), (("a < b", "1"), ("c", "20")), "made up")
    assert str(table) == "model   n\n-----  --\na < b   1\nc      20\nmade up"
    assert "a &lt; b" in table._repr_html_()
    assert "<caption>made up</caption>" in table._repr_html_()
    with pytest.raises(ValueError, match="3 cells under 2"):
        show.Table(("a", "b"), (("1", "2", "3"),))


def test_live_curves_keep_what_they_are_given(tmp_path: Path) -> None:
    live, epoch = show.LiveCurves("loss", "accuracy", every=0.0), SimpleNamespace
    add = live.of("a")
    add(epoch(loss=2, accuracy=None, other=1))
    add(epoch(loss=1, accuracy=0.5))
    assert live.history["a"]["loss"] == [2.0, 1.0]
    assert np.isnan(live.history["a"]["accuracy"][0])
    live.set("a", [epoch(loss=3, accuracy=0.25), epoch(loss=1, accuracy=0.5)])
    assert live.history["a"]["accuracy"] == [0.25, 0.5]
    picture = live.close(tmp_path / "curves.png")
    assert "a after 2 epochs: loss 1.00, accuracy 0.50" in picture.alt
    assert picture.path.read_bytes() == picture.png


def test_unknown_name_is_refused_with_the_real_ones() -> None:
    with pytest.raises(AttributeError, match="attention_strip"):
        _ = show.attention_stripe
    assert all(getattr(show, name) is not None for name in show.__all__)


def test_pairs_say_both_directions_with_shares() -> None:
    pairs = [Pair("shoot_bow", "shoot_gun", 4, 1, 8, 5), Pair("run", "walk", 2, 0, 3, 0)]
    figure = show.pair_figure(pairs, title="here")
    first = "shoot bow taken for shoot gun 4 (50 %), back 1 (20 %)"
    said = f"here: answers. {first}; run taken for walk 2 (67 %), back 0."
    assert said in show.alt_text(figure)
    assert {"shoot bow, shoot gun", "4 (50 %)", "2 (67 %)"} <= set(texts(figure).splitlines())
    many = show.alt_text(show.pair_figure([*pairs[:1] * MOST_PAIRS, *pairs[1:]]))
    assert many.count("shoot bow") == MOST_PAIRS
    assert "run" not in many


def test_changes_say_what_was_fixed_broken_and_voted() -> None:
    gain = Difference((0.1,), 0.1, 0.0, 0.2, 0.1)
    change = Change("kick_ball", 7, 4, 5, 2, 3, 1, gain)
    figure = show.change_figure([change])
    assert "kick ball: 5 fixed, 2 broken, videos 3 : 1, p 0.62" in show.alt_text(figure)
    assert "kick ball (7)" in texts(figure)
    widths = sorted(bar.get_width() for bar in figure.axes[0].patches if bar.get_width())
    assert widths == [-2, 5]
    for none in ({"fixed": 0}, {"broken": 0}, {"fixed": 0, "broken": 0}):
        counts = replace(change, **none)
        left, right = show.change_figure([counts]).axes[0].get_xlim()
        assert left < -counts.broken <= counts.fixed < right
        assert (left > -0.2, right < 0.2) == (not counts.broken, not counts.fixed)  # no empty half


def test_shares_stand_beside_accuracies_and_even_attention() -> None:
    shares = {"before": np.array([0.25, np.nan]), "after": np.array([0.75, np.nan])}
    right = {"before": np.array([0.5, 1.0]), "after": np.array([0.4, 1.0])}
    figure = show.share_figure(shares, np.array([0.2, np.nan]), right, ("a", "b"))
    text = show.alt_text(figure)
    assert "a: even 20 %, before 25 %, right 50 %, after 75 %, right 40 %" in text
    assert "b: even none, before none, right 100 %" in text
    assert {"before", "after", "even attention"} <= set(texts(figure).splitlines())


def case(size: tuple[int, int] = (48, 64)) -> Attended:
    silhouettes, target = np.zeros((3, *size), np.uint8), np.zeros((3, 9))
    silhouettes[:2, 10:30, 10:30], target[:2, 4] = 1, 1.0
    maps = np.full((3, 9), 1 / 18)
    maps[:, 4] = 10 / 18
    frames = RNG.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    return Attended("clip", "sit", "stand_up", 0.625, frames, silhouettes, maps, target,
                    np.array([0, 7, 15]), crop(size, 32))  # fmt: skip


def test_the_gallery_says_name_answer_and_share() -> None:
    figure = show.gallery_figure([("first", case()), ("second", case((40, 60)))])
    text = show.alt_text(figure)
    assert "first: sit, named stand up (62 %); on the silhouette 56 %, 56 %, no silhouette" in text
    assert "clip" not in text.replace("clips", "")  # no clip's own name
    assert {"frame 7, 56 %", "frame 15, no silhouette"} <= set(texts(figure).splitlines())
    assert len(figure.axes) == 2 * 3 + 1


@pytest.fixture(scope="module")
def rows():
    networks = {stream: shipped(stream) for stream in ("appearance", "motion")}
    settings = FeatureSettings(networks, backbone="puppetnet", size=112, motion_size=112)
    return sequence_rows(sequences.test_sequences(), 40, (240, 320), settings)


def test_the_figure_draws_every_box_and_frame(rows):
    figure = show.protocol_figure(np.zeros((240, 320, 3), np.uint8), 40, rows)
    above, below = figure.subfigs
    boxes = [[p.get_bbox().bounds for p in axes.patches] for axes in above.axes]
    assert [len(panel) for panel in boxes] == [5, 5, 2, 2]
    assert boxes[0][1][:2] == (0, 0)  # top-left
    assert boxes[1][1][:2] == (320 - 210, 0)  # on the mirrored picture at the other side
    assert boxes[2][0] == (40, 0, 239, 239)
    (timeline,) = below.axes
    assert len(timeline.patches) == 3 * 40
    assert "22 sequences of a clip of 40 frames" in show.alt_text(figure)
    assert "last: frames 13 to 39" in show.alt_text(figure)


def test_intervals_are_drawn_about_their_shares():
    shares = {"one": (0.5, (0.2, 0.8)), "all": (0.6, None)}
    figure = show.interval_figure(shares, mark=("chance", 0.1), strong="all")
    (axes,) = figure.axes
    line, point, alone, mark = axes.lines
    assert list(line.get_xdata()) == [20, 80]
    assert (list(point.get_xdata()), list(alone.get_xdata())) == ([50], [60])
    assert list(mark.get_xdata()) == [10, 10]
    assert alone.get_color() == "#000000" != point.get_color()
    said = show.alt_text(figure)
    assert "accuracy (%). one: 50.0% (20.0% to 80.0%); all: 60.0%." in said


@pytest.mark.parametrize("kind", ["spatial", "temporal"])
def test_a_drawings_weights_are_the_softmax_of_its_scores(kind):
    scores, weights = (np.array(part.values) for part in CONCEPTS[kind].parts[1:3])
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(), weights)
