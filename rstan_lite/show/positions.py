"""Every position of a figure's controls drawn beforehand: it moves on a page without a kernel.

`explore` asks a kernel for each new figure. A page that is only read has none, so what the controls
can show is drawn once for each of their positions and put into the page.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import product
from math import prod
from typing import Any

from matplotlib.figure import Figure

from rstan_lite.show.controls import TEXT_CLASS, Control, Slider
from rstan_lite.show.style import Drawing, keep

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
