"""The paper's symbols, which all notebooks take their rows from, and its step as a diagram.

A symbol is asked for by its name in code. Shapes are those of one video in one stream, as the
notebooks derive everything; the package puts an axis of B videos in front of those that a video has
its own of. Sizes: T time steps, N attended frames, K x K = P places, C actions.
"""

# ruff: noqa: RUF001 - Greek letters are the paper's

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

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
ARROWS = (
    ("cnn", "cube"), ("cube", "alpha"), ("L", "beta"), ("Phi", "lstm"), ("alpha", "alpha_com"),
    ("alpha_com", "L"), ("beta", "beta_com"), ("beta_com", "Phi"), ("lstm", "y"),
)  # fmt: skip
WIDTH, HEIGHT, GREY = 0.80, 0.66, "#444444"  # of a box; of arrows
ARROW: Any = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 1}


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
    fused = {
        name: _box(axes, (x, ROW["fused"]), text, equation, STREAM_COLOURS["fused"])
        for name, text, equation, x in FUSED_BOXES
    }
    for stream, source, side in (("appearance", "RGB", 1), ("motion", "flow", -1)):
        y, colour, boxes = ROW[stream], STREAM_COLOURS[stream], dict(fused)
        for name, text, equation, x in STREAM_BOXES:
            boxes[name] = _box(axes, (x, y), text.replace("{input}", source), equation, colour)
        for start, end in ARROWS:
            _arrow(axes, boxes[start], boxes[end])
        axes.text(-WIDTH / 2, y + 0.45, stream, color=colour, weight="bold")
        _around(axes, y, side)
    if silhouettes:
        person = _box(axes, (1.3, ROW["fused"]), "silhouette\n$M_t$", "Eq. 18", BLACK)
        _arrow(axes, person, fused["alpha_com"], linestyle="--")
    return describe(
        figure,
        "Diagram of one step. Two rows, appearance and motion: a CNN gives a cube and a vector "
        "(Eq. 1); location weights (Eq. 2, 3) of both rows are fused by the maximum (Eq. 14), sum "
        "up each frame (Eq. 4); frame weights (Eq. 5, 6) are fused likewise (Eq. 15) and give the "
        "context (Eq. 7) that enters each row's LSTM (Eq. 8 to 13); both LSTMs name the action "
        "together (Eq. 16), and their state steers the attention of the next step."
        + (" The silhouette pulls the fused location weights (Eq. 18)." if silhouettes else ""),
    )


def _box(
    axes: Axes, centre: tuple[float, float], text: str, equation: str, colour: str
) -> FancyBboxPatch:
    """Draw one labelled box, its equation in small letters at the bottom."""
    x, y = centre
    middle: Any = {"ha": "center", "va": "center", "zorder": 3}
    axes.text(x, y + (0.07 if equation else 0), text, fontsize=8, linespacing=1.4, **middle)
    axes.text(x, y - 0.24, equation, fontsize=7, color=colour, **middle)
    look: Any = {"facecolor": "white", "edgecolor": colour, "linewidth": 1.8, "zorder": 2}
    corner, style = (x - WIDTH / 2, y - HEIGHT / 2), "round,pad=0,rounding_size=0.08"
    box = FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle=style, **look)
    axes.add_patch(box)
    return box


def _arrow(axes: Axes, start: FancyBboxPatch, end: FancyBboxPatch, **look: Any) -> None:
    """Draw an arrow between two boxes, on the line through their middles."""
    tail, head = ((box.get_x() + WIDTH / 2, box.get_y() + HEIGHT / 2) for box in (start, end))
    arrow = {**ARROW, "patchA": start, "patchB": end, **look}
    axes.annotate("", head, tail, zorder=1, arrowprops=arrow)


def _around(axes: Axes, row: float, side: int) -> None:
    """Draw a row's own input of the LSTM, and outside the row the state's way to the next step."""
    at = {name: x for name, _, _, x in STREAM_BOXES}
    inner, outer, far = row - side * HEIGHT / 2, row + side * HEIGHT / 2, row + side * 0.6
    away, towards = ("bottom", "top") if side > 0 else ("top", "bottom")
    words: Any = {"ha": "center", "fontsize": 8}
    x = at["lstm"] - 0.15
    below = (x, inner - side * 0.2)
    axes.annotate("$x_t = FC_t$", (x, inner), below, va=towards, arrowprops=ARROW, **words)
    ends = [at["lstm"], at["lstm"], at["alpha"]]
    axes.plot(ends, [outer, far, far], color=GREY, linewidth=1.2, zorder=1)
    for name in ("alpha", "beta"):
        axes.annotate("", (at[name], outer), (at[name], far), zorder=1, arrowprops=ARROW)
    state = "$h_{t-1}$: the state of the step before"
    axes.text((at["lstm"] + at["alpha"]) / 2, far + side * 0.04, state, va=away, **words)
