"""Write what Sphinx reads: notebooks, documents, the table of equations, reference and ledger.

The folder mirrors the repository, so that links from file to file stay as they are.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image

from rstan_lite.classroom.page import WIDGET_NOTE, still
from rstan_lite.system.errors import DataError, NotebookError

_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# A path of this machine, as a word of its own; what it names is all that a reader needs of it.
_PATH = re.compile(r"(?<![^\s'\"=(])/(?!path/to/)(?:[\w.+-]+/)*([\w.+-]+)")


def anonymous(text: str, folder: Path | None = None) -> str:
    """Text in which a path of this machine is `/path/to/` what it names.

    folder: what lies in it keeps its path from there on; its own may hold spaces.
    """
    if folder is not None:
        text = text.replace(f"{folder.resolve()}/", "/path/to/")
    return _PATH.sub(r"/path/to/\1", text)


def write_notebook(executed: Path, place: Path, anchors: Sequence[str] = ()) -> None:
    """Write an executed notebook as a page can show it.

    anchors: ids of cells that other pages lead to. Raises NotebookError for one that is no cell,
    for a figure without a text alternative, and for a widget that a page could only leave a line
    for: `show.explore` has drawn its own beforehand. What cells wrote to stderr is printed, not
    shown.
    """
    node = nbformat.read(executed, as_version=4)
    missing = set(anchors) - {cell.id for cell in node.cells}
    if missing:
        raise NotebookError(executed, f"no cell {', '.join(sorted(missing))}", "cells by these ids")
    cells = []
    for cell in node.cells:
        if cell.id in anchors:
            target = f"({anchor(executed.stem, cell.id)})="
            cells.append(nbformat.v4.new_markdown_cell(target, id=f"to-{cell.id}"))
        if cell.cell_type == "code":
            _make_still(executed, cell)
        cells.append(cell)
    node.cells = cells
    node.metadata.pop("widgets", None)
    place.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(node, place)


def anchor(notebook: str, cell: str) -> str:
    """The name under which pages refer to a notebook's cell."""
    return f"{notebook}-{cell}"


def _make_still(executed: Path, cell: Any) -> None:
    """Outputs without kernel, errors' noise and this machine's paths; solutions folded."""
    outputs = []
    for output in cell.outputs:
        if output.get("name") == "stderr":
            said = output.text.strip()
            print(f"{executed.name}, cell {cell.id}, not shown: {said[-200:]}", file=sys.stderr)
        elif shown := still(output):
            outputs.append(shown)
            if WIDGET_NOTE in shown.get("data", {}).get("text/html", ""):
                where = f"{executed}, cell {cell.id}"
                raise NotebookError(where, "a widget that needs a kernel", "one drawn beforehand")
    cell.outputs, work = outputs, executed.parents[1]
    for output in outputs:
        if "text" in output:
            output.text = anonymous(output.text, work)
        data = output.get("data", {})
        for kind in {"text/plain", "text/html"} & set(data):
            if "data:" not in data[kind]:
                data[kind] = anonymous(data[kind], work)
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    alts = {output.metadata.get("image/png", {}).get("alt", "") for output in pictures}
    if "" in alts or len(alts) > 1:
        raise NotebookError(
            f"{executed}, cell {cell.id}",
            f"text alternatives {sorted(alts)}",
            "figures with one text alternative a cell",
        )
    shown = {"image": {"alt": alts.pop()}} if alts else {}
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        shown["code_prompt_show"] = "Solution" if "blank" in cell.metadata.tags else "Hidden cell"
        cell.metadata.tags = [*cell.metadata.get("tags", []), "hide-input"]
    if shown:
        cell.metadata["mystnb"] = shown


def write_documents(root: Path, names: Sequence[str], source: Path) -> None:
    """Copy documents of the repository, and the files beside them that anything links to."""
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, source / name)
    for page in [*source.rglob("*.md"), *source.rglob("*.ipynb")]:
        for link in _LINK.findall(page.read_text(encoding="utf-8")):
            there = (page.parent / link).resolve()
            if there.exists() or not there.is_relative_to(source.resolve()):
                continue
            original = root / there.relative_to(source.resolve())
            if original.is_file() and original.suffix not in {".md", ".ipynb"}:
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(original, there)


