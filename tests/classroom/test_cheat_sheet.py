"""The cheat sheet: one page with every equation, which needs no internet."""

import re
from pathlib import Path

import pytest

from rstan_lite.system.errors import NotebookError
from website.cheat_sheet import equations, write


def test_one_page_with_every_equation(tmp_path: Path) -> None:
    assert list(equations()) == list(range(1, 20))
    pdf, html = write(tmp_path / "made")
    assert len(re.findall(rb"/Type /Page\b", pdf.read_bytes())) == 1
    text = html.read_text(encoding="utf-8")
    assert "<svg" in text
    assert not re.search(r"<script|<link|(?:href|src)=.https?:", text)


def test_an_equation_that_no_lesson_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match=r"found no Eq\. 1, 2, 3"):
        equations(tmp_path)
