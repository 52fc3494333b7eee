"""One step of the network as a drawing, with the paper's equation numbers."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from rstan_lite.show.style import BLACK, STREAM_COLOURS, describe, new_figure, styled

Point = tuple[float, float]
ROW = {"appearance": 2.0, "fused": 1.0, "motion": 0.0}
# name, text, equation, column; one box for each stream
STREAM_BOXES = (
    ("cnn", "CNN\non {input}", "", 0.0),
    ("cube", "cube $CV$\nvector $FC$", "Eq. 1", 1.0),
    ("alpha", "where to look\n$\\alpha_t$", "Eq. 2, 3", 2.0),
    ("L", "frame vectors\n$L_t$", "Eq. 4", 3.2),
    ("beta", "when to look\n$\\beta_t$", "Eq. 5, 6", 4.2),
    ("Phi", "context\n$\\Phi_t$", "Eq. 7", 5.4),
    ("lstm", "LSTM\n$h_t,\\ c_t$", "Eq. 8-13", 6.5),
)
FUSED_BOXES = (
    ("alpha_com", "max of both\n$\\alpha_t^{com}$", "Eq. 14", 2.6),
    ("beta_com", "max of both\n$\\beta_t^{com}$", "Eq. 15", 4.8),
    ("y", "action\n$\\hat y_t$", "Eq. 16, 17", 7.5),
)
STREAM_ARROWS = (("cnn", "cube"), ("cube", "alpha"), ("L", "beta"), ("Phi", "lstm"))
CROSS_ARROWS = (("alpha", "alpha_com"), ("beta", "beta_com"), ("lstm", "y"))
BACK_ARROWS = (("alpha_com", "L"), ("beta_com", "Phi"))
GREY = "#444444"
HALF = (0.40, 0.33)  # half the width and height of a box


@styled
def step_diagram(silhouettes: bool = True) -> Figure:
    """Draw what the two-stream model does at step t, from frames to the predicted action.

    silhouettes: also draw the regularisation of Eq. 18. Boxes name the quantity, its symbol and
    its equation; the upper row is the appearance stream, the lower one motion, the middle fusion.
    """
    figure = new_figure(9.8, 3.9)
    axes = figure.subplots()
    axes.set(xlim=(-0.55, 8.05), ylim=(-0.85, 2.85))
    axes.axis("off")
    at: dict[str, Point] = {}
    for stream, source in (("appearance", "RGB"), ("motion", "flow")):
        for name, text, equation, x in STREAM_BOXES:
            at[f"{name}/{stream}"] = (x, ROW[stream])
            _box(axes, at[f"{name}/{stream}"], text.replace("{input}", source), equation, stream)
    for name, text, equation, x in FUSED_BOXES:
        at[name] = (x, ROW["fused"])
        _box(axes, at[name], text, equation, "fused")
    for stream in ("appearance", "motion"):
        for a, b in STREAM_ARROWS:
            _arrow(axes, at[f"{a}/{stream}"], at[f"{b}/{stream}"])
        for a, b in CROSS_ARROWS:
            _arrow(axes, at[f"{a}/{stream}"], at[b])
        for a, b in BACK_ARROWS:
            _arrow(axes, at[a], at[f"{b}/{stream}"])
        outside = 1 if stream == "appearance" else -1
        _loop(axes, at[f"lstm/{stream}"], [at[f"{b}/{stream}"] for b in ("alpha", "beta")], outside)
        axes.text(-HALF[0], ROW[stream] + 0.45, stream, color=STREAM_COLOURS[stream], weight="bold")
        _input(axes, at[f"lstm/{stream}"], -outside)
    if silhouettes:
        _box(axes, (1.3, 1.0), "silhouette\n$M_t$", "Eq. 18", None)
        _arrow(axes, (1.3, 1.0), at["alpha_com"], dashed=True)
    return describe(
        figure,
        "Diagram of one step. Two rows, appearance and motion: a CNN gives a cube and a vector "
        "(Eq. 1); location weights (Eq. 2, 3) of both rows are fused by the maximum (Eq. 14), sum "
        "up each frame (Eq. 4); frame weights (Eq. 5, 6) are fused likewise (Eq. 15) and give the "
        "context (Eq. 7) that enters each row's LSTM (Eq. 8 to 13); both LSTMs name the action "
        "together (Eq. 16), and their state steers the attention of the next step."
        + (" The silhouette pulls the fused location weights (Eq. 18)." if silhouettes else ""),
    )


def _box(axes: Axes, centre: Point, text: str, equation: str, stream: str | None) -> None:
    """Draw one labelled box, its equation in small letters at the bottom."""
    colour = BLACK if stream is None else STREAM_COLOURS[stream]
    corner = (centre[0] - HALF[0], centre[1] - HALF[1])
    axes.add_patch(
        FancyBboxPatch(
            corner, 2 * HALF[0], 2 * HALF[1], boxstyle="round,pad=0,rounding_size=0.08",
            facecolor="white", edgecolor=colour, linewidth=1.8, zorder=2,
        )
    )  # fmt: skip
    x, y = centre
    raised = y + 0.07 if equation else y
    axes.text(x, raised, text, ha="center", va="center", fontsize=8, zorder=3, linespacing=1.4)
    axes.text(x, y - 0.24, equation, ha="center", va="center", fontsize=7, color=colour, zorder=3)


def _arrow(axes: Axes, start: Point, end: Point, dashed: bool = False) -> None:
    """Draw an arrow from box to box; slanted ones leave and arrive at the boxes' corners."""
    (x0, y0), (x1, y1) = start, end
    if y0 == y1:
        tail, head = (x0 + HALF[0], y0), (x1 - HALF[0], y1)
    else:
        rise = HALF[1] if y1 > y0 else -HALF[1]
        tail, head = (x0 + 0.8 * HALF[0], y0 + rise), (x1 - 0.8 * HALF[0], y1 - rise)
    _line(axes, tail, head, "--" if dashed else "-")


def _line(axes: Axes, tail: Point, head: Point, dash: str = "-") -> None:
    """Draw one straight arrow."""
    look = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.2, "linestyle": dash}
    axes.annotate("", head, tail, zorder=1, arrowprops={**look, "shrinkA": 0, "shrinkB": 1})


def _input(axes: Axes, lstm: Point, side: int) -> None:
    """Draw the LSTM's own input, the frame's vector, on the inner side of the row."""
    x, edge = lstm[0] - 0.15, lstm[1] + side * HALF[1]
    far = edge + side * 0.2
    _line(axes, (x, far), (x, edge))
    vertical = "bottom" if side > 0 else "top"
    axes.text(x, far + side * 0.03, "$x_t = FC_t$", ha="center", va=vertical, fontsize=8)


def _loop(axes: Axes, start: Point, ends: list[Point], side: int) -> None:
    """Draw the way of the hidden state into the next step's attention, outside the row."""
    far, y = start[1] + side * 0.6, start[1] + side * HALF[1]
    last = ends[0][0]
    axes.plot([start[0], start[0], last], [y, far, far], color=GREY, linewidth=1.2, zorder=1)
    for x, _ in ends:
        _line(axes, (x, far), (x, y))
    axes.text(
        (start[0] + last) / 2, far + side * 0.04, "$h_{t-1}$: the state of the step before",
        ha="center", va="bottom" if side > 0 else "top", fontsize=8,
    )  # fmt: skip
