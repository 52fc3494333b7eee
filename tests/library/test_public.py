"""The page of what is public: its names exist and are described, its examples give what it says."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).resolve().parents[2] / "docs" / "public.md"
TEXT = PAGE.read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`(rstan_lite\.[\w.]+)`", TEXT)) - {"rstan_lite.show"})


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_and_says_what_it_does(name):
    home, _, last = name.rpartition(".")
    try:
        found = getattr(import_module(home), last)
    except ModuleNotFoundError:  # `losses` is reached by a name of the package, as the page does
        package, _, module = home.rpartition(".")
        found = getattr(getattr(import_module(package), module), last)
    assert (found.__doc__ or "").strip()


def test_the_examples_give_what_the_page_says():
    plain = re.sub(r"^```.*$", "", TEXT, flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(plain, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 25
    torch.manual_seed(0)
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert said == []
