"""A figure that follows controls: beside a kernel, or drawn beforehand for every position.

The figure comes from one pure function, the same that draws the static figure of a page. So what a
control does is tested without a browser, and a page on paper loses only the movement. `explore`
asks a kernel for each new figure. A page that is only read has none, so what the controls can show
is drawn once for each of their positions and put into the page.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product
from math import prod
from typing import Any, TypeAlias

from matplotlib.figure import Figure

from rstan_lite.show.style import Drawing, keep
from rstan_lite.system.errors import RstanError

TEXT_CLASS = "rstan-figure-text"  # the CSS class of the text alternative
_HEAVIEST = 200  # most positions of a slider: more can't be reached by hand or by key
MOST = 60  # pictures of several controls together: they are to weigh a few MB at most

# A slider by number of position: arrow keys, drags and screen readers come with the browser.
_CONTROL = """\
<div><label>{label} <input type="range" min="0" max="{last}" value="{now}" aria-valuetext="{word}">
</label> <output>{word}</output></div>
"""
_PAGE = """\
<figure class="rstan-positions">
{controls}<div class="rstan-picture"><img src="{source}" alt="{alt}"></div>
<figcaption class="{text_class}" role="status">{text}</figcaption>
{note}<script type="application/json">{all}</script>
<script>{{
const figure = document.currentScript.parentElement;
const {{ labels, kind, pictures }} = JSON.parse(figure.querySelector("script").textContent);
const [sliders, outputs] = ["input", "output"].map((name) => [...figure.querySelectorAll(name)]);
const [image, text] = ["img", "figcaption"].map((name) => figure.querySelector(name));
const draw = () => {{
  const at = sliders.reduce((sum, one) => sum * (Number(one.max) + 1) + Number(one.value), 0);
  const [words, content, said] = pictures[at];
  sliders.forEach((one, i) => one.setAttribute("aria-valuetext", words[i]));
  outputs.forEach((one, i) => {{ one.textContent = words[i]; }});
  image.src = `data:image/${{kind}};base64,${{content}}`;
  image.alt = labels.map((label, i) => `${{label}}: ${{words[i]}}`).join(", ");
  text.textContent = said;
}};
sliders.forEach((one) => one.addEventListener("input", draw));
draw();  // a browser that comes back to the page keeps the sliders where they were
}}</script>
</figure>"""


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


@dataclass(frozen=True)
class Positions:
    """The pictures of some controls.

    labels: of the controls. words: what each control's positions are called. pictures: the content
    of a file and a text alternative for each combination; the last control's are side by side. now:
    the position of each control that is shown first. kind: of the files. note: a line below.
    """

    labels: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    pictures: tuple[tuple[bytes, str], ...]
    now: tuple[int, ...]
    kind: str = "png"
    note: str = ""

    def __repr__(self) -> str:
        each = zip(self.labels, self.words, self.now, strict=True)
        return "; ".join(
            f"{label}: {words[now]}, of {len(words)} positions" for label, words, now in each
        )

    def _repr_html_(self) -> str:
        """Give Jupyter sliders over the pictures, which need neither kernel nor library."""
        contents = [b64encode(content).decode() for content, _ in self.pictures]
        texts = [text for _, text in self.pictures]
        first = 0
        for words, now in zip(self.words, self.now, strict=True):
            first = first * len(words) + now
        chosen = [words[now] for words, now in zip(self.words, self.now, strict=True)]
        each = list(zip(self.labels, self.words, self.now, chosen, strict=True))
        controls = [
            _CONTROL.format(label=escape(label), last=len(words) - 1, now=now, word=escape(word))
            for label, words, now, word in each
        ]
        entries = list(zip(product(*self.words), contents, texts, strict=True))
        return _PAGE.format(
            controls="".join(controls),
            source=f"data:image/{self.kind};base64,{contents[first]}",
            alt=escape(", ".join(f"{label}: {word}" for label, _, _, word in each)),
            text_class=TEXT_CLASS,
            text=escape(texts[first]),
            note=f"<p><em>{escape(self.note)}</em></p>\n" if self.note else "",
            all=_as_json({"labels": self.labels, "kind": self.kind, "pictures": entries}),
        )


def every_position(draw: Callable[..., Figure | Drawing], **controls: Control) -> Positions:
    """Draw draw's figure at every position of its controls; arguments are those of `explore`.

    draw: called once for each position, about a quarter of a second each. Of several controls with
    more than MOST positions together, the longest ones keep every second, third, ... position from
    their value on. Raises ValueError for no control, and what draw raises.
    """
    if not controls:
        raise ValueError("nothing to draw beforehand: no controls were given")

    def picture(**values: Any) -> tuple[bytes, str]:
        kept = keep(draw(**values))
        return kept.png, kept.alt

    return positions_of(picture, controls)


def positions_of(
    picture: Callable[..., tuple[bytes, str]],
    controls: Mapping[str, Control],
    kind: str = "png",
    note: str = "",
) -> Positions:
    """`every_position` of a function that returns a file's content and its text alternative.

    kind, note: see `Positions`.
    """
    grids = {name: _values(control) for name, control in controls.items()}
    now = {name: _now(grid, controls[name]) for name, grid in grids.items()}
    every = dict.fromkeys(grids, 1)
    thin = grids
    while len(grids) > 1 and prod(map(len, thin.values())) > MOST:
        every[max(thin, key=lambda name: len(thin[name]))] += 1
        thin = {name: grid[now[name] % every[name] :: every[name]] for name, grid in grids.items()}
    return Positions(
        tuple(control.label for control in controls.values()),
        tuple(tuple(word for word, _ in grid) for grid in thin.values()),
        tuple(
            picture(**dict(zip(thin, values, strict=True)))
            for values in product(*([value for _, value in grid] for grid in thin.values()))
        ),
        tuple(_now(grid, controls[name]) for name, grid in thin.items()),
        kind,
        note,
    )


def _now(grid: list[tuple[str, Any]], control: Control) -> int:
    return [value for _, value in grid].index(control.value)


def _values(control: Control) -> list[tuple[str, Any]]:
    """What a control can be set to, in order, each with the words that stand for it."""
    if not isinstance(control, Slider):
        return list(control.options)
    steps = round((control.high - control.low) / control.step)
    before = round((control.value - control.low) / control.step)
    offsets = range(-before, steps + 1 - before)  # from the value, so that it is met to the bit
    values = [control.value + offset * control.step for offset in offsets]
    kept = [min(max(value, control.low), control.high) for value in values]
    return [(f"{value:g}", value) for value in kept]


def _as_json(value: object) -> str:
    """JSON that may stand in a script of a page, where `</script>` would end it."""
    return json.dumps(value).replace("<", "\\u003c")
