"""The table and figures of test protocols, and shares with their intervals."""

import numpy as np
import pytest

from rstan_lite import show
from rstan_lite.data import sampling as sequences
from rstan_lite.features.extraction import FeatureSettings
from rstan_lite.features.networks import shipped
from rstan_lite.lab.protocols import sequence_rows
from rstan_lite.show.preparation import runs_of

FRAME = np.zeros((240, 320, 3), np.uint8)


@pytest.fixture(scope="module")
def rows():
    networks = {stream: shipped(stream) for stream in ("appearance", "motion")}
    settings = FeatureSettings(networks, backbone="puppetnet", size=112, motion_size=112)
    return sequence_rows(sequences.test_sequences(), 40, (240, 320), settings)


def test_the_table_says_what_each_sequence_is(rows):
    table = show.sequence_table(rows, "a clip")
    assert len(table.rows) == 22
    assert table.caption == "22 sequences of 32 frames; a clip"
    first, last = table.rows[0], table.rows[-1]
    assert first[:9] == (
        "whole centre", "whole", "224", "centre", "no", "15-225", "55-265", "112", "7",
    )  # fmt: skip
    assert last[:9] == (
        "last centre@192-mirror", "last", "192", "centre", "yes", "30-210", "70-250", "96", "6",
    )  # fmt: skip
    assert last[9].startswith("13-15 15-21")
    scales = dict(zip(table.column("scale"), table.column("K"), strict=True))
    assert scales == {"224": "7", "256": "8", "192": "6"}
    assert show.sequence_table([]).caption == "no sequences"


def test_frames_in_few_letters():
    assert runs_of([4, 5, 6, 6, 8]) == "4-6 6 8"
    assert runs_of([]) == ""


def test_the_figure_draws_every_box_and_frame(rows):
    figure = show.protocol_figure(FRAME, 40, rows, title="22")
    above, below = figure.subfigs
    boxes = [[p.get_bbox().bounds for p in axes.patches] for axes in above.axes]
    assert [len(panel) for panel in boxes] == [5, 5, 2, 2]
    assert boxes[0][1][:2] == (0, 0)  # top-left
    assert boxes[1][1][:2] == (320 - 210, 0)  # on the mirrored picture at the other side
    assert boxes[2][0] == (40, 0, 239, 239)
    (timeline,) = below.axes
    filled = [bar for bar in timeline.patches if bar.get_facecolor()[2] < 0.5]  # not light grey
    assert len(timeline.patches) == 3 * 40
    used = {extent: set() for extent in ("whole", "first", "last")}
    for row in rows:
        used[row.extent] |= set(row.index)
    drawn = [sum(round(bar.get_y() + 0.3) == y for bar in filled) for y in range(3)]
    assert drawn == [len(frames) for frames in used.values()]
    assert "22 sequences of a clip of 40 frames" in show.alt_text(figure)
    assert "last: frames 13 to 39" in show.alt_text(figure)
    one = show.protocol_figure(FRAME, 40, rows[:1])
    assert len(one.subfigs[0].axes) == 1
    with pytest.raises(ValueError, match="no sequences"):
        show.protocol_figure(FRAME, 40, [])


def test_intervals_are_drawn_about_their_shares():
    shares = {"one": (0.5, (0.2, 0.8)), "all": (0.6, None)}
    figure = show.interval_figure(shares, mark=("chance", 0.1), strong="all", title="which")
    (axes,) = figure.axes
    line, point, alone, mark = axes.lines
    assert list(line.get_xdata()) == [20, 80]
    assert (list(point.get_xdata()), list(alone.get_xdata())) == ([50], [60])
    assert list(mark.get_xdata()) == [10, 10]
    assert alone.get_color() == "#000000" != point.get_color()
    said = show.alt_text(figure)
    assert "which: accuracy (%). one: 50.0% (20.0% to 80.0%); all: 60.0%." in said
    with pytest.raises(ValueError, match="no shares"):
        show.interval_figure({})
