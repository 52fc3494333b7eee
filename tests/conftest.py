"""What several test folders share."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import NoChromiumError, launched
from clips import write_dataset
from hypothesis import settings

from rstan_lite.system.threads import prepare

# no deadline for an example: the machine may be busy, and no test here is about time
settings.register_profile("project", deadline=None, max_examples=50)
settings.load_profile("project")

CACHE = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """One thread, as the commands have it, and one cache for all processes of the test run."""
    prepare()  # torch is not loaded yet
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    config.stash[CACHE] = os.environ["RSTAN_CACHE"] = tempfile.mkdtemp(prefix="rstan cache ")
    if any(name.endswith(".ipynb") for name in config.args):
        subprocess.run([sys.executable, Path(__file__).with_name("lesson_features.py")], check=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    if CACHE in config.stash:
        shutil.rmtree(config.stash[CACHE], ignore_errors=True)


@pytest.fixture
def signals():
    """Ctrl-C as Python handles it, here and in processes that are started: a runner may ignore it.

    Checks that what is tested leaves the handlers as they were.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def refused(capsys):
    """A function: a command line ends with exit code 2, and its complaint has these words."""

    def check(line, *words):
        from rstan_lite.cli import main

        assert main(line) == 2
        said = capsys.readouterr().err
        assert "error: " in said
        assert not [word for word in words if word not in said], said
        return said

    return check


@pytest.fixture(scope="session")
def small_root(tmp_path_factory):
    """A data set in JHMDB's layout: 18 clips of 3 classes. Not to be changed by a test."""
    return write_dataset(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A Chromium without a window; the tests are skipped where there is none."""
    try:
        with launched() as browser:
            yield browser
    except NoChromiumError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def real_jhmdb():
    """The folder of the real JHMDB; the test is skipped where RSTAN_JHMDB does not name one."""
    root = os.environ.get("RSTAN_JHMDB")
    if not root:
        pytest.skip("RSTAN_JHMDB names no folder with the real clips")
    return Path(root)


@pytest.fixture(scope="session")
def imagenet_squeezenet():
    """The file of ImageNet weights; the test is skipped where RSTAN_SQUEEZENET names none."""
    path = os.environ.get("RSTAN_SQUEEZENET")
    if not path:
        pytest.skip("RSTAN_SQUEEZENET names no file of ImageNet weights for SqueezeNet 1.0")
    return Path(path)
