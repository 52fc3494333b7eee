"""Every figure has labels, a text alternative that is true, and leaves matplotlib as it was."""

from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from rstan_lite import show
from rstan_lite.data.transforms import crop
from rstan_lite.show.charts import RESULT_COLUMNS

RNG = np.random.default_rng(0)
N, K = 3, 4
FRAMES = RNG.integers(0, 256, (N, 48, 64, 3), dtype=np.uint8)
MASKS = np.zeros((N, 48, 64), np.uint8)
MASKS[:, 10:40, 20:40] = 1
FLOW = RNG.normal(0, 3, (N, 48, 64, 2))
MAPS = {s: RNG.dirichlet(np.ones(K * K), N) for s in ("appearance", "motion")}
MAPS["fused"] = np.maximum(MAPS["appearance"], MAPS["motion"])
TARGET = np.zeros((N, K * K))
TARGET[:, :4] = 0.25
WINDOW = np.array([[0, 1], [1, 2], [2, 2]])
VALID = np.array([[True, True], [True, True], [True, False]])
BETA = {"fused": np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])}
HISTORY = {"a": {"loss": [3.0, 2.0], "accuracy": [0.1, 0.5]}, "b": {"loss": [3.0], "accuracy": [0]}}
MATRIX = np.array([[3, 1], [0, 2]])


def clip() -> Figure:
    box = crop((48, 64), 32)
    return show.clip_strip(FRAMES, MASKS, FLOW, indices=[0, 5, 9], crop=box, title="wave")


def attention(**more: np.ndarray) -> Figure:
    box = crop((48, 64), 32)
    return show.attention_strip(FRAMES, MAPS, indices=[0, 5, 9], crop=box, target=TARGET, **more)


def texts(figure: Figure) -> str:
    """All that is written in a figure."""
    found = figure.findobj(mpl.text.Text)
    return "\n".join(t.get_text() for t in found)


LARGEST = f"{max(m.max() for m in MAPS.values()):.2f}"
TALES = [  # a figure, what its text alternative says, and words that are written in it
    (clip, "wave: 3 frames", "frame 5|silhouette|flow|pixels a frame"),
    (lambda: attention(silhouettes=MASKS), LARGEST, "fused|weight of a place|on the person"),
    (lambda: show.beta_heatmap(BETA, WINDOW, VALID, indices=[0, 5, 9], title="when"), "when",
     "step t|frame of the clip|frame weight|0.75"),
    (lambda: show.curves(HISTORY), "b after 1 epochs: loss 3.00", "epoch|loss|accuracy (%)|a|b"),
    (lambda: show.confusion_figure(MATRIX, ["kick_ball", "wave"]),
     "5 of 6 clips on the diagonal. Most frequent mistake: kick ball taken for wave (1 clips)",
     "true action|predicted action|share of the|kick ball"),
    (show.step_diagram, "Diagram of one step",
     "Eq. 1|Eq. 2, 3|Eq. 8-13|Eq. 14|Eq. 15|Eq. 16, 17|Eq. 18"),
]  # fmt: skip


@pytest.mark.parametrize(("draw", "said", "words"), TALES)
def test_figures_say_and_label_what_they_show(draw, said: str, words: str) -> None:
    before = dict(mpl.rcParams)
    figure = draw()
    assert said in show.alt_text(figure)
    assert [word for word in words.split("|") if word not in texts(figure)] == []
    assert dict(mpl.rcParams) == before
    assert mpl._pylab_helpers.Gcf.get_num_fig_managers() == 0


def test_a_figure_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="text alternative"):
        show.alt_text(Figure())


def test_the_share_under_a_map_is_the_share_on_the_silhouette() -> None:
    maps = {"motion": np.full((N, K * K), 1 / K**2)}
    figure = show.attention_strip(FRAMES, maps, target=TARGET)
    assert texts(figure).count("25 % on the person") == N
    empty = show.attention_strip(FRAMES, maps, target=0 * TARGET)
    assert texts(empty).count("no silhouette") == N


def test_frame_scores_lie_at_the_frames_they_belong_to() -> None:
    table = show.by_frame(BETA["fused"], WINDOW, VALID)
    nan = np.nan
    np.testing.assert_array_equal(table, [[0.25, 0.75, nan], [nan, 0.5, 0.5], [nan, nan, 1.0]])
    every = RNG.dirichlet(np.ones(4), 4)
    np.testing.assert_array_equal(show.by_frame(every), every)


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


@pytest.mark.parametrize(
    "draw",
    [
        lambda: show.clip_strip(FRAMES, MASKS[1:]),
        lambda: show.clip_strip(FRAMES, MASKS, indices=[1]),
        lambda: show.attention_strip(FRAMES, {"motion": MAPS["motion"][1:]}),
        lambda: show.attention_strip(FRAMES, {}),
        lambda: show.beta_heatmap({}, indices=[]),
        lambda: show.by_frame(BETA["fused"], WINDOW[1:]),
        lambda: show.confusion_figure(MATRIX, ["one"]),
    ],
)
def test_figures_refuse_arrays_that_do_not_belong_together(draw) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        draw()


def test_result_table_gives_means_and_spread() -> None:
    runs = [{"test_accuracy": a, "n_test": 80, "attention_on_silhouette": 0.4} for a in (0.5, 0.7)]
    table = show.result_table(
        {"plain": {"test_accuracy": 0.5, "n_test": 80}, "full": {"runs": runs}}, caption="puppets"
    )
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
    live = show.LiveCurves("loss", "accuracy", every=0.0)
    live.add("a", {"loss": 2, "accuracy": None, "other": 1})
    live.of("a")(SimpleNamespace(loss=1, accuracy=0.5))
    assert live.history["a"]["loss"] == [2.0, 1.0]
    assert np.isnan(live.history["a"]["accuracy"][0])
    live.add("b", {"loss": 9})
    live.set("a", [{"loss": 3, "accuracy": 0.25}, {"loss": 1, "accuracy": 0.5}])
    assert list(live.history) == ["a", "b"]
    assert live.history["a"]["accuracy"] == [0.25, 0.5]
    picture = live.close(tmp_path / "curves.png")
    assert "a after 2 epochs: loss 1.00, accuracy 0.50" in picture.alt
    assert picture.path.read_bytes() == picture.png


def test_unknown_name_is_refused_with_the_real_ones() -> None:
    with pytest.raises(AttributeError, match="attention_strip"):
        _ = show.attention_stripe
    assert all(getattr(show, name) is not None for name in show.__all__)
