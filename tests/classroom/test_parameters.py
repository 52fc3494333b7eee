"""Reading a notebook's typed parameters and checking values for them."""

import math
from pathlib import Path

import pytest

from rstan_lite.classroom.notebook_parameters import (
    Parameter,
    check_parameters,
    notebook_parameters,
)
from rstan_lite.system.errors import ConfigError, NotebookError
from rstan_lite.system.settings import parsed
from tests.classroom.made import code, write


def test_reads_name_type_default_and_comment(tmp_path: Path) -> None:
    cell = (
        "# what to run on\n"
        'dataset: str = "puppets"  # jhmdb or puppets\n'
        "split: int = 1\n"
        "rates: list[float] = [\n    0.1,\n    0.2,\n]  # tried in turn\n"
        "bound: float | None = None"
    )
    found = notebook_parameters(write(tmp_path / "a.ipynb", parameters=cell))
    assert found == [
        Parameter("dataset", "str", "puppets", "jhmdb or puppets"),
        Parameter("split", "int", 1, ""),
        Parameter("rates", "list[float]", [0.1, 0.2], "tried in turn"),
        Parameter("bound", "float | None", None, ""),
    ]


def test_a_notebook_without_the_cell_has_none(tmp_path: Path) -> None:
    assert notebook_parameters(write(tmp_path / "a.ipynb", "1 + 1", parameters=None)) == []


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("x = 1", "`name: type = value`"),
        ("import os", "`name: type = value`"),
        ("x: int", "`name: type = value`"),
        ("x: int = 1 +", "Python"),
        ("x: int = len('a')", "a plain value"),
        ("x: int = 'a'", "value of type int"),
        ("x: int = True", "value of type int"),
        ("x: dict = {}", "bool, int, float, str"),
    ],
)
def test_a_cell_that_is_not_typed_lines_is_refused(tmp_path, cell, expected):
    with pytest.raises(NotebookError) as raised:
        notebook_parameters(write(tmp_path / "a.ipynb", parameters=cell))
    assert expected in raised.value.expected
    assert "a.ipynb, cell 0" in raised.value.where


def test_two_parameters_cells_are_refused(tmp_path: Path) -> None:
    twice = [code("x: int = 1", f"cell-{i}", "parameters") for i in range(2)]
    with pytest.raises(NotebookError, match="2 cells tagged"):
        notebook_parameters(write(tmp_path / "a.ipynb", *twice))


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": 3}', '{"cells": [1]}', "\x00\xff", None])
def test_a_file_that_is_no_notebook(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "a.ipynb"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(NotebookError, match=r"a\.ipynb" if text else "no such file"):
        notebook_parameters(path)


def test_text_is_read_by_the_declared_type() -> None:
    for annotation, text, value in (
        ("bool", "true", True), ("bool", "No", False), ("int", "-3", -3), ("float", "2", 2.0),
        ("str", "none", "none"), ("str", "a=b, c", "a=b, c"), ("list[int]", "1, 2,3", [1, 2, 3]),
        ("list[int]", "", []), ("list[str]", "[ a, b ]", ["a", "b"]),
        ("tuple[float, ...]", "1,2.5", (1.0, 2.5)), ("int | None", "none", None),
        ("int | None", "7", 7), ("list[int] | None", "1", [1]),
    ):  # fmt: skip
        result = parsed("x", annotation, text)
        assert (type(result), result) == (type(value), value)
    assert math.isnan(parsed("x", "float", "nan"))


def test_wrong_values_are_refused() -> None:
    for annotation, value in (
        ("bool", "maybe"), ("bool", 1), ("int", "1.5"), ("int", True), ("float", "fast"),
        ("float", True), ("str", 3), ("list[int]", "1,x"), ("list[int]", (1, 2)),
        ("list[int]", [1, True]), ("int | None", "nothing"),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as raised:
            parsed("x", annotation, value)
        assert repr(value) in raised.value.found
        assert annotation in raised.value.expected


def test_errors_list_the_real_parameters() -> None:
    known = [Parameter("split", "int", 1, "1 to 3"), Parameter("name", "str", "a", "")]
    with pytest.raises(NotebookError) as unknown:
        check_parameters("a.ipynb", known, {"spilt": "2"})
    assert "spilt" in unknown.value.found
    with pytest.raises(NotebookError) as wrong:
        check_parameters("a.ipynb", known, {"split": "two"})
    assert unknown.value.hint.startswith("Did you mean split?")
    for raised in (unknown, wrong):
        assert "parameters: split, name. Their types and defaults: --list" in raised.value.hint
    assert check_parameters("a.ipynb", known, {"split": "2"}) == {"split": 2}
