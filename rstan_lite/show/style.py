"""The look and the shapes that figures share, their text alternatives, and how they are kept.

Figures are built on `matplotlib.figure.Figure` and not through pyplot: no window, no global state,
and the same picture in a notebook, a script and a test.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import cycle, islice
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np
from matplotlib import rc_context, rc_params_from_file
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
BLACK, BLUE, VERMILION = "#000000", "#0072B2", "#D55E00"
GREEN, ORANGE, PURPLE = "#009E73", "#E69F00", "#CC79A7"
STREAM_COLOURS = {"appearance": BLUE, "motion": VERMILION, "fused": GREEN}
# A line is told from the others by colour, by dash and by marker: one of the three always survives.
LINES: tuple[dict[str, Any], ...] = (
    {"color": BLACK, "linestyle": "-", "marker": "o"},
    {"color": BLUE, "linestyle": "--", "marker": "s"},
    {"color": VERMILION, "linestyle": "-.", "marker": "^"},
    {"color": GREEN, "linestyle": (0, (6, 1.5)), "marker": "D"},
    {"color": PURPLE, "linestyle": ":", "marker": "v"},
    {"color": ORANGE, "linestyle": (0, (3, 1, 1, 1)), "marker": "P"},
)
STYLE = rc_params_from_file(Path(__file__).with_name("figures.mplstyle"), False, False)
DPI = 120
BESIDE: Any = {"xycoords": ("axes fraction", "data"), "va": "center"}  # words beside an axes
GRID: Any = {"color": "#e5e5e5", "linewidth": 0.6}

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a figure function under the common style and leave matplotlib's settings as they were.

    Raises ValueError where its first argument is a mapping or sequence without entries.
    """

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Figure:
        if args and isinstance(args[0], Mapping | list | tuple) and not args[0]:
            raise ValueError(f"{draw.__name__}: nothing to show")
        with rc_context(STYLE):
            return draw(*args, **kwargs)

    return inside


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, width by height inches, that lays itself out."""
    return Figure(figsize=(width, height), layout="constrained", dpi=DPI)


def new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure as `new_figure`, and the one axes in it."""
    figure = new_figure(width, height)
    return figure, figure.subplots()


def describe(figure: Figure, text: str, title: str = "") -> Figure:
    """Give a figure its text alternative (one or two sentences), and a title if there is one."""
    if title:
        figure.suptitle(title)
        text = f"{title}: {text}"
    figure.set_label(" ".join(text.split()))
    return figure


def listed(said: Mapping[str, object]) -> str:
    """What a text alternative says of several things, each after its name."""
    return "; ".join(f"{name}: {words}" for name, words in said.items())


def panel(axes: Axes, picture: NDArray, title: str = "", **look: Any) -> None:
    """Show one picture without ticks; the y label stays, for the row's name."""
    # antialiased: thin lines survive a smaller picture
    axes.imshow(picture, **{"interpolation": "antialiased", **look})
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(False)


def draw_lines(axes: Axes, x: Any, lines: Mapping[str, Any], first: int = 0) -> None:
    """Draw one line a name over x (n,), with a marker at about eight of its points.

    lines: name -> (n,), NaN where there is no value. first: the style of the first line.
    """
    for (name, y), look in zip(lines.items(), islice(cycle(LINES), first, None), strict=False):
        values = np.asarray(y, np.float64)
        known = np.isfinite(values)
        every = max(1, int(known.sum()) // 8)
        axes.plot(np.asarray(x)[known], values[known], label=name, markevery=every, **look)


def mark_at(axes: Axes, x: float, words: str) -> None:
    """Draw a thin upright line at x, with words at its upper end."""
    axes.axvline(x, color="#777777", linewidth=0.9, linestyle=(0, (2, 2)), zorder=0)
    place: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    axes.annotate(words, (x, 1.0), xytext=(3, 2), fontsize=7.5, color="#444444", **place)


def heat_panels(
    tables: Mapping[str, NDArray], rows: Sequence[str], columns: Mapping[str, Sequence[str]],
    size: tuple[float, float], label: str = "", names: tuple[str, str] = ("", ""), **look: Any,
) -> tuple[Figure, NDArray]:  # fmt: skip
    """Return a figure of tables (R, C) as coloured cells side by side, and its axes.

    rows: R names, at the left. columns: table -> C names. size: in inches. label: of the colour
    bar, "" for none. names: of columns and rows. look: of `seaborn.heatmap`. NaN: an empty cell.
    """
    import seaborn as sns  # a second or two, which only heat maps wait for

    figure = new_figure(*size)
    widths = [table.shape[1] for table in tables.values()]
    axes = figure.subplots(1, len(tables), squeeze=False, width_ratios=widths)[0]
    look = {"linewidths": 0.5, "linecolor": "#dddddd", "annot_kws": {"fontsize": 7.5}, **look}
    for axis, (name, table) in zip(axes, tables.items(), strict=True):
        beside = rows if axis is axes[0] else False
        ticks = {"xticklabels": columns[name], "yticklabels": beside}
        sns.heatmap(table, ax=axis, cbar=False, **ticks, **look)
        axis.tick_params(length=0, rotation=0)
        axis.set(title=name, xlabel=names[0])
    axes[0].set_ylabel(names[1])
    if label:
        figure.colorbar(axes[0].collections[0], ax=list(axes), label=label, aspect=20, shrink=0.85)
    return figure, axes


def named_lines(axes: Axes, names: Sequence[str], **settings: Any) -> None:
    """Lines of an axes from above, named at the left, with a grid to read their values by."""
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.5, -0.6), **settings)
    axes.grid(axis="x", **GRID)
    axes.set_axisbelow(True)


def percent(share: float | np.floating, digits: int = 0) -> str:
    """A share of 1 in per cent, "none" where it is not known."""
    return "none" if np.isnan(share) else f"{100 * share:.{digits}f} %"


def plain(name: str) -> str:
    """An action's name as words."""
    return name.replace("_", " ")


@dataclass(frozen=True)
class Drawing:
    """A figure made without matplotlib: uint8 RGB (H, W, 3), and its text alternative."""

    pixels: NDArray[np.uint8]
    alt: str


def alt_text(figure: Figure | Drawing) -> str:
    """Return a figure's text alternative; ValueError where a figure has none."""
    text = figure.alt if isinstance(figure, Drawing) else str(figure.get_label() or "")
    if not text:
        raise ValueError("this figure has no text alternative: call describe(figure, text)")
    return text


@dataclass(frozen=True)
class Picture:
    """A figure drawn to PNG with its text alternative; a notebook shows both."""

    png: bytes
    alt: str
    path: Path | None = None

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """Hand Jupyter the PNG; its metadata carries the alt text that HTML pages use."""
        return {"image/png": self.png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def keep(figure: Figure | Drawing, path: str | Path | None = None, dpi: int = DPI) -> Picture:
    """Draw a figure once, write it to a .png if a path is given, and return it for display.

    The PNG's Description field holds the text alternative. A Drawing keeps its pixels, whatever the
    dpi.
    """
    alt, buffer = alt_text(figure), io.BytesIO()
    if isinstance(figure, Drawing):
        notes = PngInfo()
        notes.add_itxt("Description", alt)
        # the lightest compression: several times as quick, and a page is mostly white
        Image.fromarray(figure.pixels).save(buffer, "png", pnginfo=notes, compress_level=1)
    else:
        with rc_context(STYLE):
            figure.savefig(buffer, format="png", dpi=dpi, metadata={"Description": alt})
    if path is not None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
    return Picture(buffer.getvalue(), alt, path)
