"""The rules of every notebook and of their README; their first cell; prose by the house's rules.

Of prose, the words of notebooks, README and docs are checked: short sentences, and no turn of
phrase that a reader stumbles over. Code, tables and formulas are not. What was long before this
test stands in `long_sentences.csv`, which may shrink and must not grow.
"""

import ast
import csv
import importlib.util
import os
import re
import subprocess
import sys
from importlib.machinery import ModuleSpec
from itertools import pairwise
from pathlib import Path
from statistics import median

import nbformat
import pytest

from rstan_lite.classroom import notebook_parameters
from rstan_lite.classroom.assignments import POINTS, graded_cells

FOLDER = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(FOLDER.glob("[0-9]*.ipynb"))
CAPSTONE = FOLDER / "rstan_from_scratch.ipynb"
NOTEBOOKS = [*LESSONS, CAPSTONE]
COMPARED = "nbval-check-output"
GRADES = ("easy", "medium", "hard")
EXERCISE = ("blank", "check", "hidden")  # tags of its cells, in this order
BUILD, FILE = "build", "file"  # the reader's class and its training; a piece of the one file
TAGS = {"install", "parameters", "by-hand", *EXERCISE, "results", COMPARED, BUILD, FILE}
LONGEST, MOST_CELLS, MEDIAN_AT_MOST = 10, 42, 9
# a class, or a training loop, cannot be cut in two; "install" is folded away
LONGEST_OF = {"install": 12, "blank": 14, "check": 12, BUILD: 26, FILE: 40}

every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


@every
def test_is_a_valid_notebook_whose_cells_have_ids_of_their_own(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert set(tags(cell)) <= TAGS, cell.id  # something reads each
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|work|Users|tmp|mnt)/", text)  # a path of a machine


@every
def test_install_cell_and_typed_parameters_come_first(path: Path) -> None:
    (first, second, *others), model = code(path), code(NOTEBOOKS[0])[0]
    assert (first.id, tags(first)) == ("install", ["install"])
    assert first.metadata.jupyter.source_hidden
    assert first.source == model.source
    assert "parameters" in tags(second)
    assert all(parameter.comment for parameter in notebook_parameters(path))
    assert not any({"install", "parameters"} & set(tags(cell)) for cell in others)


@every
def test_one_idea_a_cell(path: Path) -> None:
    read_in_turn = [cell for cell in code(path) if not {"install", "hidden"} & set(tags(cell))]
    assert len(read_in_turn) <= MOST_CELLS
    whole = {"parameters", FILE}
    lengths = [len(c.source.splitlines()) for c in read_in_turn if not whole & set(tags(c))]
    assert median(lengths) <= MEDIAN_AT_MOST
    for cell in code(path):
        longest = max(LONGEST_OF.get(tag, LONGEST) for tag in [*tags(cell), ""])
        assert len(cell.source.splitlines()) <= longest, cell.id


@every
def test_every_figure_is_kept_and_asserts_something_about_its_data(path: Path) -> None:
    figures = [cell.source for cell in code(path) if "show.keep(" in cell.source]
    assert figures
    assert all("assert" in source for source in figures)


@every
def test_stored_without_outputs_but_those_that_are_compared(path: Path) -> None:
    for cell in code(path):
        if COMPARED in tags(cell):
            assert cell.outputs, cell.id
            kinds = {output.output_type for output in cell.outputs}
            assert kinds <= {"stream", "execute_result"}
            assert cell.execution_count is not None
        else:
            assert not cell.outputs, cell.id
            assert cell.execution_count is None


@every
def test_code_names_its_equation_and_leaves_nothing_to_do(path: Path) -> None:
    for cell in code(path):
        assert not re.search(r"TODO|FIXME|^[!%]", cell.source, re.MULTILINE)
        number = re.fullmatch(r"eq-(\d\d).*", cell.id)  # it stands beside the line
        assert not number or re.search(rf"#.*\bEq\. {int(number[1])}\b", cell.source), cell.id


@every
def test_says_what_for_what_is_needed_and_where_to_go_on(path: Path) -> None:
    text = prose(path)
    for heading in ("will be able to", "What you need", "Exercises", "Summary", "Next"):
        assert heading in text, heading
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (FOLDER / target).exists(), target


