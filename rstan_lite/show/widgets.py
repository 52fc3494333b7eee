"""A figure that follows controls: beside a kernel, or drawn beforehand for every position.

The figure comes from one pure function, the same that draws the static figure of a page. `explore`
asks a kernel for each new figure. A page that is only read has none, so what the controls can show
is drawn once for each of their positions and put into the page.
"""

import io
import os
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

from matplotlib.figure import Figure
from PIL import Image

from rstan_lite.classroom.notebook import UNATTENDED
from rstan_lite.show.style import Drawing, keep
from rstan_lite.system.errors import RstanError

MOST_POSITIONS = 200  # of one figure on a page: some 5 MB
TEXT_CLASS = "rstan-figure-text"  # the CSS class of the text alternative
_LOOK: Any = {
    "style": {"description_width": "initial"},
    "layout": {"width": "auto", "max_width": "640px"},
}


@dataclass(frozen=True)
class Slider:
    """A slider from low to high that moves by step and starts at value.

    label: the words beside it, which screen readers read too. Whole numbers throughout make it a
    slider of whole numbers.
    """

    low: float
    high: float
    step: float
    value: float
    label: str

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
        values = (self.value + offset * self.step for offset in offsets)
        return [(f"{v:g}", v) for v in (min(max(v, self.low), self.high) for v in values)]


@dataclass(frozen=True)
class Choice:
    """A choice of one option. options: values, or (shown text, value) pairs."""

    options: Sequence[Any]
    value: Any
    label: str

    def widget(self) -> Any:
        """A slider over names: JupyterLab takes arrow keys away from radio buttons and lists."""
        import ipywidgets

        given = {"options": self.positions(), "value": self.value, "description": self.label}
        return ipywidgets.SelectionSlider(continuous_update=False, **given, **_LOOK)

    def positions(self) -> list[tuple[str, Any]]:
        """All values in order, each after its words."""
        pairs = (one if isinstance(one, tuple) else (one, one) for one in self.options)
        return [(str(text), value) for text, value in pairs]


slider, choice = Slider, Choice
Control: TypeAlias = Slider | Choice


def explore(draw: Callable[..., Figure | Drawing], **controls: Control) -> Any:
    """Show draw's figure beside controls, and draw it anew whenever one of them moves.

    draw: a function of `rstan_lite.show`, called with one value for each control, by name.
    controls: `slider(...)` or `choice(...)` for each argument that can be changed. Returns an
    ipywidgets box: the controls (Tab reaches them, arrow keys change them), the picture, and its
    text alternative, which changes with it. What draw raises at first is raised here; what it
    raises later is said, and the controls go back. `rstan-lite run` has nobody to move them: up to
    MOST_POSITIONS are drawn beforehand there, by `every_position`.
    """
    many = prod(len(control.positions()) for control in controls.values()) > MOST_POSITIONS
    if UNATTENDED in os.environ and not many:
        return every_position(draw, **controls)
    return Panel(_pictures(draw), {name: one.widget() for name, one in controls.items()}).box()


