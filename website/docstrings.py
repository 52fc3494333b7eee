"""The house's docstrings, plain text, as the reStructuredText that Sphinx wants.

A docstring is paragraphs; in one, `name: words` and "Raises ..." begin an entry of its own, and
further lines of an entry may be indented. Code stands between single backticks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ENTRY = re.compile(r"(?:\*{0,2}[a-z_][\w, *]{0,60}?): |(?:Returns?|Raises?|Yields?)\b")
_NAME = re.compile(r"([a-z_]\w*(?:, [a-z_]\w*)*): ")
_FURTHER = re.compile(r"(?<=\.) +(?=[a-z_]\w*(?:, [a-z_]\w*)*: )")  # another one on the same line
_CODE = re.compile(r"(`+)(.+?)\1")
_SPECIAL = re.compile(r"([\\*|`]|_(?!\w)|(?<!\w)_)")
_BACKSLASH = r"\\\1"


def as_rst(lines: list[str]) -> list[str]:
    """A docstring's lines, already without common indentation, as reStructuredText."""
    made: list[str] = []
    for block in _blocks(lines):
        if all(line.startswith(" ") for line in block):
            made += ["::", "", *block, ""]
            continue
        for entry in _entries(block):
            name = _NAME.match(entry)
            first = f"**{_SPECIAL.sub(_BACKSLASH, name[1])}**" if name else ""
            made += [first + _escaped(entry[len(name[1]) if name else 0 :]), ""]
    return made


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines between empty ones."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def _entries(block: list[str]) -> Iterator[str]:
    """A paragraph's entries, each as one line; those of arguments as items of a list."""
    entry: list[str] = []
    for line in block:
        if entry and not line.startswith(" ") and _ENTRY.match(line):
            yield from _FURTHER.split(" ".join(entry))
            entry = []
        entry.append(line.strip())
    yield from _FURTHER.split(" ".join(entry))


def _escaped(text: str) -> str:
    """Text with its code between double backticks, and nothing else that means something."""
    parts, at = [], 0
    for code in _CODE.finditer(text):
        parts += [_SPECIAL.sub(_BACKSLASH, text[at : code.start()]), f"``{code[2].strip()}``"]
        at = code.end()
    parts.append(_SPECIAL.sub(_BACKSLASH, text[at:]))
    return "".join(parts)
