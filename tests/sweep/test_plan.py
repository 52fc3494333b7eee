"""What is refused before anything starts, and what each job is called and runs."""

import shlex
from pathlib import Path

import pytest

from rstan_lite.cli import build_parser, main
from rstan_lite.cli.training import from_arguments
from rstan_lite.lab.paper_rows import SHARPNESS
from rstan_lite.lab.sweep.sweep_plan import describe, job_name, plan, train_config
from rstan_lite.system.errors import ConfigError, NotebookError
from tests.classroom.made import write

CELL = "split: int = 1\nsizes: list[int] = [1]\nout: str = 'runs/n'"


@pytest.fixture
def notebook(tmp_path: Path) -> str:
    return str(write(tmp_path / "n.ipynb", "print(split)", parameters=CELL))


def test_a_grid_is_the_product_of_its_values(notebook: str, tmp_path: Path) -> None:
    jobs = plan(describe(notebook, ["split=1, 2", "sizes=[1,2],[3]"]), tmp_path)
    assert [job.parameters for job in jobs] == [
        {"split": split, "sizes": sizes} for split in (1, 2) for sizes in ([1, 2], [3])
    ]
    assert [job.name.rpartition("-")[0] for job in jobs] == [
        "split=1,sizes=1+2", "split=1,sizes=3", "split=2,sizes=1+2", "split=2,sizes=3",
    ]  # fmt: skip
    assert len({job.folder for job in jobs}) == 4
    assert all(Path(job.folder).parent == tmp_path for job in jobs)


def test_a_trains_command_is_its_configuration(tmp_path: Path) -> None:
    pairs = ["profile=tiny", "variant=lstm", "streams=[appearance],[appearance,motion]", "lr=1,0.5"]
    jobs = plan(describe("train", [*pairs, "renormalize=yes", "root=a b"], "3"), tmp_path)
    assert len(jobs) == 4
    parser, _ = build_parser()
    for job in jobs:
        words = shlex.split(job.command)
        assert words[0] == "rstan-lite"
        arguments = parser.parse_args(words[1:])
        assert from_arguments(arguments) == train_config(job.parameters)
        assert Path(arguments.out) == Path(job.folder)
    config = train_config(jobs[0].parameters)
    assert (config.streams, config.lr, config.seed, config.root) == (("appearance",), 1.0, 3, "a b")
    assert config.renormalize is True
    assert config.attention == "none"


@pytest.mark.parametrize(
    ("what", "pairs", "words"),
    [
        ("train", "sead=1", "Did you mean seed"),
        ("train", "seed=one", "a value of type int"),
        ("train", "renormalize=perhaps", "a value of type bool"),
        ("train", "variant=lstm fusion=max", "--attention"),
        ("train", "seed=0,0", "which are the same run"),
        ("train", "dropout=0.5,0.50", "which are the same run"),
        ("train", "cache=a,b", "which are the same run"),
        ("train", "seed=1 seed=2", "seed twice"),
        ("train", "seed", "NAME=V1,V2"),
        ("train", "=3", "NAME=V1,V2"),
        ("n.ipynb", "spilt=1", "unknown parameter spilt"),
        ("n.ipynb", "split=1,two", "split: found 'two'; expected a value of type int"),
        ("n.ipynb", "out=x", "a folder of its own"),
        ("n.ipynb", "split=2,02", "same run"),
        ("trian", "", "a notebook"),
    ],
)
def test_parameters_are_refused(what, pairs, words, notebook, tmp_path):
    with pytest.raises((ConfigError, NotebookError)) as raised:
        plan(describe(what.replace("n.ipynb", notebook), pairs.split()), tmp_path)
    assert words in str(raised.value)


def test_names_of_folders_hold_no_odd_letters() -> None:
    name = job_name({"root": "/a b/ü{}", "x": "y" * 300}, {"x": 1})
    assert len(name) < 120
    assert set("/ {}ü").isdisjoint(name)
    assert job_name({"x": "a/b"}, {"x": "a/b"}) != job_name({"x": "a_b"}, {"x": "a_b"})


def test_the_command_refuses_before_a_folder_is_made(
    notebook, tmp_path, monkeypatch, capsys, refused
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rstan_lite.lab.sweep.sweeping.ANSWER", 1)
    for words, said in (
        (["-p", "spilt=1"], "spilt"),
        (["--timeout", "soon"], "--timeout"),
        (["--memory", "0"], "--memory"),
        (["--threads", "0"], "--threads"),
        (["--workers", "0"], "workers"),
        (["--workers", "2", "--scheduler", "tcp://x"], "one of both"),
        (["--scheduler", "tcp://127.0.0.1:1"], "a running Dask scheduler"),
    ):
        refused(["sweep", notebook, "--out", "out", *words], said)
    assert not list(tmp_path.glob("out/*/"))
    assert main(["sweep", notebook, "-p", "split=1,2", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.count("rstan-lite run") == 2
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("given", [["dataset=jhmdb"], ["dataset=ucf101", "profile=paper"]])
def test_one_sharpness_of_fig_6_moves_while_the_other_is_1(given: list[str], tmp_path) -> None:
    jobs = plan(describe("ablations", [*given, "root=x"]), tmp_path)
    assert len(jobs) == 4 + 7 + 2 * len(SHARPNESS)
    moved = [job for job in jobs if "gamma" in job.name]
    found = [(c.gamma_alpha, c.gamma_beta) for c in (train_config(j.parameters) for j in moved)]
    assert found == [*((g, 1.0) for g in SHARPNESS), *((1.0, g) for g in SHARPNESS)]
