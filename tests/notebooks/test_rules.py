"""The rules that every notebook of the house keeps, checked without running any."""

import ast
import re
from pathlib import Path
from statistics import median

import nbformat
import pytest

from rstan_lite.run import notebook_parameters

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
COMPARED = "nbval-check-output"
LONGEST, MOST_CELLS, MEDIAN_BELOW = 10, 30, 9

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def test_is_a_valid_notebook_whose_cells_have_ids_of_their_own(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert notebook.metadata.kernelspec.name == "python3"


def test_first_code_cell_holds_typed_parameters_each_with_a_comment(path: Path) -> None:
    first = code(path)[0]
    assert "parameters" in tags(first)
    parameters = notebook_parameters(path)
    assert parameters
    assert all(parameter.comment for parameter in parameters)
    assert sum("parameters" in tags(cell) for cell in code(path)) == 1


def test_one_idea_a_cell(path: Path) -> None:
    lengths = [
        len(cell.source.splitlines()) for cell in code(path) if "parameters" not in tags(cell)
    ]
    assert max(lengths) <= LONGEST
    assert median(lengths) < MEDIAN_BELOW
    assert len(code(path)) <= MOST_CELLS


def test_stored_without_outputs_but_those_that_are_compared(path: Path) -> None:
    for cell in code(path):
        if COMPARED in tags(cell):
            assert cell.outputs, cell.id
            assert all(
                output.output_type in ("stream", "execute_result") for output in cell.outputs
            )
            assert cell.execution_count is not None
        else:
            assert not cell.outputs, cell.id
            assert cell.execution_count is None


def test_every_figure_is_kept_and_asserts_something_about_its_data(path: Path) -> None:
    figures = [cell.source for cell in code(path) if "show.keep(" in cell.source]
    assert figures
    for source in figures:
        assert "assert" in source, source


def test_code_is_tidy_python_within_the_line(path: Path) -> None:
    for cell in code(path):
        ast.parse(cell.source)
        assert max(map(len, cell.source.splitlines())) <= 100, cell.source
        assert not re.search(r"\bimport \*|TODO|FIXME|^[!%]", cell.source, re.MULTILINE)


def test_says_what_for_what_is_needed_and_where_to_go_on(path: Path) -> None:
    text = prose(path)
    for heading in ("will be able to", "What you need", "Exercises", "Summary", "Next"):
        assert heading in text, heading


def test_three_exercises_or_more_each_with_a_hidden_solution(path: Path) -> None:
    exercises = re.findall(r"^\*\*Exercise \d", prose(path), re.MULTILINE)
    solutions = [cell for cell in code(path) if "solution" in tags(cell)]
    assert len(exercises) == len(solutions) >= 3
    for cell in solutions:
        assert cell.metadata.jupyter.source_hidden
        assert "assert" in cell.source


def test_links_to_files_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", prose(path)):
        assert target.startswith("https://") or (FOLDER / target).exists(), target


def test_names_no_path_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|work|Users|tmp|mnt)/", text)
