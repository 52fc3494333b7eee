"""A figure that follows controls: beside a kernel, or drawn beforehand for every position.

The figure comes from one pure function, the same that draws the static figure of a page. `explore`
asks a kernel for each new figure. A page that is only read has none, so what the controls can show
is drawn once for each of their positions and put into the page.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

from matplotlib.figure import Figure

from rstan_lite.show.style import Drawing, keep
from rstan_lite.system.errors import RstanError

TEXT_CLASS = "rstan-figure-text"  # the CSS class of the text alternative
_HEAVIEST = 200  # most positions of a slider: more can't be reached by hand or by key
MOST = 60  # pictures of several controls together: they are to weigh a few MB at most
_LOOK: Any = {
    "style": {"description_width": "initial"},
    "layout": {"width": "auto", "max_width": "640px"},
}


@dataclass(frozen=True)
class Slider:
    """A slider from low to high that moves by step and starts at value.

    label: the words beside it, which screen readers read too. Whole numbers throughout make it a
    slider of whole numbers. Raises ValueError for a range that can't be walked or an empty label.
    """

    low: float
    high: float
    step: float
    value: float
    label: str

    def __post_init__(self) -> None:
        low, high, step = self.low, self.high, self.step
        if not low < high or not 0 < step <= high - low or not low <= self.value <= high:
            raise ValueError(
                f"slider {self.label!r}: from {low} to {high} by {step}, at {self.value}; expected "
                "low < high, a step above 0 that fits between them, and a value from low to high"
            )
        if (high - low) / step > _HEAVIEST:
            raise ValueError(f"slider {self.label!r}: more than {_HEAVIEST} positions")
        _check_label(self.label)

    def widget(self, follow: bool = False) -> Any:
        """Its ipywidget. follow: the value changes while it is dragged, not only where it ends."""
        import ipywidgets

        numbers = {"min": self.low, "max": self.high, "step": self.step, "value": self.value}
        whole = all(isinstance(x, int) for x in numbers.values())
        kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        return kind(continuous_update=follow, description=self.label, **numbers, **_LOOK)

    def positions(self) -> list[tuple[str, Any]]:
        """All values in order, each after its words."""
        steps = round((self.high - self.low) / self.step)
        before = round((self.value - self.low) / self.step)
        offsets = range(-before, steps + 1 - before)  # from the value, so that it is met to the bit
        values = [self.value + offset * self.step for offset in offsets]
        return [(f"{v:g}", v) for v in (min(max(v, self.low), self.high) for v in values)]


@dataclass(frozen=True)
class Choice:
    """A choice of one option. options: values, or (shown text, value) pairs.

    Raises ValueError where value is no option, two options look the same, or the label is empty.
    """

    options: Sequence[Any]
    value: Any
    label: str

    def __post_init__(self) -> None:
        words = [text for text, _ in self.positions()]
        if len(set(words)) < len(words):
            raise ValueError(f"choice {self.label!r}: two options look the same: {words}")
        if self.value not in [option for _, option in self.positions()]:
            raise ValueError(f"choice {self.label!r}: {self.value!r} is none of {words}")
        _check_label(self.label)

    def widget(self) -> Any:
        """A slider over names: JupyterLab takes arrow keys away from radio buttons and lists."""
        import ipywidgets

        given = {"options": self.positions(), "value": self.value, "description": self.label}
        return ipywidgets.SelectionSlider(continuous_update=False, **given, **_LOOK)

    def positions(self) -> list[tuple[str, Any]]:
        """All values in order, each after its words."""
        pairs = (one if isinstance(one, tuple) else (one, one) for one in self.options)
        return [(str(text), value) for text, value in pairs]


def _check_label(label: str) -> None:
    if not label.strip():
        raise ValueError("a control needs a label: it is all that a screen reader has of it")


slider, choice = Slider, Choice
Control: TypeAlias = Slider | Choice


def explore(draw: Callable[..., Figure | Drawing], **controls: Control) -> Any:
    """Show draw's figure beside controls, and draw it anew whenever one of them moves.

    draw: a function of `rstan_lite.show`, called with one value for each control, by name.
    controls: `slider(...)` or `choice(...)` for each argument that can be changed. Returns an
    ipywidgets box: the controls (Tab reaches them, arrow keys change them), the picture, and its
    text alternative, which changes with it. What draw raises at first is raised here; what it
    raises later stands in the text's place until the next change.
    """
    import ipywidgets

    if not controls:
        raise ValueError("nothing to explore: no controls were given")
    widgets = {name: control.widget() for name, control in controls.items()}
    screen = Screen()

    def redraw() -> None:
        drawn = keep(draw(**{name: widget.value for name, widget in widgets.items()}))
        screen.show(drawn.png, drawn.alt)

    def on_change(_: object) -> None:
        try:
            redraw()
        except Exception as error:  # whatever it is: the reader moved a control and must see it
            screen.text.value = complaint("The figure could not be drawn.", error)
            screen.picture.layout.display = "none"

    redraw()
    for widget in widgets.values():
        widget.observe(on_change, names="value")
    return ipywidgets.VBox([*widgets.values(), screen.picture, screen.text])


class Screen:
    """A picture and, below it, its text alternative, which screen readers say when it changes."""

    def __init__(self, kind: str = "png") -> None:
        import ipywidgets

        self.picture, self.text = ipywidgets.Image(format=kind), ipywidgets.HTML()
        self.text.add_class(TEXT_CLASS)

    def show(self, content: bytes, alt: str) -> None:
        """Replace both; content is a file of the kind that the screen was made for."""
        self.picture.value = content  # it takes no alt text: the text below it is that
        self.picture.layout.display = None
        self.text.value = status(alt)


def status(words: str) -> str:
    """Words as HTML that a screen reader says when it has nothing else to say."""
    return f'<p role="status" aria-live="polite">{escape(words)}</p>'


def complaint(what: str, error: Exception) -> str:
    """What went wrong, as HTML that a screen reader says at once."""
    named = str(error) if isinstance(error, RstanError) else f"{type(error).__name__}: {error}"
    return f'<p role="alert"><b>{escape(what)}</b> {escape(named)}</p>'


@dataclass(frozen=True)
class Positions:
    """The pictures of some controls; Jupyter shows sliders over them without kernel or library.

    labels: of the controls. words: of each control's positions. pictures: a file's content and a
    text alternative for each combination, the last control's side by side. now: the position of
    each control that is shown first. kind: of the files. note: a line below.
    """

    labels: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    pictures: tuple[tuple[bytes, str], ...]
    now: tuple[int, ...]
    kind: str = "png"
    note: str = ""

    def __repr__(self) -> str:
        each = zip(self.labels, self.words, self.now, strict=True)
        return "; ".join(f"{name}: {w[k]}, of {len(w)} positions" for name, w, k in each)

    def _repr_html_(self) -> str:
        from jinja2 import Template

        page = Path(__file__).with_name("positions.html.j2").read_text(encoding="utf-8")
        first = 0
        for words, now in zip(self.words, self.now, strict=True):
            first = first * len(words) + now
        each = zip(product(*self.words), self.pictures, strict=True)
        return Template(page, autoescape=True).render(
            controls=list(zip(self.labels, self.words, self.now, strict=True)),
            pictures=[(words, b64encode(file).decode(), text) for words, (file, text) in each],
            first=first, labels=self.labels, kind=self.kind, note=self.note, text_class=TEXT_CLASS,
        )  # fmt: skip


def every_position(draw: Callable[..., Figure | Drawing], **controls: Control) -> Positions:
    """Draw draw's figure at every position of its controls; arguments are those of `explore`.

    Of several controls with more than MOST positions together, the longest ones keep every second,
    third, ... position from their value on. Raises ValueError for no control, and what draw raises.
    """
    if not controls:
        raise ValueError("nothing to draw beforehand: no controls were given")

    def picture(**values: Any) -> tuple[bytes, str]:
        kept = keep(draw(**values))
        return kept.png, kept.alt

    return positions_of(picture, controls)


def positions_of(
    picture: Callable[..., tuple[bytes, str]], controls: Mapping[str, Control], kind: str = "png",
    note: str = "",
) -> Positions:  # fmt: skip
    """`every_position` of a function that returns a file's content and its text alternative.

    kind, note: see `Positions`.
    """
    grids = {name: control.positions() for name, control in controls.items()}
    at = {name: [v for _, v in grid].index(controls[name].value) for name, grid in grids.items()}
    every, thin = dict.fromkeys(grids, 1), grids
    while len(grids) > 1 and prod(map(len, thin.values())) > MOST:
        every[max(thin, key=lambda name: len(thin[name]))] += 1
        thin = {name: grid[at[name] % every[name] :: every[name]] for name, grid in grids.items()}
    values = product(*([value for _, value in grid] for grid in thin.values()))
    return Positions(
        tuple(control.label for control in controls.values()),
        tuple(tuple(word for word, _ in grid) for grid in thin.values()),
        tuple(picture(**dict(zip(thin, one, strict=True))) for one in values),
        tuple(at[name] // every[name] for name in thin),
        kind,
        note,
    )
