"""A second data set beside the first: batches, losses, run folder, resuming, testing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import content
from training.synthetic import SMALL, make_features, make_parts

from rstan_lite.features.pipeline import ClipFeatures
from rstan_lite.lab.protocols import evaluate_run
from rstan_lite.lab.scores import read_predictions
from rstan_lite.system.errors import CheckpointError, ConfigError, DataError
from rstan_lite.training.batches import endless_rows, training_batch
from rstan_lite.training.config import read_config
from rstan_lite.training.evaluation import evaluate
from rstan_lite.training.loop import Task, fit, losses_of, train_step
from rstan_lite.training.parts import Parts, second_config
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import load_model, read_log
from rstan_lite.training.train import build_model, train

OPTIONS = {**SMALL, "iterations": 60, "batch_size": 8}
OPTIONS |= {"second_dataset": "jhmdb", "second_root": "elsewhere"}
CONFIG = resolve("tiny", OPTIONS)


def without_silhouettes(n: int = 36) -> ClipFeatures:
    """Three classes under names of the first data set's four, six frames a clip, no silhouette."""
    features = make_features(n, classes=3, stored=6, seed=5)
    return replace(features, target=torch.zeros_like(features.target))


def parts() -> Parts:
    return replace(make_parts(), second=without_silhouettes(), second_missing=("gone",))


@pytest.mark.parametrize(("n", "batch"), [(10, 4), (7, 7), (3, 8), (9, 1), (23, 16)])
def test_the_second_data_sets_clips_come_equally_often(n: int, batch: int):
    counts = np.zeros(n, int)
    for iteration in range(20):
        rows = endless_rows(n, batch, 0, iteration)
        assert len(rows) == min(n, batch)
        np.add.at(counts, rows.numpy(), 1)
        assert counts.max() - counts.min() <= 1
    assert not torch.equal(endless_rows(50, 50, 0, 0), endless_rows(50, 50, 0, 1))
    assert torch.equal(endless_rows(n, batch, 4, 13), endless_rows(n, batch, 4, 13))


def gradient_of(model: torch.nn.Module) -> torch.Tensor:
    found = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return torch.cat(found)


def test_the_gradient_is_that_of_the_weighted_sum_with_silhouettes_of_the_first_alone():
    first, other = make_features(8, seed=1), make_features(8, classes=3, seed=2)
    model = build_model(CONFIG, first, other)
    tasks = [Task(first, "puppets", 8, lambda_aa=2.0), Task(other, "jhmdb", 8, 0.1)]
    rows = torch.arange(8)
    mixture = [(t, training_batch(t.features, rows, 3, 0, 0, "cpu")) for t in tasks]
    of_first, of_second = (losses_of(model, *one) for one in mixture)
    expected = of_first["main"] + 2.0 * of_first["actor"] + 0.1 * of_second["main"]
    expected.backward()
    wanted = gradient_of(model)
    losses, norm = train_step(model, torch.optim.SGD(model.parameters(), 0.0), mixture)
    torch.testing.assert_close(gradient_of(model), wanted)
    assert norm == pytest.approx(float(wanted.norm()), rel=1e-4)
    first_actor, second_actor = (loss["actor"] for loss in losses)
    assert second_actor == 0.0 < first_actor


def test_both_learn_and_only_the_first_is_validated():
    first, held_out, other = make_features(64, seed=1), make_features(32, seed=2), parts().second
    config = replace(CONFIG, iterations=100, milestone=60, second_weight=0.5)
    model = build_model(config, first, other)
    outcome = fit(
        model, first, held_out, config, second=Task(other, "jhmdb", 8, 0.5), progress=False
    )
    assert evaluate(model, held_out, "puppets", 4).accuracy > 0.9
    assert evaluate(model, other, "jhmdb", 4).accuracy > 0.8
    assert outcome.log[-1].second_accuracy > 0.7 > outcome.log[0].second_accuracy
    assert outcome.log[-1].second_loss < outcome.log[0].second_loss


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "both"
    return out, train(CONFIG, out, parts(), progress=False)