def write_equations(entries: Sequence[dict[str, Any]], place: Path) -> None:
    """Write the table that leads from each equation to its notebook, figure, reference and code."""
    lines = [
        "# Equations",
        "",
        "Each equation of the paper: where a notebook derives it by hand, the figure that shows "
        "it, and the function that every model calls, in the reference and as code. A test runs "
        "the notebook's function, the package's and plain loops side by side.",
        "",
        "| Eq. | what it says | derived | figure | function | code |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for entry in entries:
        book = entry["notebook"]
        home, name = _real(entry["package"])
        code = f"_modules/{home.replace('.', '/')}.html#{name}"
        lines.append(
            f"| {entry['equation']} | {entry['what']} "
            f"| {{ref}}`{book} <{anchor(book, entry['cell'])}>` "
            f"| {{ref}}`figure <{anchor(book, entry['figure'])}>` "
            f'| {{py:func}}`{name} <{home}.{name}>` | <a href="{code}">source</a> |'
        )
    place.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _real(path: str) -> tuple[str, str]:
    """The module that defines what `package.name` names, and its name there."""
    module, _, name = path.rpartition(".")
    it = getattr(import_module(module), name)
    return it.__module__, it.__qualname__


def write_reference(modules: Sequence[str], folder: Path) -> None:
    """Write a page for each module; a package's page also lists its modules."""
    folder.mkdir(parents=True, exist_ok=True)
    for module in modules:
        inside = [m for m in modules if m.rpartition(".")[0] == module]
        lines = [module, "=" * len(module), "", f".. automodule:: {module}", ""]
        (folder / f"{module}.rst").write_text(
            "\n".join(lines + list(_tree(inside))), encoding="utf-8"
        )
    tops = [m for m in modules if m.rpartition(".")[0] not in modules]
    lines = [
        "Reference", "=========", "", "Every public function and class, from its docstring. Their",
        "code is in `the modules themselves <../_modules/index.html>`__.", "",
    ]  # fmt: skip
    (folder / "index.rst").write_text("\n".join([*lines, *_tree(tops)]), encoding="utf-8")


def _tree(modules: Sequence[str]) -> Iterator[str]:
    """A menu of modules, by the last part of their names."""
    if modules:
        entries = (f"   {module.rpartition('.')[2]} <{module}>" for module in modules)
        yield from (".. toctree::", "   :maxdepth: 1", "", *entries, "")


def write_ledger(ledger: Path, source: Path) -> None:
    """Write the page of a folder that `rstan-lite ledger` wrote; DataError where it is none."""
    texts = [ledger / name for name in ("ledger.md", "pooled.md") if (ledger / name).is_file()]
    if len(texts) != 1:
        hint = "`rstan-lite ledger` makes one; LEDGER=FOLDER names it."
        found = " and ".join(path.name for path in texts) or "no ledger.md"
        raise DataError(ledger, found, "the folder of a ledger", hint)
    (text,) = texts
    head, _, rest = anonymous(text.read_text(encoding="utf-8")).partition("\n\n")
    (source / "ledger").mkdir(parents=True, exist_ok=True)
    shown = []
    for name in ("ledger.png", "claims.png"):
        if (ledger / name).exists():
            shutil.copyfile(ledger / name, source / "ledger" / name)
            with Image.open(ledger / name) as image:
                shown += [f"```{{image}} {name}", f":alt: {image.info['Description']}", "```", ""]
    files = sorted(path.name for path in ledger.glob("*.csv"))
    for name in files:
        (source / "ledger" / name).write_text(
            anonymous((ledger / name).read_text(encoding="utf-8")), encoding="utf-8"
        )
    as_files = ", ".join(f"{{download}}`{name}`" for name in files)
    page = "\n".join([head, "", *shown, rest, f"As files: {as_files}." if files else "", ""])
    (source / "ledger" / "index.md").write_text(page, encoding="utf-8")
