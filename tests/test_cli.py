"""The command line: light help, complaints without tracebacks, exit codes."""

import os
import re
import subprocess
import sys
from unittest.mock import Mock

import pytest
from measured import python

from rstan_lite import __version__, cli
from rstan_lite.system.errors import DataError
from rstan_lite.system.interruption import run_command
from tests.classroom.made import write

COMMANDS = (
    "doctor", "puppets", "tune", "extract", "train", "evaluate", "fuse", "predict", "idt", "ledger",
    "run", "tour", "lab", "copies", "assignments", "sweep", "bench",
)  # fmt: skip


def test_help_of_every_command_imports_neither_torch_nor_jupyter():
    code = (
        "import sys, rstan_lite.cli as cli\n"
        f"for command in {('', *COMMANDS)!r}:\n"
        "    try:\n"
        "        cli.main([*([command] if command else []), '--help'])\n"
        "    except SystemExit as end:\n"
        "        assert end.code == 0, command\n"
        "heavy = {'torch', 'torchvision', 'cv2', 'scipy', 'papermill', 'IPython', 'matplotlib',\n"
        "         'distributed', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr


def test_the_home_folders_sign_is_read_where_a_shell_leaves_it(tmp_path, monkeypatch, refused):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    said = f"{tmp_path / 'none.mp4'}: found no such file"
    refused(["predict", "~/none.mp4", "--run=~/run"], said)


def test_help_names_every_command(capsys):
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^    {command}\s", text, re.MULTILINE)


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_can_complete_commands_and_options(shell, capsys):
    pytest.importorskip("shtab")
    assert cli.main(["--completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in COMMANDS)
    assert "--lambda-aa" in script
    for values in (("tiny", "course", "paper"), ("current", "window"), ("puppets", "jhmdb")):
        assert " ".join(values) in script


@pytest.mark.skipif(os.name == "nt", reason="a pipe of a Windows console is closed otherwise")
def test_a_reader_who_has_seen_enough_is_no_error():
    for line in ("train --dry-run --profile tiny", "--help", "train --help"):
        command = f"set -o pipefail; '{sys.executable}' -m rstan_lite {line} | true"
        done = subprocess.run(["bash", "-c", command], capture_output=True, encoding="utf-8")
        assert done.stderr == "", line
        # argparse says nothing of a help that nobody reads, if Python writes without a buffer
        assert done.returncode == 128 + 13 or ("--help" in line and done.returncode == 0), line


def test_another_broken_pipe_is_an_error():
    def body() -> int:
        raise BrokenPipeError("of a worker")

    with pytest.raises(BrokenPipeError, match="of a worker"):
        run_command(body)


def test_a_complaint_is_one_line_and_exit_code_2_in_a_process_of_its_own():
    done = python("-m", "rstan_lite.cli", "train", "--profile", "corse")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: --profile: found 'corse'; expected one of tiny, course, paper. Did you mean course?"
    )


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["train", "--lamda-aa", "1"], ("the option --lamda-aa", "--lambda-aa", "Did you mean")),
        (["train", "--dataset", "kinetics"], ("puppets, jhmdb",)),
        (["train", "--dataset", "jhmdb"], ("--root", "nothing", "--dataset puppets")),
        (["train", "--dataset", "jhmdb", "--root", "no such folder"], ("no such folder",)),
        (["train", "--streams", "sound"], ("appearance, motion",)),
        (["--versoin"], ("the option --versoin", "Did you mean --version")),
        (["trian"], ("COMMAND: found 'trian'", "Did you mean train")),
        (["puppets", "p", "--classes", "golf", "jump"], ("the word jump", "commas")),
        (
            ["tune", "--root=x", "--backbone=resnet18", "--weights=no.pth"],
            ("no.pth: found no",),
        ),
        (["tune", "--root=x", "--batch", "0"], ("--batch: found 0",)),
        (["tune", "--root=x", "--epochs", "0"], ("--epochs: found 0",)),
        (["tune", "--root=x", "--seed=-1"], ("--seed: found -1",)),
        (["tune", "--root=x", "--workers=-1"], ("--workers: found -1",)),
        (["idt", "--root=x", "--workers=-1"], ("--workers: found -1",)),
        (["predict", "no such video", "--run", "no such run"], ("no such video",)),
        (["evaluate", "no such run"], ("no such run",)),
        (["evaluate", "no such run", "--part", "train"], ("test, validation",)),
        (["fuse", "one", "--out", "x"], ("two runs or more",)),
        (["fuse", "one", "two", "--out", "x"], ("one", "finished run")),
        (["predict", "v.avi", "--run", "r", "--top", "0"], ("--top",)),
        (["puppets", "p", "--clips-per-class", "0"], ("found 0",)),
        (["puppets", "p", "--classes", "fly"], ("fly",)),
    ],
)
def test_complaints_name_what_is_wrong(argv, words, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(argv, *words).startswith("error: ")


def test_a_cache_that_can_not_be_written_says_how_to_choose_another(refused, tmp_path, monkeypatch):
    (tmp_path / "home").write_text("", encoding="utf-8")
    monkeypatch.setenv("RSTAN_CACHE", str(tmp_path / "home" / "cache"))
    line = ["train", "--profile", "tiny", "--device", "cpu", "--out", str(tmp_path / "run")]
    refused(line, "home", "Choose another folder with --cache DIR, or with RSTAN_CACHE.")


def test_an_absent_gpu_is_a_complaint(refused, tmp_path, monkeypatch):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.chdir(tmp_path)
    refused(["train", "--device", "cuda", "--out", "run"], "--device cuda")
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_how_a_command_ends(capsys, monkeypatch):
    """Ctrl-C says how to go on, the package's errors are shown as they are, others not hidden."""
    complaint = "clip.avi: found 0 frames; expected at least one. Copy it again."
    error = DataError("clip.avi", "0 frames", "at least one", "Copy it again.")

    ends = Mock(side_effect=[KeyboardInterrupt(), error, ZeroDivisionError()])
    monkeypatch.setattr("rstan_lite.cli.testing._evaluate", ends)
    assert cli.main(["evaluate", "run"]) == 130
    assert "run the same command again" in capsys.readouterr().err
    assert cli.main(["evaluate", "run"]) == 2
    assert capsys.readouterr().err == f"error: {complaint}\n"
    with pytest.raises(ZeroDivisionError):
        cli.main(["evaluate", "run"])


def test_a_name_that_the_output_cannot_show_is_printed_all_the_same(tmp_path):
    notebook = write(tmp_path / "\u65e5\u672c.ipynb")
    how = {"env": os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}, "cwd": tmp_path}
    words = ["-m", "rstan_lite", "copies", "teacher", "out", notebook.name]
    done = python(*words, **how, encoding="cp1252")
    assert done.returncode == 0, done.stderr
    assert r"\u65e5\u672c.ipynb" in done.stdout
    assert (tmp_path / "out" / notebook.name).is_file()


def test_a_split_without_test_clips_is_said(capsys):
    from rstan_lite.cli.training import report

    report({"test_accuracy": None, "n_test": 0, "validation_accuracy": None, "n_validation": 0})
    assert capsys.readouterr().out == "no clip was tested: the split names none\n"
    report({"test_accuracy": 0.5, "n_test": 2})
    assert "no clip" not in capsys.readouterr().out
