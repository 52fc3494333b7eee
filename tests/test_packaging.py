"""Requirements, versions and imports agree with each other; the package stays light."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from rstan_lite import __version__
from rstan_lite.system import machine

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

FOLDERS = ("rstan_lite", "tests", "notebooks", "data_scripts", "benchmarks", "website")
# Distributions whose module has another name.
MODULES = machine.MODULES | {"pyyaml": "yaml", "scikit-image": "skimage"}
# Modules that come with a distribution named in the requirements.
COMPANIONS = {
    "IPython": "ipykernel",
    "dask": "distributed",
    "docutils": "sphinx",
    "huggingface_hub": "timm",
    "jinja2": "nbconvert",
    "jupyter_client": "ipykernel",
}


def requirements(*extras: str) -> set[Requirement]:
    lines = [PROJECT["dependencies"], *map(EXTRAS.get, extras)]
    return {Requirement(line) for part in lines for line in part}


def names(*extras: str) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements(*extras)}


def code(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def of_its_own(script: Path) -> set[Requirement]:
    """What a script names for an environment of its own (PEP 723); empty for any other file."""
    text = script.read_text(encoding="utf-8")
    found = re.match(r"# /// script\n((?:#.*\n)+?)# ///\n", text)
    if found is None:
        return set()
    block = tomllib.loads("\n".join(line[2:] for line in found[1].splitlines()))
    return {Requirement(line) for line in block["dependencies"]}


def imported(source: str) -> set[str]:
    """Top-level names of all modules that a piece of Python imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("importorskip"):
            found.add(ast.literal_eval(node.args[0]).partition(".")[0])
    return found


def notebook_imports() -> set[str]:
    found: set[str] = set()
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                lines = "".join(cell["source"]).splitlines()
                found |= imported("\n".join(x for x in lines if not x.startswith(("%", "!"))))
    return found


@cache
def imports(*folders: str) -> set[str]:
    """Third-party modules that the code in some folders imports."""
    found = {
        name
        for folder in folders
        for p in code(folder)
        for name in imported(p.read_text(encoding="utf-8"))
    }
    if "notebooks" in folders:
        found |= notebook_imports()
    own = {"rstan_lite", "data_scripts", "tests", "website", *(p.stem for p in code("tests"))}
    own |= {p.parent.name for p in code("tests")}
    own |= {"my_rstan"}  # the file that readers of the lessons write
    return found - set(sys.stdlib_module_names) - own


def module(distribution: str) -> str:
    return MODULES.get(distribution, distribution.replace("-", "_"))


def test_environment_file_lists_the_same_requirements() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    assert "pip" in conda
    python = next(line for line in conda if line.startswith("python>"))
    assert python.removeprefix("python") == PROJECT["requires-python"]
    *listed, project = pip["pip"]
    assert project == "--editable ."
    assert {Requirement(line) for line in listed} == requirements(*EXTRAS)
    assert len(listed) == len(requirements(*EXTRAS))


def test_ranges_are_permissive_and_have_a_floor() -> None:
    for requirement in requirements(*EXTRAS):
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators == {">="}, requirement


def test_base_requirements_are_used_by_the_package_itself() -> None:
    assert not {name for name in names() if module(name) not in imports("rstan_lite")}


def test_every_third_party_import_is_declared() -> None:
    declared = {module(name) for name in names(*EXTRAS)}
    declared |= {module(one.name) for path in code("data_scripts") for one in of_its_own(path)}
    for name in imports(*FOLDERS):
        assert name in declared or COMPANIONS.get(name) in names(*EXTRAS), name


def test_doctor_knows_the_requirements(monkeypatch: pytest.MonkeyPatch) -> None:
    # as an installation of this very state says them
    monkeypatch.setattr(metadata, "requires", lambda name: PROJECT["dependencies"])
    assert set(machine.libraries()) == names() - {"torch", "torchvision"}
    notebooks = {canonicalize_name(Requirement(line).name) for line in EXTRAS["notebooks"]}
    assert set(machine.JUPYTER) <= notebooks


def test_versions_file_fits_the_requirements() -> None:
    lines = (ROOT / "versions.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    pinned: dict[str, Version] = {}
    for line in lines:
        if line and not line.startswith("#"):
            found = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line)
            assert found, line
            pinned[canonicalize_name(found[1])] = Version(found[2])
    for requirement in requirements(*EXTRAS):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_versions_agree() -> None:
    assert PROJECT["version"] == __version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == __version__
    assert f"[{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.registry
@pytest.mark.skipif(not os.environ.get("RSTAN_REGISTRY"), reason="RSTAN_REGISTRY is not set")
@pytest.mark.parametrize("platform", ["linux", "windows", "macos"])
@pytest.mark.parametrize("minor", range(11, 15))
def test_every_dependency_has_wheels(platform: str, minor: int, tmp_path: Path) -> None:
    """Each supported Python, on three systems; a maintainer asks:

    RSTAN_REGISTRY=1 .venv/bin/python -m pytest tests/test_packaging.py -k wheels

    uv resolves the requirements of all extras without building anything. Python 3.15 is not
    supported: ONNX Runtime has no wheels for it.
    """
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    words = [
        uv, "pip", "compile", "pyproject.toml", "--all-extras", "--quiet", "--no-header",
        "--only-binary", ":all:", "--python-platform", platform,
        "--python-version", f"3.{minor}", "--output-file", tmp_path / "found.txt",
    ]  # fmt: skip
    env = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}  # PyAV has no wheels for older ones
    done = subprocess.run(words, cwd=ROOT, capture_output=True, encoding="utf-8", env=env)
    assert done.returncode == 0, done.stderr
    assert "torch==" in (tmp_path / "found.txt").read_text(encoding="utf-8")
