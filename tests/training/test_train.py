"""The run folder: what it holds, that it goes on, and that it refuses another run's settings."""

import csv
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_runs import content
from training.synthetic import SMALL, make_features, make_parts

from rstan_lite.lab.protocols import evaluate_run
from rstan_lite.lab.scores import read_predictions
from rstan_lite.model import rstan
from rstan_lite.system.errors import CheckpointError, ConfigError
from rstan_lite.training import run_folder as runs
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import load_model, read_log
from rstan_lite.training.train import train

OPTIONS = {**SMALL, "iterations": 40, "d_h": 16, "d_att": 8}
CONFIG = resolve("tiny", OPTIONS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    parts = replace(make_parts(), missing=("x (1)", "y!"))
    return out, train(CONFIG, out, parts, progress=False)


def test_metrics_hold_what_a_reader_looks_for(finished):
    out, metrics = finished
    assert content(out / "metrics.json") == metrics
    assert metrics["n_test"] == 32
    assert set(metrics["per_class"]) == set("abcd")
    assert metrics["missing_clips"] == ["x (1)", "y!"]
    assert metrics["silhouette_area"] == pytest.approx(1 / 9)
    assert metrics["attention_on_silhouette"] > metrics["silhouette_area"]
    assert metrics["seconds"] > 0
    assert metrics["peak_memory"] > 100  # MiB: torch alone takes more
    assert metrics["seed"] == 0
    assert metrics["versions"]["torch"] == torch.__version__.split("+")[0]


@pytest.mark.parametrize("equation", ["location_scores", "frame_scores"])
def test_what_is_written_is_what_trains(equation: str, tmp_path, monkeypatch):
    """Somebody who changes an equation of `rstan.py` sees other numbers in the next training."""
    config = replace(CONFIG, iterations=4)
    assert config.recurrence == "plain"
    before = train(config, tmp_path / "before", make_parts(), progress=False)
    assert before["recurrence"] == "plain (as asked)"
    written = getattr(rstan, equation)
    monkeypatch.setattr(rstan, equation, lambda *given: 3 * written(*given))
    train(config, tmp_path / "after", make_parts(), progress=False)
    losses = [read_log(tmp_path / name / "log.csv")[-1].main_loss for name in ("before", "after")]
    assert losses[0] != losses[1]


def test_predictions_are_plain_arrays_that_give_the_accuracy(finished):
    out, metrics = finished
    with np.load(out / "predictions.npz", allow_pickle=False) as file:
        assert set(file.files) == {"names", "labels", "scores", "classes"}
        names, labels, scores = file["names"], file["labels"], file["scores"]
        assert file["classes"].tolist() == list("abcd")
    assert names.tolist() == list(make_parts().test.names)
    assert np.allclose(scores.sum(1), 1, atol=1e-5)
    assert (scores.argmax(1) == labels).mean() == pytest.approx(metrics["test_accuracy"])
    assert len(read_predictions(out / "predictions_validation.npz").names) == 24


def test_confusion_matrix_counts_the_test_clips(finished):
    out, metrics = finished
    with (out / "confusion.csv").open() as file:
        rows = list(csv.reader(file))
    counts = np.array([row[1:] for row in rows[1:]], dtype=int)
    assert rows[0][1:] == [row[0] for row in rows[1:]] == list("abcd")
    assert counts.sum() == 32
    assert counts.trace() / 32 == pytest.approx(metrics["test_accuracy"])


def test_the_log_has_a_row_an_epoch(finished):
    out, metrics = finished
    log = read_log(out / "log.csv")
    assert [row.epoch for row in log] == list(range(1, metrics["epochs"] + 1))
    assert log[-1].iteration == 40
    assert log[metrics["best_epoch"] - 1].validation_accuracy == metrics["validation_accuracy"]


def test_the_saved_model_gives_the_saved_predictions(finished):
    out, metrics = finished
    model, description = load_model(out)
    assert set(load_file(out / "checkpoint.safetensors")) == set(model.state_dict())
    assert description.best_epoch == metrics["best_epoch"]
    again, path = evaluate_run(out, features=make_parts().test, device="cpu")
    assert again["test_accuracy"] == metrics["test_accuracy"]
    first, second = (
        read_predictions(out / "predictions.npz"),
        read_predictions(path.with_suffix(".npz")),
    )
    assert np.array_equal(first.scores, second.scores)


def test_evaluation_with_other_frames_and_parts(finished):
    out, metrics = finished
    found, path = evaluate_run(out, "validation", features=make_parts().validation, device="cpu")
    assert found["validation_accuracy"] == metrics["validation_accuracy"]
    assert path.name == "evaluation-validation-4.json"
    found, _ = evaluate_run(out, frames=2, features=make_parts().test, device="cpu")
    assert found["frames"] == 2
    for options, words in (
        ({"frames": 9}, "at most the 4 stored"),
        ({"frames": 0}, "1 or more"),
        ({"part": "train"}, "test, validation"),
    ):
        with pytest.raises(ConfigError, match=words):
            evaluate_run(out, features=make_parts().test, device="cpu", **options)
    with pytest.raises(ConfigError, match="classes"):
        evaluate_run(out, features=make_features(4, classes=3), device="cpu")


def test_a_finished_run_only_reports(finished):
    out, metrics = finished
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert train(CONFIG, out, progress=False) == metrics  # no parts: nothing is read
    assert before == {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert not (out / "resume.pt").exists()


def test_another_configuration_is_refused_naming_what_differs(finished):
    other = resolve("tiny", {**OPTIONS, "seed": 3, "lambda_aa": 1.0})
    with pytest.raises(ConfigError, match=r"lambda_aa 0\.5, seed 0.*lambda_aa 1\.0, seed 3"):
        train(other, finished[0], make_parts(), progress=False)


def test_a_folder_in_which_nothing_was_saved_can_be_begun_anew(tmp_path):
    runs.write_config(tmp_path, CONFIG)
    other = resolve("tiny", {**OPTIONS, "iterations": 2})
    assert train(other, tmp_path, make_parts(16, 8, 8), progress=False)["iterations"] == 2
    (tmp_path / "config.json").unlink()
    with pytest.raises(ConfigError, match="results without"):
        runs.check(tmp_path, other)


def test_other_clips_are_not_continued(tmp_path):
    train(CONFIG, tmp_path, make_parts(), progress=False, stop_after=1)
    with pytest.raises(CheckpointError, match="other clips"):
        train(CONFIG, tmp_path, make_parts(train=56), progress=False)


def test_another_equation_is_not_continued(tmp_path, monkeypatch):
    """A run begun with a function of the user's must not end with the network's own."""
    written = rstan.frame_scores
    monkeypatch.setattr(rstan, "frame_scores", lambda *given: 3 * written(*given))
    train(CONFIG, tmp_path, make_parts(), progress=False, stop_after=1)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="other clips or settings"):
        train(CONFIG, tmp_path, make_parts(), progress=False)


def test_damaged_runs_are_named(finished, tmp_path):
    with pytest.raises(CheckpointError, match="finished run"):
        load_model(tmp_path / "none")
    out = shutil.copytree(finished[0], tmp_path / "damaged")
    for name, raw, read in (
        ("checkpoint.safetensors", b"\x08" + bytes(60), load_model),
        ("checkpoint.json", b'{"model": {}}', load_model),
        ("predictions.npz", (out / "predictions.npz").read_bytes()[:300],
         lambda run: read_predictions(run / "predictions.npz")),
        ("metrics.json", b"[", runs.read_metrics),
        ("log.csv", b"epoch,what\n1,2\n", lambda run: read_log(run / "log.csv")),
    ):  # fmt: skip
        (out / name).write_bytes(raw)
        with pytest.raises(CheckpointError, match=re.escape(name)):
            read(out)