@lessons
def test_exercises_come_in_three_grades_each_with_a_blank_and_a_check(path: Path) -> None:
    texts = {cell.id: cell.source for cell in read(path).cells if cell.id.startswith("exercise-")}
    headings = re.findall(r"^\*\*Exercise (\d+) \((\w+)\)\.\*\*", prose(path), re.MULTILINE)
    assert [int(number) for number, _ in headings] == list(range(1, len(headings) + 1))
    assert list(texts) == [f"exercise-{number}" for number, _ in headings]
    grades = [GRADES.index(grade) for _, grade in headings]
    assert grades == sorted(grades)
    assert set(grades) == set(range(len(GRADES)))
    for number in range(1, len(headings) + 1):
        blanks = [cell for cell in code(path) if re.fullmatch(rf"blank-{number}[a-z]?", cell.id)]
        assert blanks
        for cell in blanks:
            assert "blank" in tags(cell)
            assert cell.metadata.jupyter.source_hidden
        for tag in ("check", "hidden"):
            (cell,) = (cell for cell in code(path) if cell.id == f"{tag}-{number}")
            assert tag in tags(cell)
            assert "assert" in cell.source or "compare" in cell.source
            assert tag == "check" or cell.metadata.jupyter.source_hidden


@lessons
def test_nothing_but_exercises_and_what_is_built_on_them_follows_the_first_blank(path):
    """What is built needs the reader's equation, so a blank stops it, and it alone."""
    kinds = [next((t for t in (*EXERCISE, BUILD) if t in tags(c)), "other") for c in code(path)]
    assert "other" not in kinds[kinds.index("blank") :], "a student copy would fail in it"
    named = [cell for cell in code(path) if re.match(r"(blank|check|hidden)-", cell.id)]
    assert sum(kind in EXERCISE for kind in kinds) == len(named)


@lessons
def test_what_is_made_by_hand_does_not_lean_on_the_package(path: Path) -> None:
    imported = {"show"}
    for tree in (ast.parse(cell.source) for cell in code(path)):
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rstan_lite"):
                imported |= {alias.asname or alias.name for alias in node.names}
    for cell in code(path):
        if "by-hand" not in tags(cell):
            assert not re.fullmatch(r"eq-\d\d.*", cell.id), cell.id
            continue
        tree = ast.parse(cell.source)
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert any(name.endswith("_by_hand") for name in defined), cell.id
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not used & (imported - defined), cell.id
        assert "rstan_lite" not in cell.source, cell.id


@every
def test_every_explorer_has_a_static_figure_of_the_same_function(path: Path) -> None:
    kept = "\n".join(cell.source for cell in code(path) if "show.keep(" in cell.source)
    for cell in code(path):
        assert cell.id.startswith("explore-") == ("show.explore(" in cell.source), cell.id
        for draw in re.findall(r"show\.explore\(\s*(?:partial\(\s*)?([\w.]+)", cell.source):
            assert f"{draw}(" in kept, f"{cell.id}: no figure of {draw} is kept"
        if re.search(r"^explorer\(", cell.source, re.MULTILINE):
            assert cell.id == "explorer"  # its browser test finds it by this id
            assert re.search(r"figure = render\(view_of\(", kept), "no view is kept as a figure"


@every
def test_lessons_name_their_symbols_and_compare_a_table(path: Path) -> None:
    if path.stem == "00_tour":
        pytest.skip("the tour is no lesson: it explains its symbols as it goes")
    first = [cell.source for cell in code(path)][1:5]
    assert any("show.symbols(" in source for source in first)
    assert any(COMPARED in tags(cell) for cell in code(path))
    names = [parameter.name for parameter in notebook_parameters(path)]
    assert {"dataset", "root", "out", "cache", "seed"} <= set(names)
    (out,) = (p.default for p in notebook_parameters(path) if p.name == "out")
    assert out == f"runs/{path.stem}"


TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")
ROWS = [
    tuple(part.strip() for part in line.strip("|").split("|"))
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith("| ---")
]


@lessons
def test_the_rubric_s_points_are_those_of_the_assignment(path: Path) -> None:
    points: dict[str, int] = {}
    for cell, _, number in graded_cells(path):
        exercise = f"{path.stem[:2]}.{cell.partition('-')[2]}"
        points[exercise] = points.get(exercise, 0) + number
    rows = {row[0]: row for row in ROWS if row[0].startswith(f"{path.stem[:2]}.")}
    assert {exercise: int(row[1]) for exercise, row in rows.items()} == points
    assert all(len(row) == 5 and all(row) for row in rows.values())


def test_points_by_grade_are_those_of_the_assignments() -> None:
    rows = {row[0]: row[1:] for row in ROWS if row[0] in POINTS}
    assert rows == {grade: (f"{n // 2}", f"{n // 2}", f"{n}") for grade, n in POINTS.items()}
    assert f"each lesson has {sum(POINTS.values())} points" in TEXT


