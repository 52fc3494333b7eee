"""What docs/security.md says of the code, held against the code."""

import ast
import re
from pathlib import Path

from data_scripts.fetch.sources import SOURCES
from rstan_lite.features import architectures

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("rstan_lite", "data_scripts", "benchmarks")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
UNSAFE = {"pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load", "pandas.read_pickle",
          "pd.read_pickle", "dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads",
          "marshal.loads", "marshal.load", "shelve.open", "torch.hub.load", "os.system", "os.popen",
          "eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "yaml.load",
          "yaml.unsafe_load", "yaml.full_load"}  # fmt: skip
SAFE_YAML = ("yaml.SafeLoader", "SafeLoader", "yaml.CSafeLoader")


def wrong(source: str) -> list[str]:
    """The calls in a piece of Python that run, or may run, what a data file says."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        said = f"line {node.lineno}: {name}"
        if name == "yaml.load" and given.get("Loader") in SAFE_YAML:
            continue
        if name in UNSAFE or given.get("allow_pickle", "False") != "False":
            found.append(said)
        if name == "torch.load" and given.get("weights_only") != "True":
            found.append(said)
        if given.get("shell", "False") != "False" or given.get("weights_only", "True") != "True":
            found.append(said)
    return found


def test_the_check_sees_what_is_unsafe_alone() -> None:
    for code in (
        "torch.load(f)", "torch.load(f, weights_only=False)", "np.load(f, allow_pickle=True)",
        "pickle.load(f)", "yaml.load(f)", "eval(x)", "subprocess.run(x, shell=True)",
    ):  # fmt: skip
        assert wrong(code), code
    for code in ("torch.load(f, weights_only=True)", "net.eval()", "yaml.safe_load(f)"):
        assert not wrong(code), code


def test_no_data_file_is_executed() -> None:
    assert len(FILES) > 100
    found = {path: wrong(path.read_text(encoding="utf-8")) for path in FILES}
    assert not {str(path.relative_to(ROOT)): lines for path, lines in found.items() if lines}


def test_jupyter_is_never_started_with_its_token_off() -> None:
    off = re.compile(r"token\s*=\s*(''|\"\"|$)|disable_check_xsrf|--NotebookApp|password\s*=\s*''")
    for path in [ROOT / "Makefile", ROOT / "README.md", ROOT / ".ci" / "run", *FILES]:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not ("jupyter" in line.lower() and off.search(line)), (path, line)
    browser = (ROOT / "tests" / "browser" / "lab.py").read_text(encoding="utf-8")
    assert re.search(r"token_(hex|urlsafe)\(", browser)  # tests start one: with a token of its own


def test_the_package_names_no_other_addresses_than_the_page() -> None:
    """Every host in the code is one that the page lists: a new one must be written there."""
    section = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    hosts = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                hosts |= set(re.findall(r"https?://([a-z0-9.-]+\.[a-z]+)", node.value))
    assert architectures.BNINCEPTION_URL.split("/")[2] in hosts
    assert {source.base.split("/")[2] for source in SOURCES.values()} <= hosts
    assert hosts - {host for host in hosts if host in section} == set()
