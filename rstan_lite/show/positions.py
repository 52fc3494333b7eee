"""Every position of a control drawn beforehand: a figure that moves on a page without a kernel.

`explore` asks a kernel for each new figure. A page that is only read has none, so what one control
can show is drawn once for each of its positions and put into the page.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from matplotlib.figure import Figure

from rstan_lite.show.controls import TEXT_CLASS, Control, Slider
from rstan_lite.show.style import Picture, keep

# A slider by number of position: arrow keys, drags and screen readers come with the browser.
_PAGE = """\
<figure class="rstan-positions">
<label>{label} <input type="range" min="0" max="{last}" value="{now}" aria-valuetext="{word}">
</label> <output>{word}</output>
<img src="{source}" alt="{label}: {word}">
<figcaption class="{text_class}" role="status">{text}</figcaption>
<script type="application/json">{all}</script>
<script>{{
const figure = document.currentScript.parentElement;
const all = JSON.parse(figure.querySelector("script").textContent);
const [slider, word, image, text] =
  ["input", "output", "img", "figcaption"].map((name) => figure.querySelector(name));
const draw = () => {{
  const [value, source, words] = all[slider.value];
  slider.setAttribute("aria-valuetext", value);
  word.textContent = value;
  image.src = source;
  image.alt = {label_as_json} + ": " + value;
  text.textContent = words;
}};
slider.addEventListener("input", draw);
draw();  // a browser that comes back to the page keeps the slider where it was
}}</script>
</figure>"""


@dataclass(frozen=True)
class Positions:
    """The pictures of one control.

    label: the control's. words: what each position is called. pictures: one a position. now: the
    position that is shown first.
    """

    label: str
    words: tuple[str, ...]
    pictures: tuple[Picture, ...]
    now: int

    def __repr__(self) -> str:
        return f"{self.label}: {self.words[self.now]}, of {len(self.words)} positions"

    def _repr_html_(self) -> str:
        """Give Jupyter a slider over the pictures, which needs neither kernel nor library."""
        sources = [f"data:image/png;base64,{b64encode(p.png).decode()}" for p in self.pictures]
        texts = [picture.alt for picture in self.pictures]
        return _PAGE.format(
            label=escape(self.label),
            label_as_json=_as_json(self.label),
            last=len(self.words) - 1,
            now=self.now,
            word=escape(self.words[self.now]),
            source=sources[self.now],
            text_class=TEXT_CLASS,
            text=escape(texts[self.now]),
            all=_as_json(list(zip(self.words, sources, texts, strict=True))),
        )


def every_position(draw: Callable[..., Figure], **control: Control) -> Positions:
    """Draw draw's figure at every position of one control; arguments are those of `explore`.

    draw: called once for each position, about a quarter of a second each. Raises ValueError for
    none or several controls, whose pictures would be too many, and what draw raises.
    """
    if len(control) != 1:
        raise ValueError(f"{len(control)} controls; expected one, which can be drawn beforehand")
    ((name, one),) = control.items()
    values = _values(one)
    return Positions(
        one.label,
        tuple(word for word, _ in values),
        tuple(keep(draw(**{name: value})) for _, value in values),
        [value for _, value in values].index(one.value),
    )


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
