"""One JupyterLab for all tests of widgets."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.lab import Lab, running


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Lab]:
    """A running JupyterLab, where there is a Chromium to look at it."""
    with running(tmp_path_factory.mktemp("lab")) as made:
        yield made