def test_the_run_records_what_the_second_data_set_was(finished):
    out, metrics = finished
    second = metrics["second"]
    log = read_log(out / "log.csv")
    assert (second["dataset"], second["split"], second["n_train"]) == ("jhmdb", 1, 36)
    assert (second["n_classes"], second["batch_size"], second["weight"]) == (3, 8, 0.1)
    assert second["missing_clips"] == ["gone"]
    assert second["train_loss"] == log[-1].second_loss
    assert second["train_accuracy"] == log[-1].second_accuracy
    assert all(0 <= row.second_accuracy <= 1 < row.second_loss for row in log[:2])
    assert metrics["n_test"] == 32
    assert set(metrics["per_class"]) == set("abcd")
    assert content(out / "metrics.json")["second"] == second
    whole = str(Path(CONFIG.second_root).absolute())
    assert read_config(out / "config.json") == replace(CONFIG, second_root=whole)


def test_a_run_of_one_data_set_says_so(tmp_path):
    config = replace(CONFIG, second_dataset="none", second_root="", iterations=4)
    assert train(config, tmp_path, make_parts(16, 8, 8), progress=False)["second"] is None
    assert read_log(tmp_path / "log.csv")[0].second_loss is None
    assert load_model(tmp_path)[1].second_head == ""
    with pytest.raises(ConfigError, match="--second-dataset: found none"):
        evaluate_run(tmp_path, second=True, device="cpu")


def test_a_stopped_run_goes_on_bit_for_bit(finished, tmp_path):
    out, metrics = finished
    for stop in (1, 4, None):
        found = train(CONFIG, tmp_path / "run", parts(), progress=False, stop_after=stop)
    for name in ("log.csv", "checkpoint.safetensors", "checkpoint.json", "predictions.npz"):
        assert (tmp_path / "run" / name).read_bytes() == (out / name).read_bytes(), name
    assert found["second"] == metrics["second"]


def test_the_first_head_predicts_and_the_second_is_tested_when_asked(finished):
    out, metrics = finished
    model, description = load_model(out)
    assert dict(model.config.heads) == {"puppets": 4, "jhmdb": 3}
    assert (description.head, description.classes) == ("puppets", tuple("abcd"))
    assert (description.second_head, description.second_classes) == ("jhmdb", tuple("abc"))
    found, path = evaluate_run(out, features=make_parts().test, device="cpu")
    assert found["test_accuracy"] == metrics["test_accuracy"]
    clips = make_features(12, classes=3, seed=9)
    found, path = evaluate_run(out, features=clips, device="cpu", second=True)
    assert (path.name, found["head"]) == ("evaluation-jhmdb-test-4.json", "jhmdb")
    assert read_predictions(path.with_suffix(".npz")).scores.shape == (12, 3)
    with pytest.raises(ConfigError, match="training part trains"):
        evaluate_run(out, "validation", device="cpu", second=True)
    with pytest.raises(ConfigError, match="classes"):
        evaluate_run(out, features=make_parts().test, device="cpu", second=True)


def test_other_second_clips_or_settings_are_not_continued(tmp_path):
    train(CONFIG, tmp_path, parts(), progress=False, stop_after=1)
    other = replace(parts(), second=without_silhouettes(30))
    with pytest.raises(CheckpointError, match="other clips"):
        train(CONFIG, tmp_path, other, progress=False)
    with pytest.raises(ConfigError, match=r"second_weight 0\.1.*second_weight 0\.5"):
        train(replace(CONFIG, second_weight=0.5), tmp_path, parts(), progress=False)


def test_what_does_not_fit_together_is_said(tmp_path):
    empty = replace(parts(), second=make_features(0, classes=3))
    with pytest.raises(DataError, match="training part of jhmdb: found no clips"):
        train(CONFIG, tmp_path / "c", empty, progress=False)
    broken = parts()
    broken.second.vectors["motion"][3] = np.nan
    with pytest.raises(DataError, match=r"clip 3 of 5 \(motion\)"):
        train(CONFIG, tmp_path / "d", broken, progress=False)


def test_a_second_set_of_puppets_has_a_classifier_of_its_own():
    twice = resolve("tiny", {"second_dataset": "puppets", "second_root": "others"})
    assert twice.second_head == "puppets_second"
    alone = second_config(twice)
    assert (alone.dataset, alone.root, alone.validation) == ("puppets", "others", 0.0)
    assert alone.second_head == ""
