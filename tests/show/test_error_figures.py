"""Figures of errors: true text alternatives, labels, and what they refuse."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from rstan_lite import show
from rstan_lite.data.transforms import crop
from rstan_lite.lab.ledger.claims import Difference
from rstan_lite.lab.ledger.error_analysis import Change, Pair
from rstan_lite.lab.ledger.ledger_attention import Attended

RNG = np.random.default_rng(1)


def texts(figure: Figure) -> str:
    return "\n".join(t.get_text() for t in figure.findobj(mpl.text.Text))


def test_pairs_say_both_directions_with_shares() -> None:
    pairs = [Pair("shoot_bow", "shoot_gun", 4, 1, 8, 5), Pair("run", "walk", 2, 0, 3, 0)]
    figure = show.pair_figure(pairs, title="here")
    assert (
        "here: answers. shoot bow taken for shoot gun 4 (50 %), back 1 (20 %); "
        "run taken for walk 2 (67 %), back 0." in show.alt_text(figure)
    )
    assert {"shoot bow, shoot gun", "4 (50 %)", "2 (67 %)"} <= set(texts(figure).splitlines())
    assert "run" not in show.alt_text(show.pair_figure(pairs, most=1))
    with pytest.raises(ValueError, match="no pair"):
        show.pair_figure([])


def test_changes_say_what_was_fixed_broken_and_voted() -> None:
    gain = Difference((0.1,), 0.1, 0.0, 0.2)
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
    with pytest.raises(ValueError, match="no change"):
        show.change_figure([])


def test_shares_stand_beside_accuracies_and_even_attention() -> None:
    shares = {"before": np.array([0.25, np.nan]), "after": np.array([0.75, np.nan])}
    right = {"before": np.array([0.5, 1.0]), "after": np.array([0.4, 1.0])}
    figure = show.share_figure(shares, np.array([0.2, np.nan]), right, ("a", "b"))
    text = show.alt_text(figure)
    assert "a: even 20 %, before 25 %, right 50 %, after 75 %, right 40 %" in text
    assert "b: even none, before none, right 100 %" in text
    assert {"before", "after", "even attention"} <= set(texts(figure).splitlines())
    with pytest.raises(ValueError, match="for 1 classes"):
        show.share_figure(shares, np.array([0.2, 0.1]), right, ("a",))
    with pytest.raises(ValueError, match="models"):
        show.share_figure(shares, np.array([0.2, 0.1]), {"other": right["after"]}, ("a", "b"))


def case(size: tuple[int, int] = (48, 64)) -> Attended:
    silhouettes, target = np.zeros((3, *size), np.uint8), np.zeros((3, 9))
    silhouettes[:2, 10:30, 10:30], target[:2, 4] = 1, 1.0
    maps = np.full((3, 9), 1 / 18)
    maps[:, 4] = 10 / 18
    frames = RNG.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    return Attended("clip", "sit", "stand_up", 0.625, frames, silhouettes, maps, target,
                    np.array([0, 7, 15]), crop(size, 32))  # fmt: skip


def test_the_gallery_says_name_answer_and_share() -> None:
    figure = show.gallery_figure([("first", case()), ("second", case((40, 60)))], columns=9)
    text = show.alt_text(figure)
    assert "first: sit, named stand up (62 %); on the silhouette 56 %, 56 %, no silhouette" in text
    assert "clip" not in text.replace("clips", "")  # no clip's own name
    assert {"frame 7, 56 %", "frame 15, no silhouette"} <= set(texts(figure).splitlines())
    assert len(figure.axes) == 2 * 3 + 1
    assert len(show.gallery_figure([("one", case())], columns=2).axes) == 2 + 1
    with pytest.raises(ValueError, match="0 clips"):
        show.gallery_figure([])
