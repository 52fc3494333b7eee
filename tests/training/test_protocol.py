"""Test protocols on a model: averages over sequences, and over the runs of several splits."""

import shlex

import numpy as np
import pytest
import torch
from small_runs import content
from training.synthetic import SMALL, make_features, make_parts

from rstan_lite.cli import build_parser
from rstan_lite.cli.training import from_arguments
from rstan_lite.data.transforms import view_side
from rstan_lite.lab import protocols as sequences
from rstan_lite.lab.over_splits import command, evaluate_splits, find_runs
from rstan_lite.lab.protocols import average, evaluate_run, evaluate_sequences
from rstan_lite.lab.scores import read_predictions
from rstan_lite.system.errors import ConfigError
from rstan_lite.training import run_folder as runs
from rstan_lite.training.evaluation import evaluate
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import load_model
from rstan_lite.training.train import train

OPTIONS = {**SMALL, "iterations": 8, "d_h": 16, "d_att": 8, "scale": "none"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of splits 1, 2, 3 and of split 1 with another seed."""
    folder = tmp_path_factory.mktemp("some runs")
    for split, seed in ((1, 0), (2, 0), (3, 0), (1, 1)):
        config = resolve("tiny", {**OPTIONS, "split": split, "seed": seed})
        parts = make_parts(16, 8, 8 + split)
        train(config, folder / f"rstan-{split}-{seed}", parts, progress=False)
    return folder


@pytest.fixture(scope="module")
def of_sequences():
    """Features of 22 sequences of the same clips: 36, 49 and 64 places."""
    return {
        one: make_features(9, places=view_side(one.view, 56) ** 2 // 64, seed=5)
        for one in sequences.test_sequences(frames=4)
    }


def test_the_last_steps_softmax_is_averaged_over_sequences_of_any_size(folder, of_sequences):
    run = folder / "rstan-1-0"
    metrics, path = evaluate_run(run, device="cpu", frames=4, features=of_sequences, protocol="22")
    assert path.name == "evaluation-22-test-4.json"
    assert content(path) == metrics
    model, about = load_model(run)
    total = np.zeros((9, 4))
    for one, features in of_sequences.items():
        cubes, vectors = (
            {s: torch.from_numpy(x[:, 0]).float() for s, x in arrays.items()}
            for arrays in (features.cubes, features.vectors)
        )
        with torch.no_grad():
            shares = model(cubes, vectors, head=about.head).logits[:, -1].softmax(-1)
        total += shares.numpy() / 22
        listed = next(row for row in metrics["sequences"] if row["name"] == one.name)
        right = (shares.argmax(1).numpy() == features.labels).mean()
        assert listed["accuracy"] == pytest.approx(right)
        assert listed["places"] == features.target.shape[3]
    found = read_predictions(path.with_suffix(".npz"))
    np.testing.assert_allclose(found.scores, total, atol=1e-5)
    assert metrics["test_accuracy"] == pytest.approx((total.argmax(1) == found.labels).mean())
    assert {row["places"] for row in metrics["sequences"]} == {36, 49, 64}
    assert (metrics["protocol"], metrics["frames"]) == ("22", 4)


def test_one_sequence_is_the_plain_test(folder):
    model, about = load_model(folder / "rstan-1-0")
    features = make_features(9, seed=5)
    (one,) = sequences.test_sequences("centre", 4)
    (alone,) = evaluate_sequences(model, {one: features}, about.head).values()
    plain = evaluate(model, features, about.head, 4)
    assert torch.equal(average([alone]).scores, plain.scores)
    assert average([alone]).loss == plain.loss
    assert torch.equal(average([plain, plain]).scores, plain.scores)


def test_features_of_other_sequences_are_refused(folder, of_sequences):
    with pytest.raises(ConfigError, match="1 sequences; expected the 22"):
        evaluate_run(folder / "rstan-1-0", features=make_features(9), protocol="22", device="cpu")
    with pytest.raises(ConfigError, match="centre, 22"):
        evaluate_run(folder / "rstan-1-0", features=of_sequences, protocol="10", device="cpu")


def test_runs_of_splits_are_found_by_pattern_or_by_name(folder):
    three = [folder / f"rstan-{split}-0" for split in (1, 2, 3)]
    assert find_runs([str(folder / "rstan-{split}-0")]) == three
    assert find_runs([str(folder / "rstan-{split}-0")], [3, 1]) == [three[0], three[2]]
    assert find_runs([str(path) for path in reversed(three)]) == three
    both = [str(folder / "rstan-1-1"), *map(str, three)]
    assert find_runs(both) == [three[0], folder / "rstan-1-1", *three[1:]]


def test_the_mean_counts_every_split_alike(folder, tmp_path, monkeypatch):
    from rstan_lite.lab import over_splits as splits

    true = splits.evaluate_run

    def of_part(run, **how):
        split = int(run.name.split("-")[1])
        return true(run, features=make_parts(16, 8, 8 + split).test, **how)

    monkeypatch.setattr(splits, "evaluate_run", of_part)
    found = find_runs([str(path) for path in folder.iterdir() if path.name.startswith("rstan")])
    summary, path = evaluate_splits(found, tmp_path, device="cpu")
    assert path.name == "splits-centre-test-4.json"
    assert content(path)["accuracy"] == summary["accuracy"]
    alone = {
        (split, seed): runs.read_metrics(folder / f"rstan-{split}-{seed}")["test_accuracy"]
        for split, seed in ((1, 0), (1, 1), (2, 0), (3, 0))
    }
    of_first = (alone[1, 0] + alone[1, 1]) / 2
    assert summary["accuracy"] == pytest.approx((of_first + alone[2, 0] + alone[3, 0]) / 3)
    assert [row["clips"] for row in summary["runs"]] == [9, 9, 10, 11]
    assert [(row["split"], row["seed"]) for row in summary["runs"]] == sorted(alone)


def test_missing_splits_are_said(folder, tmp_path):
    given = [str(folder / f"rstan-{split}-0") for split in (1, 2)]
    with pytest.raises(ConfigError, match=r"no finished run of split 3;.*train --split N"):
        find_runs(given, [1, 2, 3])
    runs.write_config(tmp_path / "begun", resolve("tiny", {**OPTIONS, "split": 2, "seed": 7}))
    with pytest.raises(ConfigError, match=r"no finished run of .*begun"):
        find_runs([*given, str(tmp_path / "begun")])
    with pytest.raises(ConfigError, match=r"no finished run of split 1, split 2, split 3"):
        find_runs([str(tmp_path / "x-{split}")])


def test_a_command_says_its_configuration_again(tmp_path):
    config = resolve("tiny", {**OPTIONS, "split": 3, "renormalize": True, "root": "my clips"})
    words = shlex.split(command(config, tmp_path / "a run"))
    assert words[:2] == ["rstan-lite", "train"]
    arguments = build_parser("train")[0].parse_args(words[1:])
    assert from_arguments(arguments) == config
    assert arguments.out == str(tmp_path / "a run")


def test_runs_of_other_settings_are_no_table(folder, tmp_path):
    one, other = folder / "rstan-1-0", tmp_path / "other-2"
    runs.write_config(other, resolve("tiny", {**OPTIONS, "split": 2, "lambda_aa": 1.0}))
    runs.write_json(other / runs.METRICS, {})
    with pytest.raises(ConfigError, match=r"lambda_aa 1\.0; expected lambda_aa 0\.5 as in"):
        find_runs([str(one), str(other)])
    with pytest.raises(ConfigError, match="split 1, seed 0 again"):
        find_runs([str(one), str(one)])
