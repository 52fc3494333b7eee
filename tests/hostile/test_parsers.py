"""Hypothesis against the parsers: any text or value ends in a result or in the package's words."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rstan_lite.data.splits import read_split
from rstan_lite.lab.scores import read_scores, write_csv
from rstan_lite.system.errors import ConfigError
from rstan_lite.training.config import TrainConfig, from_mapping, read_config
from rstan_lite.training.run_folder import Predictions

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
        assert from_mapping(json.loads(config.to_json())) == config


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
