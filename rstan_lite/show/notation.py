"""The paper's symbols: one table that all notebooks take their rows from.

A symbol is asked for by its name in code. Shapes are those of one video in one stream, as the
notebooks derive everything; the package puts an axis of B videos in front of those that a video has
its own of. Sizes: T time steps, N attended frames, K x K = P places, C actions.
"""

# ruff: noqa: RUF001 - Greek letters are the paper's

from __future__ import annotations

import difflib
from typing import NamedTuple

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
