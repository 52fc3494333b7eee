"""Late fusion: clips are matched by name, and disagreements are named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rstan_lite.lab.late_fusion import fuse, save_fused
from rstan_lite.lab.scores import read_predictions
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.training import run_folder as runs
from rstan_lite.training.run_folder import Predictions, write_predictions

CLASSES = ("run", "walk")


def write(folder, scores, labels, names=("a", "b", "c", "d"), classes=CLASSES, part="test"):
    if part == "validation":  # clips of their own
        names = [f"held {name}" for name in names]
    found = np.array([[s, 1 - s] for s in scores], dtype=np.float32)
    predictions = Predictions(tuple(names), np.array(labels), found, classes)
    write_predictions(folder / runs.PREDICTIONS[part], predictions)
    return folder


def test_weights_are_chosen_on_validation_and_ties_go_to_equal_ones(tmp_path):
    labels = [0, 1, 0, 1]
    one = write(tmp_path / "one", [0.9, 0.1, 0.9, 0.1], labels)
    write(one, [0.7, 0.3, 0.7, 0.3], labels, part="validation")
    two = write(tmp_path / "two", [0.0, 0.0, 0.0, 0.0], labels)
    write(two, [0.0, 1.0, 0.0, 1.0], labels, part="validation")  # always wrong
    fused = fuse([one, two], "validation")
    # 0.7 w beats 0.5 only from w = 8/10 on; 0.8 is the least uneven of those
    assert fused.weights == (0.8, 0.2)
    same = write(tmp_path / "same", [0.9, 0.1, 0.9, 0.1], labels)
    write(same, [0.7, 0.3, 0.7, 0.3], labels, part="validation")
    assert fuse([one, same], "validation").weights == (0.5, 0.5)


def test_the_fused_result_is_written_like_a_runs(tmp_path):
    sources = [write(tmp_path / n, [0.9, 0.6, 0.4, 0.2], [0, 1, 0, 1]) for n in ("one", "two")]
    metrics = save_fused(tmp_path / "out", fuse(sources), sources, "equal")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == metrics
    assert metrics["test_accuracy"] == 0.5
    assert metrics["per_class"] == {"run": 0.5, "walk": 0.5}
    assert len(read_predictions(tmp_path / "out" / "predictions.npz").names) == 4


def test_differing_clips_labels_and_classes_are_named(tmp_path):
    one = write(tmp_path / "one", [0.9] * 4, [0, 1, 0, 1])
    cases = {
        "clips": ({"names": ("a", "b", "c", "e")}, "without d, with e"),
        "classes": ({"classes": ("run", "sit")}, "sit"),
        "twice": ({"names": ("a", "b", "c", "c")}, "the clip c twice"),
    }
    for name, (options, words) in cases.items():
        with pytest.raises(CheckpointError, match=words):
            fuse([one, write(tmp_path / name, [0.9] * 4, [0, 1, 0, 1], **options)])
    with pytest.raises(CheckpointError, match="another label of b"):
        fuse([one, write(tmp_path / "labels", [0.9] * 4, [0, 0, 0, 1])])
    with pytest.raises(CheckpointError, match="finished run"):
        fuse([one, tmp_path / "absent"])


def test_bad_requests_are_named(tmp_path):
    one = write(tmp_path / "one", [0.9] * 4, [0, 1, 0, 1])
    write(one, [0.9] * 4, [0, 1, 0, 1], part="validation")
    file = one / runs.PREDICTIONS["test"]
    for sources, how, words in (
        ([one], "equal", "two runs"),
        ([one, one], "best", "equal, validation"),
        ([one, file], [0.7], "2 numbers"),
        ([one, file], [0.7, -0.3], "2 numbers"),
        ([one, file], [0.0, 0.0], "not all 0"),
        ([one, file], [0.7, float("nan")], "0.7 nan"),
        ([one, file.with_suffix(".txt")], "equal", r"\.csv"),
        ([one] * 7, "validation", "at most 6"),
    ):
        with pytest.raises(ConfigError, match=words):
            fuse(sources, how)
    for options, words in (({"scores": "log"}, "standardise"), ({"clips": "all"}, "same, common")):
        with pytest.raises(ConfigError, match=words):
            fuse([one, file], **options)
