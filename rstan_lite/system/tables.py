"""What is shown of work: tables as aligned text, Markdown and HTML, and progress bars."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any


def watched() -> bool:
    """Whether someone sees a bar: at a terminal or in a notebook, not in a log."""
    from tqdm.auto import tqdm

    return sys.stderr.isatty() or any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)


def progress_bar(items: Iterable[Any] | None = None, shown: bool = True, **how: Any) -> Any:
    """A bar of tqdm over items, where it is `watched`; shown: False for none at all."""
    from tqdm.auto import tqdm

    return tqdm(items, disable=not (shown and watched()), **how)


def aligned(lines: Sequence[Sequence[str]], left: int | None = None) -> list[str]:
    """Lines of cells, as many in each, padded so that columns stand below one another.

    left: how many of the first columns are aligned to the left, the others to the right; None: all.
    """
    columns = []
    for i, cells in enumerate(zip(*lines, strict=True)):
        sign, width = "<" if left is None or i < left else ">", max(map(len, cells))
        columns.append([f"{cell:{sign}{width}}" for cell in cells])
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    cells = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    head = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    return head + [f"| {' | '.join(row)} |" for row in cells]


@dataclass(frozen=True)
class Table:
    """Rows of text under named columns, with a caption that says what the numbers come from.

    columns: names. rows: one text a column each; ValueError where a row is longer or shorter.
    `str(table)` is plain text with aligned columns; Jupyter shows HTML.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells under {len(self.columns)} columns")

    def column(self, name: str) -> tuple[str, ...]:
        """Return the cells of one column."""
        return tuple(row[self.columns.index(name)] for row in self.rows)

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        head, *body = aligned([self.columns, *self.rows], left=1)
        rule = "  ".join("-" * width for width in widths)
        return "\n".join([head, rule, *body, *([self.caption] * bool(self.caption))])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Give Jupyter an HTML table: the caption first, the first column as row heads."""
        head, body = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns), ""
        for first, *others in self.rows:
            body += f'<tr><th scope="row" style="text-align:left">{escape(first)}</th>'
            body += "".join(f"<td>{escape(cell)}</td>" for cell in others) + "</tr>"
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
