"""Generated clips and random networks, made once for the tests of trainings."""

from pathlib import Path

import pytest
from small_runs import CLASSES, write_networks

from rstan_lite.puppets import generate


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """A folder with clips and, so that nothing is trained here, random networks; tests add runs."""
    folder = tmp_path_factory.mktemp("place with a space")
    generate(folder / "clips", 4, CLASSES, workers=1, size=(120, 160), progress=False)
    write_networks(folder)
    return folder
