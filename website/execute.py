"""Execute the notebooks as `rstan-lite run` does, each again only where it or the package changed.

The executed copies are products of the build: the notebooks themselves stay without outputs.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path

import rstan_lite
from rstan_lite.classroom import run_notebook


def execute(notebooks: Sequence[Path], work: Path) -> list[Path]:
    """Execute notebooks in the folder work and return their executed copies, in the same order.

    Parameters keep their defaults. A copy whose notebook and package are those of the run before is
    taken as it is. Raises NotebookError where a cell fails.
    """
    executed = work.resolve() / "executed"
    executed.mkdir(parents=True, exist_ok=True)
    package = package_hash(Path(rstan_lite.__file__).parent)
    done = []
    for notebook in notebooks:
        output, stamp = executed / notebook.name, executed / f"{notebook.stem}.json"
        of_notebook = hashlib.sha256(notebook.read_bytes()).hexdigest()
        now = {"notebook": of_notebook, "package": package}
        if (
            output.exists()
            and stamp.exists()
            and json.loads(stamp.read_text(encoding="utf-8")) == now
        ):
            print(f"{notebook.name}: as before")
        else:
            stamp.unlink(missing_ok=True)
            start, whole = time.monotonic(), notebook.resolve()
            with contextlib.chdir(work):  # where the notebook's own relative folders are made
                run_notebook(whole, None, output, html=False)
            stamp.write_text(json.dumps(now), encoding="utf-8")
            print(f"{notebook.name}: executed in {time.monotonic() - start:.0f} s", flush=True)
        done.append(output)
    return done


def package_hash(folder: Path) -> str:
    """A hash of what a package's modules do: comments and docstrings change no output."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".py":
            total.update(f"{path.relative_to(folder)} {_without_docstrings(path)}".encode())
        elif path.suffix in {".safetensors", ".json", ".csv", ".toml", ".j2", ".mplstyle"}:
            total.update(path.read_bytes())
    return total.hexdigest()


def _without_docstrings(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            del body[0]
    return ast.dump(tree)
