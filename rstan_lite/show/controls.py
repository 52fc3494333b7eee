"""A figure that follows controls: sliders and choices beside a picture and its text.

The figure comes from one pure function, the same that draws the static figure of a page. So what a
control does is tested without a browser, and a page on paper loses only the movement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

from matplotlib.figure import Figure

from rstan_lite.show.style import Drawing, keep
from rstan_lite.system.errors import RstanError

TEXT_CLASS = "rstan-figure-text"  # the CSS class of the text alternative
_HEAVIEST = 200  # most positions of a slider: more can't be reached by hand or by key


@dataclass(frozen=True)
class Slider:
    """A number between two ends. `show.slider` makes one and checks it."""

    low: float
    high: float
    step: float
    value: float
    label: str


@dataclass(frozen=True)
class Choice:
    """One of a few named options. `show.choice` makes one and checks it."""

    options: tuple[tuple[str, Any], ...]
    value: Any
    label: str


Control: TypeAlias = Slider | Choice


def slider(low: float, high: float, step: float, value: float, label: str) -> Slider:
    """Describe a slider from low to high that moves by step and starts at value.

    label: the words beside it, which screen readers read too. Whole numbers throughout make it a
    slider of whole numbers. Raises ValueError for a range that can't be walked or an empty label.
    """
    if not low < high or not 0 < step <= high - low or not low <= value <= high:
        raise ValueError(
            f"slider {label!r}: from {low} to {high} by {step}, at {value}; expected "
            "low < high, a step above 0 that fits between them, and a value from low to high"
        )
    if (high - low) / step > _HEAVIEST:
        raise ValueError(f"slider {label!r}: more than {_HEAVIEST} positions; take a larger step")
    return Slider(low, high, step, value, _labelled(label))


def choice(options: Sequence[Any], value: Any, label: str) -> Choice:
    """Describe a choice of one option. options: values, or (shown text, value) pairs.

    Raises ValueError where value is no option, two options look the same, or the label is empty.
    """
    pairs = tuple(
        (str(option[0]), option[1]) if _is_pair(option) else (str(option), option)
        for option in options
    )
    if len({text for text, _ in pairs}) < len(pairs):
        raise ValueError(f"choice {label!r}: two options look the same: {[t for t, _ in pairs]}")
    if value not in [option for _, option in pairs]:
        raise ValueError(f"choice {label!r}: {value!r} is none of {[t for t, _ in pairs]}")
    return Choice(pairs, value, _labelled(label))


def _is_pair(option: Any) -> bool:
    return isinstance(option, tuple) and len(option) == 2


def _labelled(label: str) -> str:
    if not label.strip():
        raise ValueError("a control needs a label: it is all that a screen reader has of it")
    return label


def explore(draw: Callable[..., Figure | Drawing], **controls: Control) -> Any:
    """Show draw's figure beside controls, and draw it anew whenever one of them moves.

    draw: a function of `rstan_lite.show`; called with one value for each control, by name, and
        returns a figure with a text alternative (`describe`).
    controls: `slider(...)` or `choice(...)` for each argument that can be changed.
    Returns an ipywidgets box: the controls (each has a label and works from the keyboard: Tab to
    reach it, arrow keys to change it), the picture, and its text alternative as HTML text, which
    changes with it. What draw raises at first is raised here; what it raises later stands in the
    text's place, with the picture left out, until the next change.
    """
    import ipywidgets

    if not controls:
        raise ValueError("nothing to explore: no controls were given")
    widgets = {name: widget_of(control) for name, control in controls.items()}
    screen = Screen()

    def redraw() -> None:
        drawn = keep(draw(**{name: widget.value for name, widget in widgets.items()}))
        screen.show(drawn.png, drawn.alt)

    def on_change(_: object) -> None:
        try:
            redraw()
        except Exception as error:  # whatever it is: the reader moved a control and must see it
            screen.complain("The figure could not be drawn.", error)
            screen.picture.layout.display = "none"

    redraw()
    for widget in widgets.values():
        widget.observe(on_change, names="value")
    return ipywidgets.VBox([*widgets.values(), *screen.parts])


class Screen:
    """A picture and, below it, its text alternative, which screen readers say when it changes."""

    def __init__(self, kind: str = "png") -> None:
        import ipywidgets

        self.picture, self.text = ipywidgets.Image(format=kind), ipywidgets.HTML()
        self.text.add_class(TEXT_CLASS)
        self.parts = (self.picture, self.text)

    def show(self, content: bytes, alt: str) -> None:
        """Replace both; content is a file of the kind that the screen was made for."""
        self.picture.value = content  # it takes no alt text: the text below it is that
        self.picture.layout.display = None
        self.text.value = f'<p role="status" aria-live="polite">{escape(alt)}</p>'

    def complain(self, what: str, error: Exception) -> None:
        """Say in the text's place what went wrong; the picture stays."""
        self.text.value = complaint(what, error)


def complaint(what: str, error: Exception) -> str:
    """What went wrong, as HTML that a screen reader says at once."""
    named = str(error) if isinstance(error, RstanError) else f"{type(error).__name__}: {error}"
    return f'<p role="alert"><b>{escape(what)}</b> {escape(named)}</p>'


def widget_of(control: Control, *, follow: bool = False) -> Any:
    """The ipywidget of a control. follow: a slider's value changes while it is dragged."""
    import ipywidgets

    common = {
        "description": control.label,
        "value": control.value,
        "style": {"description_width": "initial"},
        "layout": {"width": "auto", "max_width": "640px"},
    }
    if isinstance(control, Choice):
        # A slider over names: JupyterLab takes the arrow keys away from radio buttons and lists.
        return ipywidgets.SelectionSlider(
            options=control.options, continuous_update=False, **common
        )
    numbers = {"min": control.low, "max": control.high, "step": control.step}
    whole = all(isinstance(x, int) for x in (*numbers.values(), control.value))
    # Drawing takes a moment: so a drag draws where it ends, and each press of a key draws.
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    return kind(continuous_update=follow, **numbers, **common)
