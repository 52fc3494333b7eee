"""One page to hold in the hand: the step as a diagram, the equations and the symbols, A4.

    python -m website.cheat_sheet --out build

writes cheat-sheet.pdf and cheat-sheet.html, which needs no internet. The equations are those of the
lessons' texts, the symbols those of `rstan_lite.classroom.symbols`.
"""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
from matplotlib.figure import Figure

from rstan_lite.classroom.symbols import SYMBOLS
from rstan_lite.show.diagrams import step_diagram
from rstan_lite.system.errors import NotebookError

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
A4 = (8.27, 11.69)  # inches
NUMBERS = range(1, 20)
TITLE = "RSTAN (Du, Wang, Qiao: IEEE Transactions on Image Processing, 2018)"
NOTE = "Shapes: one video, one stream. h_0 = c_0 = 0. Fused weights add up to between 1 and 2."
_TAGGED = re.compile(r"\$\$(?P<formula>[^$]*?)\\tag\{(?P<number>\d+)\}[^$]*?\$\$")
# What Matplotlib's mathtext lacks, and what it has in its place.
_PLAIN = (
    (r"\\[bB]ig[lr]?(?=[\\({)}])", ""),
    (r"\\mathbb", r"\\mathrm"),
    (r"\\mathcal\s+(\w)", r"\\mathcal{\1}"),
    (r"\\frac", r"\\dfrac"),
    (r"\\lVert|\\rVert", r"\\Vert"),
    (r"\\dots", r"\\ldots"),
    (r"\s+", " "),
)  # fmt: skip


def equations(folder: Path = NOTEBOOKS) -> dict[int, str]:
    """Each equation's first formula in the lessons, as LaTeX; NotebookError if one is missing."""
    found: dict[int, str] = {}
    for path in sorted(folder.glob("[0-9]*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for match in _TAGGED.finditer(cell.source if cell.cell_type == "markdown" else ""):
                found.setdefault(int(match["number"]), match["formula"].strip())
    if lacking := [str(number) for number in NUMBERS if number not in found]:
        expected = "a formula in a lesson, with its number as \\tag"
        raise NotebookError(folder, f"no Eq. {', '.join(lacking)}", expected)
    return {number: found[number] for number in NUMBERS}


def mathtext(formula: str) -> str:
    """A formula as Matplotlib draws it."""
    for old, new in _PLAIN:
        formula = re.sub(old, new, formula)
    return f"${formula.strip()}$"


def sheet(formulas: Mapping[int, str]) -> Figure:
    """The page: the diagram above, the equations at the left, the symbols at the right."""
    figure = plt.figure(figsize=A4)
    figure.text(0.05, 0.975, TITLE, fontsize=11, weight="bold")
    picture = io.BytesIO()
    step_diagram().savefig(picture, format="png", dpi=300)
    picture.seek(0)
    axes = figure.add_axes((0.05, 0.71, 0.9, 0.25))
    axes.imshow(plt.imread(picture))
    axes.axis("off")
    height = 0.66 / len(formulas)
    for row, (number, formula) in enumerate(formulas.items()):
        y = 0.685 - height * row
        figure.text(0.05, y, f"{number}", fontsize=7, color="0.4", va="center")
        figure.text(0.08, y, mathtext(formula), fontsize=7, va="center")
    height = 0.66 / len(SYMBOLS)
    for row, (name, symbol) in enumerate(SYMBOLS.items()):
        y = 0.69 - height * row
        meaning = re.split(r"[;:,(]", symbol.meaning.removeprefix("learnt: "))[0]
        for x, text in ((0.52, name), (0.61, symbol.shape), (0.71, meaning)):
            family = "monospace" if x < 0.7 else None
            figure.text(x, y, text, fontsize=5.5, va="center", family=family)
    figure.text(0.05, 0.015, NOTE, fontsize=6, color="0.4")
    return figure


def write(out: Path, folder: Path = NOTEBOOKS) -> list[Path]:
    """Write the page as PDF and as HTML into a folder, which is made; returns both files."""
    out.mkdir(parents=True, exist_ok=True)
    figure, drawing = sheet(equations(folder)), io.StringIO()
    pdf, html = out / "cheat-sheet.pdf", out / "cheat-sheet.html"
    figure.savefig(pdf)
    figure.savefig(drawing, format="svg")
    plt.close(figure)
    svg = drawing.getvalue()[drawing.getvalue().index("<svg") :]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{TITLE}</title>'
    html.write_text(f"{head}<style>svg{{width:100%;height:auto}}</style>{svg}</html>", "utf-8")
    return [pdf, html]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the cheat sheet, as PDF and HTML.")
    parser.add_argument("--out", default="build", metavar="DIR", help="folder to write to")
    print(*write(Path(parser.parse_args().out)), sep="\n")
