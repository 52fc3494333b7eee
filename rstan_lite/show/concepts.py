"""One idea of the paper per drawing: what goes in, what is computed, and what comes out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from rstan_lite.show.style import BLACK, STREAM_COLOURS, describe, new_axes, styled
from rstan_lite.system.settings import check_choice

Row = tuple[float, ...]
BLUE, ORANGE, GREEN = (STREAM_COLOURS[name] for name in ("appearance", "motion", "fused"))
# A frame of 3 x 3 places: the streams' weights of the places, and a person in the middle column.
MAP_A = ((0.02, 0.30, 0.02), (0.02, 0.50, 0.02), (0.02, 0.08, 0.02))
MAP_M = ((0.02, 0.08, 0.02), (0.02, 0.15, 0.45), (0.02, 0.22, 0.02))
MAXIMUM = tuple(tuple(map(max, *rows)) for rows in zip(MAP_A, MAP_M, strict=True))
PERSON = ((0.0, 1 / 3, 0.0), (0.0, 1 / 3, 0.0), (0.0, 1 / 3, 0.0))
APART = tuple(
    tuple((a - m) ** 2 for a, m in zip(*rows, strict=True))
    for rows in zip(MAXIMUM, PERSON, strict=True)
)
EVEN = ((1.0, 1.0, 1.0),) * 3


class Part(NamedTuple):
    """A table of weights as squares, darker for more, with words below; at a column and a row."""

    x: float
    y: float
    values: tuple[Row, ...]
    colour: str
    words: str


class Concept(NamedTuple):
    """Parts, arrows from part to part by number, and the text alternative."""

    parts: tuple[Part, ...]
    arrows: tuple[tuple[int, int], ...]
    alt: str


STATE = Part(1, 1, ((1.0, 1.0, 1.0, 1.0),), BLACK, "state $h_{t-1}$ asks")
CONCEPTS = {
    "spatial": Concept(
        (
            Part(0, 0, EVEN, "#bbbbbb", "a frame: places $CV$"),
            Part(1, 0, ((0.5, 0.9, 0.4), (0.3, 1.0, 0.5), (0.4, 0.6, 0.3)), BLUE, "scores, Eq. 2"),
            Part(2, 0, MAP_A, BLUE, "weights $\\alpha_t$, sum 1, Eq. 3"),
            Part(3, 0, ((0.3, 0.9, 0.5, 0.7),), BLUE, "$L_t$: places added up, Eq. 4"),
            STATE,
        ),
        ((0, 1), (1, 2), (2, 3), (4, 1)),
        "Spatial attention: a frame's places and the state give scores (Eq. 2), a softmax makes "
        "weights of them (Eq. 3), and the weights add the places up to one vector (Eq. 4).",
    ),
    "temporal": Concept(
        (
            Part(0, 0, ((0.6, 0.6, 0.6, 0.6, 0.6),), "#bbbbbb", "frames' vectors $L_t(n)$"),
            Part(1, 0, ((0.3, 0.5, 1.0, 0.7, 0.4),), BLUE, "scores, Eq. 5"),
            Part(2, 0, ((0.1, 0.15, 0.55, 0.25, 0.1),), BLUE, "weights $\\beta_t$, sum 1, Eq. 6"),
            Part(3, 0, ((0.3, 0.9, 0.5, 0.7),), BLUE, "context $\\Phi_t$, Eq. 7"),
            STATE,
        ),
        ((0, 1), (1, 2), (2, 3), (4, 1)),
        "Temporal attention: the frames' vectors and the state give scores (Eq. 5), a softmax "
        "makes weights of them (Eq. 6), and the weights add the frames up to the context (Eq. 7).",
    ),
    "fusion": Concept(
        (
            Part(0, 1, MAP_A, BLUE, "appearance looks here"),
            Part(0, 0, MAP_M, ORANGE, "motion looks here"),
            Part(1.2, 0.5, MAXIMUM, GREEN, "the larger weight, Eq. 14"),
            Part(2.4, 1, ((0.3, 0.9, 0.5, 0.7),), BLUE, "$L_t^a$, Eq. 4"),
            Part(2.4, 0, ((0.8, 0.2, 0.6, 0.4),), ORANGE, "$L_t^m$, Eq. 4"),
        ),
        ((0, 2), (1, 2), (2, 3), (2, 4)),
        "Fusion: of two streams' weights of a place the larger one counts (Eq. 14); both streams "
        "then add up their own places by the common weights.",
    ),
    "actor": Concept(
        (
            Part(0, 0, MAXIMUM, GREEN, "fused map $\\alpha_t^{com}$"),
            Part(2.4, 0, PERSON, BLACK, "silhouette $M_t$"),
            Part(1.2, 0, APART, ORANGE, "squared distance $\\mathcal{L}_{AA}$, Eq. 18"),
        ),
        ((0, 2), (1, 2)),
        "Actor attention: in training, the fused map is compared with the silhouette (Eq. 18), "
        "and the gradient pulls the map to the person. A test needs no silhouette.",
    ),
}  # fmt: skip


@styled
def concept_figure(kind: str) -> Figure:
    """Draw an idea: "spatial", "temporal", "fusion" or "actor" attention; ConfigError for others.

    The numbers are made up. Darker squares are larger weights.
    """
    check_choice("kind", kind, tuple(CONCEPTS))
    concept = CONCEPTS[kind]
    high = max(part.y for part in concept.parts)
    figure, axes = new_axes(9.0, 1.6 + 1.5 * high)
    middles = [_squares(axes, part) for part in concept.parts]
    for start, end in concept.arrows:
        look: Any = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 1.4}
        near: Any = {"shrinkA": 42, "shrinkB": 42}
        axes.annotate("", middles[end], middles[start], arrowprops=look | near, zorder=0)
    axes.set(xlim=(-1.1, 7.7), ylim=(-0.95, 1.7 * high + 0.7), aspect="equal")
    axes.axis("off")
    return describe(figure, concept.alt)


def _squares(axes: Axes, part: Part) -> tuple[float, float]:
    """Draw a part; its middle."""
    values: NDArray[np.float64] = np.array(part.values)
    rows, columns = values.shape
    side = 1.05 / max(rows, columns)
    x, y = 2.2 * part.x, 1.7 * part.y
    for (row, column), value in np.ndenumerate(values / values.max()):
        corner = x + (column - columns / 2) * side, y + (rows / 2 - row - 1) * side
        look: Any = {"facecolor": part.colour, "alpha": 0.08 + 0.92 * float(value)}
        axes.add_patch(Rectangle(corner, side, side, **look))
        axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor="#777777"))
    axes.text(x, y - rows * side / 2 - 0.1, part.words, ha="center", va="top", fontsize=8.5)
    return x, y
