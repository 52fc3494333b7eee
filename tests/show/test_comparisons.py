"""Figures of comparisons and of test protocols: what they say, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest

from rstan_lite import show
from rstan_lite.data.transforms import crop
from rstan_lite.features.extraction import FeatureSettings
from rstan_lite.features.networks import shipped
from rstan_lite.lab import protocols as sequences
from rstan_lite.lab.ledger.claims import Difference
from rstan_lite.lab.ledger.error_analysis import Attended, Change, Pair
from rstan_lite.lab.protocols import sequence_rows
from rstan_lite.show.comparisons import MOST_PAIRS
from tests.show.test_figures import texts

RNG = np.random.default_rng(1)
FRAME = np.zeros((240, 320, 3), np.uint8)


def test_pairs_say_both_directions_with_shares() -> None:
    pairs = [Pair("shoot_bow", "shoot_gun", 4, 1, 8, 5), Pair("run", "walk", 2, 0, 3, 0)]
    figure = show.pair_figure(pairs, title="here")
    assert (
        "here: answers. shoot bow taken for shoot gun 4 (50 %), back 1 (20 %); "
        "run taken for walk 2 (67 %), back 0." in show.alt_text(figure)
    )
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
    figure = show.protocol_figure(FRAME, 40, rows)
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
