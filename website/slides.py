"""Slides for a one-day workshop, made from the lessons: one HTML file that needs no internet.

    python -m website.slides --out build

writes slides.html. It executes the lessons of the one-day timetable in notebooks/README.md; lessons
that the site has executed already are taken from there. Arrow keys turn the slides.
"""

from __future__ import annotations

import argparse
import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.filters import markdown2html

from rstan_lite.classroom.page import mathml
from rstan_lite.system.errors import NotebookError
from website.execute import execute

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
TITLE = "RSTAN in a day: the slides"
ENDS = ("Exercises", "Summary", "Next")  # sections that are no part of a talk
_TABLE_OF_DAY = re.compile(r"\*\*One day\*\*.*?\n\n(\|.*?)\n\n", re.DOTALL)
_NOTES = re.compile(r"## Notes for the instructor\n\n(\|.*?)\n\n", re.DOTALL)
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)
_BULLETS = re.compile(r"^- .*(?:\n(?![-#>\n]).*)*", re.MULTILINE)

_STYLE = """
html{scroll-snap-type:y mandatory;font:2.7vmin/1.35 system-ui,sans-serif;color:#1a1a1a}
section{height:100vh;box-sizing:border-box;padding:4vh 6vw;scroll-snap-align:start;display:flex;
flex-direction:column;gap:2vh}h1{font-size:2.4em;margin:auto 0 0}h2{font-size:1.6em;margin:0}
body,p,ul{margin:0}li{margin:.3em 0}section.title{font-size:1.25em}
section.title>:last-child{margin-bottom:auto}
section.points{font-size:1.2em}small{font-size:.95em;color:#595959}math[display=block]{font-size:1.3em}
img{min-height:0;max-width:100%;object-fit:contain;flex:1 1 0}
@media print{section{break-after:page}@page{size:297mm 167mm;margin:0}}
"""
_KEYS = """
const slides=[...document.querySelectorAll('section')];
addEventListener('keydown',event=>{
  const by={ArrowRight:1,ArrowDown:1,PageDown:1,' ':1,ArrowLeft:-1,ArrowUp:-1,PageUp:-1}[event.key];
  if(!by)return;event.preventDefault();
  const here=Math.round(scrollY/innerHeight);
  slides[Math.max(0,Math.min(slides.length-1,here+by))].scrollIntoView();
});
"""


def lessons_of_the_day(readme: str) -> list[str]:
    """The lessons of the one-day timetable, in its order; NotebookError if there is no such one."""
    table = _TABLE_OF_DAY.search(readme)
    found = re.findall(r"\| `(\w+)`", table[1]) if table else []
    if not found:
        expected = "a timetable 'One day' with lessons in backquotes"
        raise NotebookError(NOTEBOOKS / "README.md", "none", expected)
    return found


def sentences(readme: str) -> dict[str, str]:
    """What a lecturer wants to have said at the end of a lesson, by its number."""
    notes = _NOTES.search(readme)
    rows = [line.strip("| ").split(" | ") for line in notes[1].splitlines()[2:]] if notes else []
    return {row[0].strip("`"): row[-1] for row in rows}


def in_line(text: str) -> str:
    """Markdown of a heading as HTML."""
    return re.sub(r"</?p>|\n", "", shown(text))


def shown(text: str) -> str:
    """Markdown with formulas as HTML."""
    formulas: list[str] = []

    def keep(match: re.Match[str]) -> str:
        formulas.append(mathml(match[1] or match[2], display=bool(match[1])))
        return f"FORMULA{len(formulas) - 1}HERE"

    made = markdown2html(_FORMULA.sub(keep, text))
    return re.sub(r"FORMULA(\d+)HERE", lambda match: formulas[int(match[1])], made)


def slides_of(executed: Path, sentence: str = "") -> Iterator[str]:
    """The slides of an executed lesson: its aims, each figure with its text, and its summary.

    sentence: what the lecturer wants to have said at the end.
    """
    cells = nbformat.read(executed, as_version=4).cells
    title, _, rest = cells[0].source.partition("\n")
    aims = "\n".join(_BULLETS.findall(rest))
    heading, text = re.sub(r"^# (?:\d+\. )?", "", title), ""
    first = f"<h1>{in_line(heading)}</h1><p>Afterwards you can</p>{shown(aims)}"
    yield f'<section class="title">{first}</section>'
    for cell in cells[1:]:
        if cell.cell_type == "markdown":
            if start := re.search(r"^## (?:\d+\. )?(.*)", cell.source, re.MULTILINE):
                heading = start[1]
            if heading == "Summary":
                points = "\n".join(_BULLETS.findall(cell.source))
                said = f"<p><b>{html.escape(sentence)}</b></p>" if sentence else ""
                yield f'<section class="points"><h2>{heading}</h2>{said}{shown(points)}</section>'
            text = cell.source
        elif heading not in ENDS:
            for picture, alt in figures(cell):
                formulas = re.findall(r"\$\$.+?\\tag.+?\$\$", text, re.DOTALL)[:2]
                words = [p for p in re.split(r"\n\s*\n", text) if not re.match(r"[#|>$-]", p)]
                body = "".join(shown(part) for part in (*formulas, *words[-1:]))
                image = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{picture}">'
                yield f"<section><h2>{in_line(heading)}</h2>{image}<small>{body}</small></section>"
                text = ""


def figures(cell: Any) -> Iterator[tuple[str, str]]:
    """The figures of a cell: a PNG in base64, and its text alternative."""
    for output in cell.outputs:
        if picture := output.get("data", {}).get("image/png"):
            alt = output.metadata.get("image/png", {}).get("alt", "")
            yield picture.replace("\n", ""), alt


def write(executed: Sequence[Path], out: Path, readme: str) -> Path:
    """Write slides.html of executed lessons into a folder, which is made; returns its path."""
    said = sentences(readme)
    parts = [f'<section class="title"><h1>{TITLE}</h1><p>Arrow keys turn the slides.</p></section>']
    for path in executed:
        parts += slides_of(path, said.get(path.stem[:2], ""))
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{TITLE}</title>'
    page = f"{head}<style>{_STYLE}</style>{''.join(parts)}<script>{_KEYS}</script></html>"
    out.mkdir(parents=True, exist_ok=True)
    path = out / "slides.html"
    path.write_text(page, "utf-8")
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the slides of a one-day workshop.")
    parser.add_argument("--out", default="build", type=Path, metavar="DIR", help="where to write")
    given = parser.parse_args().out
    text = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")
    names = [NOTEBOOKS / f"{name}.ipynb" for name in lessons_of_the_day(text)]
    print(write(execute(names, (given / "site-work").resolve()), given, text))
