"""The slides: one per figure of a lesson, with its equation, in a file that needs no internet."""

import re
from pathlib import Path

import nbformat
import pytest

from rstan_lite.system.errors import NotebookError
from tests.classroom import made
from website.slides import NOTEBOOKS, lessons_of_the_day, sentences, write

README = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")
PIXEL = "iVBORw0KGgo="
AIMS = "# 5. Frames\n\nText.\n\n**After it you can**\n\n- weigh $\\beta_t$;\n- sum them."


def test_the_day_and_its_sentences_are_those_of_the_timetable() -> None:
    lessons = lessons_of_the_day(README)
    assert lessons[0] == "00_tour"
    assert "08_actor_attention" in lessons
    assert all((NOTEBOOKS / f"{name}.ipynb").exists() for name in lessons)
    assert all(sentences(README)[name[:2]].endswith(".") for name in lessons)
    with pytest.raises(NotebookError, match="timetable 'One day'"):
        lessons_of_the_day("no table")


def test_a_lesson_has_its_aims_figures_and_summary(tmp_path: Path) -> None:
    data = {"image/png": PIXEL}
    picture = nbformat.v4.new_output("display_data", data, metadata={"image/png": {"alt": "Bars."}})
    executed = made.write(
        tmp_path / "05_temporal_attention.ipynb",
        made.words(AIMS, "aims"),
        made.words("## 1. Sharpness\n\n$$x = 1 \\tag{6}$$\n\nSee the bars.", "first"),
        made.code("draw()", "bars", outputs=[picture, picture]),
        made.words("## Exercises", "exercises"),
        made.code("draw()", "solved", outputs=[picture]),
        made.words("## Summary\n\n- A weight sums to 1."),
    )
    text = write([executed], tmp_path / "made", README).read_text(encoding="utf-8")
    slides = re.findall(r"<section.*?</section>", text, re.DOTALL)
    assert len(slides) == 5  # the first one, the aims, two figures, the summary
    assert "<h1>Frames</h1>" in slides[1]
    assert slides[1].count("<li>") == 2
    assert "See the bars." in slides[2]
    assert 'alt="Bars."' in slides[2]
    assert "<math" in slides[2]
    assert sentences(README)["05"] in slides[4]
    assert not re.search(r"<link|(?:href|src)=.https?:", text)
