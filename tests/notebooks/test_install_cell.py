"""The first cell of each notebook: nothing where the package is, pip where it is not."""

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOK = nbformat.read(FOLDER / "00_tour.ipynb", as_version=4)
(CELL,) = (cell.source for cell in NOTEBOOK.cells if cell.id == "install")


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
