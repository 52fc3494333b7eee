"""The machine's Chromium without a window, for the tests that look at pages."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


class NoChromiumError(Exception):
    """There is none here; the words say what to install."""


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """A Chromium that is closed at the end; NoChromiumError where it or playwright is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoChromiumError("no playwright: pip install playwright") from None
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        path = next(filter(None, map(shutil.which, NAMES)), own)
        if not Path(path).exists():
            raise NoChromiumError(
                "no Chromium: install the system's package chromium, or run "
                "`python -m playwright install chromium`"
            )
        root = hasattr(os, "getuid") and os.getuid() == 0  # its sandbox refuses to run as root
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"] if root else []
        )
        try:
            yield browser
        finally:
            browser.close()
