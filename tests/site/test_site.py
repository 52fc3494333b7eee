"""The site in a browser without internet: every page, every link, search and controls."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.site.conftest import Site
from tests.site.crawl import crawl


def test_every_page_and_link_holds(chromium, site):
    seen = crawl(chromium, site.out)
    assert not seen.wrong, str(seen)
