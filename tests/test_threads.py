"""Threads go by the size of the work and by what the user has set; no thread spins."""

import json
import os

import nbformat
import pytest
import torch
from measured import ROOT, python

from rstan_lite.system import threads

SEEN = """
import json, os, sys
from rstan_lite.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
import torch
print("seen", json.dumps([torch.get_num_threads(), os.environ["OMP_WAIT_POLICY"]]))
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing of threads."""
    for name in (*threads.NUMBERS, *threads.WAITING, threads.CHOSEN):
        monkeypatch.delenv(name, raising=False)


def test_an_environment_has_one_thread_that_does_not_spin() -> None:
    found = threads.environment({"PATH": "here"})
    numbers = dict.fromkeys(threads.NUMBERS, "1")
    assert found == {"PATH": "here", **numbers, threads.CHOSEN: "1", "OMP_WAIT_POLICY": "PASSIVE"}
    assert threads.environment({}, 3)["OMP_NUM_THREADS"] == "3"
    assert threads.environment(found, 3) == found  # a process that is started by one of ours


@pytest.mark.parametrize("name", threads.NUMBERS)
def test_the_users_number_stays(name: str, bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads.environment({name: "2"}) == {name: "2", "OMP_WAIT_POLICY": "PASSIVE"}
    before = torch.get_num_threads()
    monkeypatch.setenv(name, "2")
    with threads.for_work(threads.LARGE):
        assert torch.get_num_threads() == before


def test_a_lesson_prepares_a_kernel_that_no_command_started(bare: None) -> None:
    """As in VS Code, Colab or a JupyterLab of one's own: its first cell comes before torch."""
    notebook = nbformat.read(ROOT / "notebooks" / "03_lstm.ipynb", as_version=4)
    (cell,) = (cell.source for cell in notebook.cells if cell.id == "install")
    seen = "import os, torch\nprint(torch.get_num_threads(), os.environ['OMP_WAIT_POLICY'])"
    done = python("-c", f"{cell}\n{seen}")
    assert done.stdout.split() == ["1", "PASSIVE"], done.stderr


@pytest.mark.parametrize("name", threads.WAITING)
def test_the_users_way_to_wait_stays(name: str) -> None:
    assert {k for k in threads.WAITING if k in threads.environment({name: "1"})} == {name}


def test_larger_work_takes_a_thread_for_each_core(bare, monkeypatch):
    assert 1 <= threads.cores() <= (os.cpu_count() or 1)
    monkeypatch.setattr(threads, "cores", lambda: 4)
    before = torch.get_num_threads()
    for products, expected in ((0, 1), (threads.LARGE - 1, 1), (threads.LARGE, 4)):
        with threads.for_work(products):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == before


def test_a_command_prepares_before_torch_is_loaded() -> None:
    names = (*threads.NUMBERS, *threads.WAITING, threads.CHOSEN)
    environment = {name: value for name, value in os.environ.items() if name not in names}
    for more, expected in (({}, [1, "PASSIVE"]), ({"OMP_NUM_THREADS": "2"}, [2, "PASSIVE"])):
        done = python("-c", SEEN, "run", "--help", env=environment | more, cwd=ROOT)
        assert json.loads(done.stdout.rpartition("seen ")[2]) == expected, done.stderr
