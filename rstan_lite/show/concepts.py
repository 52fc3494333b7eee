"""One idea of the paper per drawing: what goes in, what is computed, and what comes out."""

import math
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
APART = tuple(map(tuple, (np.array(MAXIMUM) - PERSON) ** 2))


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
VECTOR = ((0.3, 0.9, 0.5, 0.7),)


def _attention(weights: tuple[Row, ...], words: tuple[str, str, str, str], alt: str) -> Concept:
    """What is weighed, scores, weights and their sum; a softmax of the scores gives the weights."""
    given = tuple((1.0,) * len(row) for row in weights)
    scores = tuple(tuple(math.log(100 * weight) for weight in row) for row in weights)
    tables = zip((given, scores, weights, VECTOR), ("#bbbbbb", *[BLUE] * 3), words, strict=True)
    parts = (Part(x, 0, *table) for x, table in enumerate(tables))
    return Concept((*parts, STATE), ((0, 1), (1, 2), (2, 3), (4, 1)), alt)


CONCEPTS = {
    "spatial": _attention(
        MAP_A,
        ("a frame: places $CV$", "scores, Eq. 2", "weights $\\alpha_t$, sum 1, Eq. 3",
         "$L_t$: places added up, Eq. 4"),
        "Spatial attention: a frame's places and the state give scores (Eq. 2), a softmax makes "
        "weights of them (Eq. 3), and the weights add the places up to one vector (Eq. 4).",
    ),
    "temporal": _attention(
        ((0.1, 0.15, 0.45, 0.2, 0.1),),
        ("frames' vectors $L_t(n)$", "scores, Eq. 5", "weights $\\beta_t$, sum 1, Eq. 6",
         "context $\\Phi_t$, Eq. 7"),
        "Temporal attention: the frames' vectors and the state give scores (Eq. 5), a softmax "
        "makes weights of them (Eq. 6), and the weights add the frames up to the context (Eq. 7).",
    ),
    "fusion": Concept(
        (
            Part(0, 1, MAP_A, BLUE, "appearance looks here"),
            Part(0, 0, MAP_M, ORANGE, "motion looks here"),
            Part(1.2, 0.5, MAXIMUM, GREEN, "the larger weight, Eq. 14"),
            Part(2.4, 1, VECTOR, BLUE, "$L_t^a$, Eq. 4"),
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
    look: Any = {"arrowstyle": "-|>", "color": "#444444", "shrinkA": 42, "shrinkB": 42}
    for start, end in concept.arrows:
        axes.annotate("", middles[end], middles[start], arrowprops=look, zorder=0)
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
