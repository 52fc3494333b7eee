"""Hostile input: every case ends in success or in a complaint of the package's own.

So does any text or value that Hypothesis hands to the parsers.
The cases made by hand all run here, and some of the drawn ones; `make fuzz` runs the others.
"""

import json
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rstan_lite.data.splits import read_split
from rstan_lite.lab.scores import read_scores, write_csv
from rstan_lite.system.errors import ConfigError
from rstan_lite.training.config import TrainConfig, from_mapping, read_config
from rstan_lite.training.run_folder import Predictions
from tests.fetch.made import has_tool
from tests.hostile import worker
from tests.hostile.entries import ENTRIES, build
from tests.hostile.special import CANARY, Bomb

DRAWN = 40
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc are Linux's")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "world"
    folder.mkdir()
    build(folder)
    return folder


@needs_linux
def test_a_hang_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.hostile.worker.WALL", 0.2)  # shorter than the start takes
    (lost,) = worker.run_cases(tmp_path / "no such world", ["config: text"])
    assert "a hang" in lost["finding"]


@needs_linux
def test_cases_made_by_hand_and_some_drawn_ones(world):
    answers = list(worker.run_cases(world, [*worker.cases(), *range(DRAWN)]))
    assert not [answer for answer in answers if answer["finding"]], worker.report(answers, 0)
    refused = {answer["entry"] for answer in answers if answer["outcome"].endswith("Error")}
    assert refused == set(ENTRIES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=has_tool if name == "rar" else ()) for name in ENTRIES]
)
@pytest.mark.filterwarnings("ignore")  # small lists of clips are said to be a part
def test_good_files_pass(world, name):
    """Each entry takes its undamaged file: the suite would prove nothing if all were refused."""
    entry, folder = ENTRIES[name], world.parent / "case"
    shutil.rmtree(folder, ignore_errors=True)
    file = worker._tree(entry, world, folder)
    (good,) = (world / entry.tree).glob(entry.good)
    shutil.copy(good, file)
    entry.call(folder, file)


@pytest.mark.parametrize(
    ("call", "finding"),
    [
        (lambda case, file: 1 / 0, "ZeroDivisionError"),
        (lambda case, file: (case.parent / "out").write_bytes(b"x"), "written outside"),
        (lambda case, file: (case / ".x.part").write_bytes(b"x"), "left behind"),
        (lambda case, file: os.system(Bomb(file).__reduce__()[1][0]), "code of the file was run"),
    ],
)
def test_the_suite_sees_what_is_wrong(world, monkeypatch, call, finding):
    monkeypatch.setitem(ENTRIES, "config", replace(ENTRIES["config"], call=call))
    monkeypatch.chdir(world)  # the bomb that goes off also marks the folder above
    assert finding in worker.run("config: text", world)["finding"]
    (world.parent / "out").unlink(missing_ok=True)
    assert not (world.parent / CANARY).exists()


here = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
texts = st.text(st.characters(codec="utf-8"), max_size=30)
names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@here
@given(st.dictionaries(names.filter(lambda n: len(n.encode()) < 99), st.integers(0, 2), min_size=1))
def test_split_lists_come_back(tmp_path: Path, parts: dict[str, int]) -> None:
    kept = {k: v for k, v in parts.items() if not set(k) & set("/\\") and k not in (".", "..")}
    if kept:
        path = tmp_path / "list.txt"
        path.write_bytes("".join(f"{k}.avi {v}\n" for k, v in kept.items()).encode())
        assert read_split(path) == kept


@here
@given(st.sampled_from([*vars(TrainConfig())]), values)
def test_options_of_any_value(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({name: value}), encoding="utf-8")
    with suppress(ConfigError):
        config = read_config(path)
        assert from_mapping(json.loads(json.dumps(asdict(config)))) == config


@here
@given(
    st.lists(names.filter(lambda n: not set(n) & set("/\\")), min_size=1, max_size=4, unique=True),
    st.lists(names, min_size=1, max_size=3, unique=True),
    st.data(),
)
def test_csv_scores_come_back(tmp_path: Path, clips: list[str], classes: list[str], data) -> None:
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    rows = [[data.draw(finite) for _ in classes] for _ in clips]
    scores = np.array(rows, np.float32)
    path = tmp_path / "a.csv"
    labels = np.full(len(clips), -1)
    write_csv(path, Predictions(tuple(clips), labels, scores, tuple(classes)))
    found = read_scores(path)
    assert (found.names, found.classes) == (tuple(clips), tuple(classes))
    np.testing.assert_array_equal(found.scores, scores)
