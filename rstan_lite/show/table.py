"""A small table of text that looks the same in a terminal, a notebook and a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


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
        lines = (self.columns, *self.rows)
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        text = ["  ".join(_pad(c, w, i) for i, (c, w) in _cells(line, widths)) for line in lines]
        text.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(
            [*(line.rstrip() for line in text), *([self.caption] * bool(self.caption))]
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Give Jupyter an HTML table: the caption first, the first column as row heads."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns)
        body = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(row[0])}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in self.rows
        )
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(line: Sequence[str], widths: Sequence[int]) -> enumerate[tuple[str, int]]:
    return enumerate(zip(line, widths, strict=True))


def _pad(cell: str, width: int, column: int) -> str:
    """Align the first column to the left, the others to the right."""
    return cell.ljust(width) if column == 0 else cell.rjust(width)
