"""equations.yml: each equation's cell, function, oracle, test and figure exist and agree.

A notebook's function is taken from its cell and run beside the package's function and the oracle's
loops on random inputs. So a notebook that drifts from the package fails here, and so does an entry
that points nowhere.
"""

import ast
import functools
import importlib
from pathlib import Path
from typing import Any

import equation_cases
import nbformat
import numpy as np
import oracle
import pytest
import torch
import yaml

ROOT = Path(__file__).parents[2]
FIELDS = ("equation", "what", "notebook", "cell", "by_hand", "package", "oracle", "test", "figure")
SEEDS = range(6)
ENTRIES: list[dict[str, Any]] = yaml.safe_load((ROOT / "equations.yml").read_text(encoding="utf-8"))
each = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.get("cell")))


@pytest.fixture(autouse=True)
def double_precision():
    """By-hand functions make tensors of the default type: enough digits to compare closely."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@functools.cache
def cells(notebook: str) -> dict[str, nbformat.NotebookNode]:
    content = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4)
    return {cell.id: cell for cell in content.cells}


def namespace(notebook: str, cell: str) -> dict[str, Any]:
    """What a notebook's by-hand cells define, up to one cell."""
    names: dict[str, Any] = {"torch": torch, "np": np}
    for id_, one in cells(notebook).items():
        if "by-hand" in one.metadata.get("tags", []):
            exec(compile(one.source, f"{notebook}, cell {id_}", "exec"), names)
        if id_ == cell:
            return names
    raise AssertionError(f"{notebook} has no cell {cell}")


def found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_every_equation_has_an_entry() -> None:
    assert sorted({entry["equation"] for entry in ENTRIES}) == list(range(1, 20))
    places = [(entry["notebook"], entry["cell"]) for entry in ENTRIES]
    assert len(set(places)) == len(places)


@each
def test_an_entry_points_at_what_there_is(entry: dict[str, Any]) -> None:
    assert tuple(entry) == FIELDS
    there = cells(entry["notebook"])
    cell = there[entry["cell"]]
    assert "by-hand" in cell.metadata.tags
    defined = [
        node.name for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef)
    ]
    assert entry["by_hand"] in defined
    assert f"Eq. {entry['equation']}" in cell.source
    tests = ast.parse((ROOT / "tests/model/test_equations.py").read_text(encoding="utf-8"))
    (test,) = (node for node in tests.body if getattr(node, "name", "") == entry["test"])
    assert entry["oracle"] in _reached(tests, test), "the test does not call this oracle function"
    assert "show.keep(" in there[entry["figure"]].source


def _reached(tree: ast.Module, test: ast.AST) -> set[str]:
    """Names in a test, and in the module's own helpers and constants that it leads to."""
    parts = {getattr(node, "name", ""): node for node in tree.body}
    parts |= {
        target.id: node
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    names, todo = set(), [test]
    while todo:
        for node in ast.walk(todo.pop()):
            name = getattr(node, "id", None) or getattr(node, "attr", None)
            if name and name not in names:
                names.add(name)
                todo += [parts[name]] if name in parts else []
    return names


@each
def test_notebook_package_and_oracle_agree(entry: dict[str, Any]) -> None:
    case = getattr(equation_cases, entry["cell"].replace("-", "").replace("ce", "_ce"))
    loops_of = equation_cases.on_arrays(getattr(oracle, entry["oracle"]))
    by_hand = namespace(entry["notebook"], entry["cell"])[entry["by_hand"]]
    for seed in SEEDS:
        found_ = case(by_hand, found(entry["package"]), loops_of, equation_cases.Draw(seed))
        mine, theirs, loops = (np.asarray(value, dtype=float) for value in found_)
        np.testing.assert_allclose(theirs, loops, rtol=1e-9, atol=1e-12, err_msg="package, oracle")
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12, err_msg="by hand, package")
        assert mine.shape == theirs.shape
