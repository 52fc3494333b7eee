"""What is written for Sphinx, without Sphinx; the slides and the cheat sheet, without internet."""

import re
from pathlib import Path

import nbformat
import pytest

from rstan_lite.system.errors import DataError, NotebookError
from tests.classroom.made import code, words, write
from website import cheat_sheet, slides
from website.__main__ import DOCUMENTS, ROOT
from website.docstrings import as_rst
from website.execute import package_hash
from website.pages import anonymous, write_ledger, write_notebook
from website.slides import NOTEBOOKS, lessons_of_the_day, sentences


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("read /home/me/clips/a.npz now", "read /path/to/a.npz now"),
        ("--root '/data/jhmdb' --out runs/a", "--root '/path/to/jhmdb' --out runs/a"),
        ("rows / columns, 3/4, and/or a/b/c </td>", "rows / columns, 3/4, and/or a/b/c </td>"),
        ("https://example.org/a/b", "https://example.org/a/b"),
    ],
)
def test_paths_of_a_machine_are_not_shown(text: str, shown: str) -> None:
    assert anonymous(text) == shown


def test_docstrings_keep_their_words_and_gain_marks() -> None:
    text = (
        "First line with `code_` and x_ * y.\n\nscores: (B, N), any *shape*; one | two\n"
        "    of them.  gamma: 0 or more. delta: 1.\nRaises ValueError where\nit must.\n\n"
        "    r = 1 * x"
    )
    assert as_rst(text.splitlines()) == [
        "First line with ``code_`` and x\\_ \\* y.", "",
        "**scores**: (B, N), any \\*shape\\*; one \\| two of them.", "",
        "**gamma**: 0 or more.", "", "**delta**: 1.", "",
        "Raises ValueError where it must.", "", "::", "", "    r = 1 * x", "",
    ]  # fmt: skip


def test_words_change_no_output_but_code_does(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text('"""One."""\ndef f():\n    """Two."""\n    return 1\n', encoding="utf-8")
    before = package_hash(tmp_path)
    path.write_text('"""Other."""\n\n\ndef f():\n    return 1  # one\n', encoding="utf-8")
    assert package_hash(tmp_path) == before
    path.write_text('"""Other."""\ndef f():\n    return 2\n', encoding="utf-8")
    assert package_hash(tmp_path) != before


@pytest.mark.parametrize(
    ("data", "anchors", "words"),
    [
        ({"image/png": "AA=="}, [], "cell some: found text alternatives"),
        ({"image/png": "AA=="}, ["eq-01"], "no cell eq-01"),
        ({"application/vnd.jupyter.widget-view+json": {}, "text/plain": "VBox()"}, [],
         "cell some: found a widget"),  # which a page could only name
    ],
)  # fmt: skip
def test_what_a_page_can_not_show_is_an_error(tmp_path: Path, data, anchors, words: str) -> None:
    shown = nbformat.v4.new_output("display_data", data=data)
    path = write(tmp_path / "n.ipynb", code("show()", "some", outputs=[shown]))
    with pytest.raises(NotebookError, match=words):
        write_notebook(path, tmp_path / "out.ipynb", anchors)


def test_a_folder_without_a_ledger_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no ledger\.md"):
        write_ledger(tmp_path, tmp_path / "source")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_lead_to_documents_alone(name: str) -> None:
    folder = (ROOT / name).parent
    linked = re.findall(r"\]\(([^)#:]+\.md)", (ROOT / name).read_text(encoding="utf-8"))
    there = {str((folder / link).resolve().relative_to(ROOT)) for link in linked}
    assert there <= set(DOCUMENTS)


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
    executed = write(
        tmp_path / "05_temporal_attention.ipynb",
        words(AIMS, "aims"),
        words("## 1. Sharpness\n\n$$x = 1 \\tag{6}$$\n\nSee the bars.", "first"),
        code("draw()", "bars", outputs=[picture, picture]),
        words("## Exercises", "exercises"),
        code("draw()", "solved", outputs=[picture]),
        words("## Summary\n\n- A weight sums to 1."),
    )
    text = slides.write([executed], tmp_path / "made", README).read_text(encoding="utf-8")
    shown = re.findall(r"<section.*?</section>", text, re.DOTALL)
    assert len(shown) == 5  # the first one, the aims, two figures, the summary
    assert "<h1>Frames</h1>" in shown[1]
    assert shown[1].count("<li>") == 2
    assert "See the bars." in shown[2]
    assert 'alt="Bars."' in shown[2]
    assert "<math" in shown[2]
    assert sentences(README)["05"] in shown[4]
    assert not re.search(r"<link|(?:href|src)=.https?:", text)


def test_one_page_with_every_equation(tmp_path: Path) -> None:
    assert list(cheat_sheet.equations()) == list(range(1, 20))
    pdf, html = cheat_sheet.write(tmp_path / "made")
    assert len(re.findall(rb"/Type /Page\b", pdf.read_bytes())) == 1
    text = html.read_text(encoding="utf-8")
    assert "<svg" in text
    assert not re.search(r"<script|<link|(?:href|src)=.https?:", text)


def test_an_equation_that_no_lesson_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match=r"found no Eq\. 1, 2, 3"):
        cheat_sheet.equations(tmp_path)
