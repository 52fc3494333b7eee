"""The paper's symbols, which all notebooks take their rows from, and its step as a diagram.

A symbol is asked for by its name in code. Shapes are those of one video in one stream, as the
notebooks derive everything; the package puts an axis of B videos in front of those that a video has
its own of. Sizes: T time steps, N attended frames, K x K = P places, C actions.
"""

# ruff: noqa: RUF001 - Greek letters are the paper's

from __future__ import annotations

import difflib
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from rstan_lite.show.style import BLACK, STREAM_COLOURS, describe, new_figure, styled
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.tables import Table

COLUMNS = ("symbol", "in code", "meaning", "shape", "first in")


class Symbol(NamedTuple):
    """One row: the paper's symbol, its meaning, its shape for one video, and where it is first."""

    paper: str
    meaning: str
    shape: str
    first: str


_NUMBER = "a number"
SYMBOLS: dict[str, Symbol] = {
    # -- sizes
    "T": Symbol("T", "time steps: sampled frames of a clip", _NUMBER, "Sec. III-A"),
    "N": Symbol("N", "attended frames at a step, N <= T (all T in the paper's Eq. 2-7)",
                _NUMBER, "Eq. 2"),
    "K": Symbol("K", "places along a side of a cube", _NUMBER, "Eq. 1"),
    "P": Symbol("K²", "places of a cube; P = K * K", _NUMBER, "Eq. 1"),
    "C": Symbol("C", "actions to choose from", _NUMBER, "Eq. 17"),
    "d_cv": Symbol("d_cv", "numbers that describe a place", _NUMBER, "Eq. 1"),
    "d_fc": Symbol("d_fc", "numbers that describe a whole frame", _NUMBER, "Sec. III-A"),
    "d_att": Symbol("(none)", "width of the attention; the paper does not give it",
                    _NUMBER, "Eq. 2"),
    "d_h": Symbol("(none)", "size of the LSTM's state", _NUMBER, "Eq. 2"),
    # -- features, Eq. 1
    "CV": Symbol("CV", "cubes: what is at each place of each frame", "(T, P, d_cv)", "Eq. 1"),
    "FC": Symbol("FC", "vectors: what each frame shows as a whole", "(T, d_fc)", "Sec. III-A"),
    # -- attention over places, Eq. 2-4
    "alpha_score": Symbol("α̃", "location scores at step t, before the softmax", "(N, P)", "Eq. 2"),
    "A_h": Symbol("A_h", "learnt: what the state asks of the places", "(d_att, d_h)", "Eq. 2"),
    "A_cv": Symbol("A_cv", "learnt: what the places answer", "(d_att, d_cv)", "Eq. 2"),
    "v_a": Symbol("v_α", "learnt: makes one score of the d_att matches", "(d_att,)", "Eq. 2"),
    "b_a": Symbol("b_α", "learnt: bias of the location scores", "(d_att,)", "Eq. 2"),
    "alpha": Symbol("α", "location weights at step t; sum to 1 over the places of a frame",
                    "(N, P)", "Eq. 3"),
    "gamma_alpha": Symbol("γ_α", "sharpness of alpha: 0 is even, large picks one place",
                          _NUMBER, "Eq. 3"),
    "L": Symbol("L", "frame features: each frame's places, added up by alpha",
                "(N, d_cv)", "Eq. 4"),
    # -- attention over frames, Eq. 5-7
    "beta_score": Symbol("β̃", "frame scores at step t, before the softmax", "(N,)", "Eq. 5"),
    "B_h": Symbol("B_h", "learnt: what the state asks of the frames", "(d_att, d_h)", "Eq. 5"),
    "B_L": Symbol("B_L", "learnt: what the frames answer", "(d_att, d_cv)", "Eq. 5"),
    "v_b": Symbol("v_β", "learnt: makes one score of the d_att matches", "(d_att,)", "Eq. 5"),
    "b_b": Symbol("b_β", "learnt: bias of the frame scores", "(d_att,)", "Eq. 5"),
    "beta": Symbol("β", "frame weights at step t; sum to 1 over the attended frames",
                   "(N,)", "Eq. 6"),
    "gamma_beta": Symbol("γ_β", "sharpness of beta: 0 is even, large picks one frame",
                         _NUMBER, "Eq. 6"),
    "Phi": Symbol("Φ", "context: the frame features, added up by beta", "(d_cv,)", "Eq. 7"),
    # -- LSTM, Eq. 8-13
    "x": Symbol("x", "the LSTM's input at step t: the frame's vector, x_t = FC_t",
                "(d_fc,)", "Eq. 8"),
    "U_x": Symbol("U^x", "learnt: what the gates take from the frame's vector; i, f, o, g stacked",
                  "(4 d_h, d_fc)", "Eq. 8"),
    "U_phi": Symbol("U^φ", "learnt: what the gates take from the context; i, f, o, g stacked",
                    "(4 d_h, d_cv)", "Eq. 8"),
    "U_h": Symbol("U^h", "learnt: what the gates take from the state before; i, f, o, g stacked",
                  "(4 d_h, d_h)", "Eq. 8"),
    "b": Symbol("b", "learnt: biases of the gates; i, f, o, g stacked", "(4 d_h,)", "Eq. 8"),
    "i": Symbol("i", "input gate: how much of the candidate is written", "(d_h,)", "Eq. 8"),
    "f": Symbol("f", "forget gate: how much of the memory is kept", "(d_h,)", "Eq. 9"),
    "o": Symbol("o", "output gate: how much of the memory is shown", "(d_h,)", "Eq. 10"),
    "g": Symbol("g", "candidate: what could be written to the memory", "(d_h,)", "Eq. 11"),
    "c": Symbol("c", "memory; c_0 = 0 is our choice", "(d_h,)", "Eq. 12"),
    "h": Symbol("h", "hidden state: what a stream has gathered so far; h_0 = 0 is our choice",
                "(d_h,)", "Eq. 2"),
    # -- fusion, Eq. 14-16
    "alpha_com": Symbol("α^com", "fused location weights; sum to between 1 and 2",
                        "(N, P)", "Eq. 14"),
    "beta_com": Symbol("β^com", "fused frame weights; sum to between 1 and 2", "(N,)", "Eq. 15"),
    "W": Symbol("W", "learnt: reads the actions from a stream's state", "(C, d_h)", "Eq. 16"),
    "b_am": Symbol("b_am", "learnt: bias of the actions, one for both streams", "(C,)", "Eq. 16"),
    "y_hat": Symbol("ŷ", "prediction of each step; sums to 1 over the actions", "(T, C)", "Eq. 16"),
    # -- losses, Eq. 17-19
    "y": Symbol("y", "the true action, one-hot, the same at every step", "(T, C)", "Eq. 17"),
    "lambda_Theta": Symbol("λ_Θ", "weight decay", _NUMBER, "Eq. 17"),
    "L_main": Symbol("L_main", "cross-entropy of every step, with weight decay",
                     _NUMBER, "Eq. 17"),
    "M": Symbol("M", "target: the silhouette, spread evenly over its places; sums to 1 over the "
                "places where there is one", "(T, P)", "Eq. 18"),
    "L_AA": Symbol("L_AA", "distance of the attention from the silhouette", _NUMBER, "Eq. 18"),
    "lambda_AA": Symbol("λ_AA", "weight of the silhouettes in the loss", _NUMBER, "Eq. 19"),
    "L_total": Symbol("L_total", "what training makes small", _NUMBER, "Eq. 19"),
}  # fmt: skip


def symbols(*names: str) -> Table:
    """Return the rows of these symbols, in the order given; of all symbols where none is named.

    names: as in code, for example "CV", "A_h", "gamma_alpha". Raises ConfigError for a name that
    is no symbol, with the nearest one and the list, or for a name given twice.
    """
    unknown = [name for name in names if name not in SYMBOLS]
    if unknown:
        near = difflib.get_close_matches(unknown[0], SYMBOLS, n=1)
        raise ConfigError(
            "symbols",
            ", ".join(map(repr, unknown)),
            f"names out of {', '.join(SYMBOLS)}",
            f"Did you mean {near[0]}?" if near else "",
        )
    if len(set(names)) < len(names):
        raise ConfigError("symbols", ", ".join(names), "each name once")
    rows = [(name, SYMBOLS[name]) for name in names or SYMBOLS]
    return Table(COLUMNS, tuple((s.paper, name, s.meaning, s.shape, s.first) for name, s in rows))


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