class Panel:
    """Controls, a picture that follows them, and below it its text alternative.

    picture: called with the controls' values by name; a file's content and its text alternative.
    controls: ipywidgets by name. kind: of the files. acts: what a control does instead of drawing.
    What was done, or went wrong, is said between the controls and the picture, which stays then.
    """

    def __init__(
        self, picture: Callable[..., tuple[bytes, str]], controls: dict[str, Any],
        kind: str = "png", acts: Mapping[str, Callable[[], None]] | None = None,
    ) -> None:  # fmt: skip
        import ipywidgets

        self._draw, self.controls, self._quiet = picture, controls, False
        self.picture, self.text = ipywidgets.Image(format=kind), ipywidgets.HTML()
        self.text.add_class(TEXT_CLASS)
        self.status = ipywidgets.HTML()
        self.draw()
        for name, control in controls.items():
            control.observe(self.watch((acts or {}).get(name, self.draw)), names="value")

    def draw(self) -> None:
        """Draw for the controls' values."""
        shown = {name: control.value for name, control in self.controls.items()}
        self.picture.value, alt = self._draw(**shown)  # whose alt text is the text below
        self.text.value, self.shown = status(alt), shown

    def set(self, **values: Any) -> None:
        """Set controls without drawing in between."""
        self._quiet = True
        for name, value in values.items():
            self.controls[name].value = value
        self._quiet = False

    def watch(self, act: Callable[[], None]) -> Callable[[object], None]:
        """An observer that does something, and says what goes wrong."""

        def watcher(_: object) -> None:
            if self._quiet:  # the controls are being set together
                return
            self.status.value = ""  # of what was done before
            try:
                act()
            except Exception as error:  # whatever it is: the reader moved a control and must see it
                self.set(**self.shown)
                named = str(error) if isinstance(error, RstanError) else repr(error)
                what = "<b>That did not work; the picture is the one before.</b>"
                self.status.value = f'<p role="alert">{what} {escape(named)}</p>'

        return watcher

    def box(self, *more: Any) -> Any:
        """All of it below one another; more: widgets below the controls."""
        import ipywidgets

        page = ipywidgets.Box([self.picture], layout={"overflow": "auto"})
        shown = *self.controls.values(), *more, self.status, page, self.text
        return ipywidgets.VBox(shown)


def status(words: str) -> str:
    """Words as HTML that a screen reader says when it has nothing else to say."""
    return f'<p role="status" aria-live="polite">{escape(words)}</p>'


def _pictures(draw: Callable[..., Figure | Drawing]) -> Callable[..., tuple[bytes, str]]:
    def picture(**values: Any) -> tuple[bytes, str]:
        kept = keep(draw(**values))
        return kept.png, kept.alt

    return picture


@dataclass(frozen=True)
class Positions:
    """The pictures of some controls; Jupyter shows sliders over them without kernel or library.

    labels: of the controls. words: of each control's positions. pictures: a WebP file's content and
    a text alternative for each combination, the last control's side by side. now: the position of
    each control that is shown first. note: a line below.
    """

    labels: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    pictures: tuple[tuple[bytes, str], ...]
    now: tuple[int, ...]
    note: str = ""

    def __repr__(self) -> str:
        each = zip(self.labels, self.words, self.now, strict=True)
        return "; ".join(f"{name}: {w[k]}, of {len(w)} positions" for name, w, k in each)

    def _repr_html_(self) -> str:
        from jinja2 import Template

        page = Path(__file__).with_name("positions.html.j2").read_text(encoding="utf-8")
        first = [*product(*(range(len(words)) for words in self.words))].index(self.now)
        each = zip(product(*self.words), self.pictures, strict=True)
        return Template(page, autoescape=True).render(
            controls=list(zip(self.labels, self.words, self.now, strict=True)),
            pictures=[(words, b64encode(file).decode(), text) for words, (file, text) in each],
            first=first, labels=self.labels, note=self.note, text_class=TEXT_CLASS,
        )  # fmt: skip


def every_position(draw: Callable[..., Figure | Drawing], **controls: Control) -> Positions:
    """Draw draw's figure at every position of its controls; arguments are those of `explore`.

    Raises what draw raises.
    """
    labels = tuple(control.label for control in controls.values())
    grids = [control.positions() for control in controls.values()]
    words, values = (tuple(tuple(pair[i] for pair in grid) for grid in grids) for i in (0, 1))
    each = zip(values, controls.values(), strict=True)
    now = tuple(options.index(control.value) for options, control in each)
    made = (_webp(draw(**dict(zip(controls, one, strict=True)))) for one in product(*values))
    return Positions(labels, words, tuple(made), now)


def _webp(figure: Figure | Drawing) -> tuple[bytes, str]:
    """A fifth of a PNG's size: a page holds dozens of these."""
    kept, buffer = keep(figure), io.BytesIO()
    Image.open(io.BytesIO(kept.png)).convert("RGB").save(buffer, "webp", quality=80)
    return buffer.getvalue(), kept.alt
