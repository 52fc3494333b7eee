"""A small notebook with an exercise, made on the spot, for the tests of copies and assignments."""

from __future__ import annotations

import json
from pathlib import Path

BLANK = """def twice(x):
    # x: a number
    ### BEGIN SOLUTION
    y = x + x
    return y
    ### END SOLUTION"""


def code(source: str, id_: str, *tags: str, hidden: bool = False, **more) -> dict:
    metadata = {"tags": list(tags)} | ({"jupyter": {"source_hidden": True}} if hidden else {})
    cell = {"cell_type": "code", "id": id_, "metadata": metadata, "source": source}
    return cell | {"outputs": [], "execution_count": None} | more


def write(path: Path, content: list[dict]) -> Path:
    notebook = {"cells": content, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def source(cell: dict) -> str:
    return "".join(cell["source"])