def test_two_days_have_every_lesson_and_no_gap() -> None:
    """Rows of a timetable: start, minutes, what."""
    tables: list[list[tuple[int, int, str]]] = []
    for row in ROWS:
        if row[0] == "start":
            tables.append([])
        elif found := re.fullmatch(r"(\d+):(\d\d)", row[0]):
            tables[-1].append((60 * int(found[1]) + int(found[2]), int(row[1]), row[2]))
    for table in tables:
        for (start, minutes, _), (next_start, _, _) in pairwise(table):
            assert start + minutes == next_start, next_start
    *_, first, second = tables
    named = re.findall(r"`(\d\d_\w+)`", " ".join(what for _, _, what in (*first, *second)))
    assert sorted(named) == [path.stem for path in LESSONS]


TOUR = nbformat.read(FOLDER / "00_tour.ipynb", as_version=4)
(CELL,) = (cell.source for cell in TOUR.cells if cell.id == "install")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the cell runs, instead of its being run."""
    found: list[list[str]] = []

    monkeypatch.setattr(subprocess, "check_call", found.append)
    return found


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rstan_lite to import, but a checkout's folder of that name on the path."""
    spec = ModuleSpec("rstan_lite", None, is_package=True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def run_cell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # the cell chooses threads
    exec(compile(CELL, "install", "exec"), {})


def test_does_nothing_where_the_package_is(commands, tmp_path, monkeypatch):
    run_cell(tmp_path, monkeypatch)
    assert commands == []


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("where", [".", "notebooks", "..", "beside a wheel"])
def test_takes_the_checkout_about_or_beside_the_notebook_or_a_wheel(
    where, commands, tmp_path, monkeypatch
):
    """Never a stranger of that name: whoever took it in a registry could run code here."""
    with pytest.raises(AssertionError, match="a checkout or its wheel"):
        run_cell(tmp_path, monkeypatch)
    assert commands == []
    source = tmp_path / "a check out"
    if where == "beside a wheel":
        folder, source = tmp_path, tmp_path / "rstan_lite-0.1.0-py3-none-any.whl"
        source.touch()
    else:
        folder = source / where
        (source / "rstan_lite" / "cli").mkdir(parents=True)
        (source / "notebooks").mkdir()
    run_cell(folder, monkeypatch)
    pip = [sys.executable, "-m", "pip", "install", "-q", f"{source}[notebooks,sweep]"]
    assert commands == [pip]


ROOT = Path(__file__).parents[2]
MOST_WORDS = 20
BANNED = (
    r"\bwhat (?:it|they)\b", r"\bthe ones?\b(?! hand)", r"\bsuch\b(?! as)", r"\bgo(?:es)? on\b",
    r"\bwhoever\b", r"\bcomes? upon\b", r"\bso as to\b", r"\bhears? little\b",
)  # fmt: skip
FORMERLY = Path(__file__).with_name("long_sentences.csv")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "notebooks/*.ipynb", "notebooks/README.md", "docs/*.md")
    for path in ROOT.glob(pattern)
)
NOT_PROSE = re.compile(
    r"^```.*?^```|\$\$.*?\$\$|<!--.*?-->|^\s*\|.*?$|^#.*?$|^!\[.*?$", re.MULTILINE | re.DOTALL
)
ONE_WORD = re.compile(r"`[^`]*`|\$[^$]*\$")
ENDS = re.compile(r"(?<=[.!?:;])[)*_\"]*\s+(?=\S)|\n\s*\n|\n(?=\s*(?:[-*>]|\d+\.)\s)")


def text_of(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def sentences(text: str) -> list[str]:
    """The sentences of Markdown; a formula, a piece of code and a link's target are no words."""
    text = NOT_PROSE.sub("\n\n", text)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", ONE_WORD.sub("X", text))
    text = re.sub(r"(?m)^\s*>\s?", "", re.sub(r"\b(Eq|Fig)\.\s", r"\1 ", text))
    found = (" ".join(part.split()) for part in ENDS.split(text))
    return [part for part in found if part]


def stumbles(page: str) -> list[str]:
    """Sentences that are too long, and those with a banned turn of phrase."""
    found = sentences(text_of(ROOT / page))
    long = [s for s in found if len(re.findall(r"\w[\w'.-]*", s)) > MOST_WORDS]
    return long + [s for s in found if any(re.search(turn, s) for turn in BANNED)]


def allowed() -> dict[str, int]:
    with FORMERLY.open(encoding="utf-8", newline="") as file:
        return {page: int(number) for page, number in csv.reader(file)}


@pytest.mark.parametrize("page", PAGES)
def test_sentences_are_short_and_plain(page: str) -> None:
    found = stumbles(page)
    assert len(found) <= allowed().get(page, 0), "\n".join(found)
