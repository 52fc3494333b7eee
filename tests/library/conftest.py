"""One small finished run, on three classes of clips in a folder."""

from pathlib import Path

import pytest
from clips import STEPS, clip_arrays, write_avi
from small_runs import train_command, write_networks

from rstan_lite.cli.main import main


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """`clips`, the networks' files, and the finished run `run`. Not to be changed by a test."""
    folder = tmp_path_factory.mktemp("library")
    for action in STEPS:
        for i in range(4):
            write_avi(folder / "clips" / action / f"{action}{i}.avi", clip_arrays(action, i, 9)[0])
    write_networks(folder)
    assert main(train_command(folder, "run", dataset="folder")) == 0
    return folder
