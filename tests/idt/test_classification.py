"""SVMs and their probabilities; the command `idt`, from clips to a run folder to be fused."""

import csv
import shutil

import numpy as np
import pytest
from clips import clip_arrays, write_avi
from sklearn.svm import LinearSVC
from small_runs import content

from rstan_lite import cli
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.lab.idt import encoding
from rstan_lite.lab.idt.classification import fit_temperature, margins, probabilities
from rstan_lite.lab.idt.descriptors import descriptor_store, fill_descriptors
from rstan_lite.lab.idt.trajectories import TrackSettings
from rstan_lite.lab.scores import fuse, read_predictions
from rstan_lite.puppets import generate
from rstan_lite.system.errors import DataError

CLASSES = ["clap", "jump", "run"]
OPTIONS = ["--scales", "2", "--components", "2,4", "--samples", "2000", "--workers", "1",
           "--validation", "0.3", "--quiet"]  # fmt: skip


@pytest.fixture(scope="module")
def puppets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("puppets") / "clips"
    return generate(folder, 4, CLASSES, workers=1, size=(96, 128), progress=False)


@pytest.fixture(scope="module")
def finished(puppets, tmp_path_factory):
    out = tmp_path_factory.mktemp("idt") / "run"
    assert cli.main(command(puppets, out.parent, out)) == 0
    return out


def with_other_clip(small_root, root, frames):
    """A copy of the small data set in which one clip has these frames; the clip's path."""
    shutil.copytree(small_root, root)
    return write_avi(root / "ReCompress_Videos/jump/src2_jump_f_nm_np1_fr_med_5.avi", frames)


def command(root, cache, out):
    return ["idt", "--root", str(root), "--cache", str(cache), "--out", str(out), *OPTIONS]


def test_a_run_folder_holds_what_its_predictions_say(finished, puppets):
    metrics = content(finished / "metrics.json")
    data = JHMDB(puppets, validation=0.3)
    for part, clips in (("test", data.test), ("validation", data.validation)):
        end = "" if part == "test" else "_validation"
        found = read_predictions(finished / f"predictions{end}.npz")
        assert list(found.names) == [clip.name for clip in clips]
        assert found.labels.tolist() == [clip.label for clip in clips]
        np.testing.assert_allclose(found.scores.sum(axis=1), 1, rtol=1e-5)
        right = (found.scores.argmax(axis=1) == found.labels).mean()
        assert metrics[f"{part}_accuracy"] == pytest.approx(right)
        assert metrics[f"n_{part}"] == len(clips)
        with (finished / f"predictions{end}.csv").open() as file:
            header, *rows = list(csv.reader(file))
        assert header == ["clip", *CLASSES]
        assert [row[0] for row in rows] == list(found.names)
        np.testing.assert_allclose(np.array([r[1:] for r in rows], float), found.scores)
    assert metrics["validation_accuracy"] > 1 / 3
    assert metrics["components"] in (2, 4)
    assert metrics["cost"] in (0.1, 1, 10, 100)
    assert metrics["trajectories_a_clip"] > 10
    assert metrics["versions"]["scikit-learn"]


def test_a_second_run_from_the_same_store_has_the_same_scores(finished, puppets, tmp_path):
    again = tmp_path / "again"
    assert cli.main(command(puppets, finished.parent, again)) == 0
    one, other = (read_predictions(out / "predictions.npz") for out in (finished, again))
    np.testing.assert_array_equal(one.scores, other.scores)
    fused = fuse([finished, again], "validation")
    np.testing.assert_allclose(fused.predictions.scores, one.scores, atol=1e-6)


def test_a_finished_run_only_reports(finished, puppets, tmp_path, capsys):
    assert cli.main(command(puppets, tmp_path / "unused", finished)) == 0
    assert "test accuracy" in capsys.readouterr().out
    assert not (tmp_path / "unused").exists()


def test_another_run_or_a_damaged_one_is_refused(finished, puppets, tmp_path, refused):
    other = [*command(puppets, tmp_path, finished), "--seed", "1"]
    refused(other, "Give another --out folder")
    (tmp_path / "config.json").write_text("{half", encoding="utf-8")
    refused(command(puppets, tmp_path, tmp_path), "expected a run's config.json")


def test_a_clip_without_trajectories_is_reported(small_root, tmp_path, capsys):
    root, out = tmp_path / "still", tmp_path / "run"
    still = np.repeat(clip_arrays("jump", 0, 1)[0], 15, axis=0)
    name = with_other_clip(small_root, root, still).stem
    line = command(root, tmp_path / "cache", out)
    assert cli.main([*line, "--components", "2", "--samples", "200"]) == 0
    assert f"1 clips without a trajectory, as zero vectors: {name}" in capsys.readouterr().out
    assert content(out / "metrics.json")["clips_without_trajectories"] == [name]
    assert np.isfinite(read_predictions(out / "predictions.npz").scores).all()


def test_a_clip_of_one_frame_is_named_and_the_others_are_stored(small_root, tmp_path, refused):
    root = tmp_path / "short"
    path = with_other_clip(small_root, root, clip_arrays("jump", 0, 1)[0])
    line = command(root, tmp_path / "cache", tmp_path / "run")
    refused(line, f"{path}: found 1 frames; expected at least 4")
    data = JHMDB(root)
    store = descriptor_store(data, tmp_path / "cache", TrackSettings(scales=2))
    everything = data.train + data.validation + data.test
    assert [clip.path for clip in store.missing(everything)] == [path]
    assert not (tmp_path / "run").exists()
    write_avi(path, clip_arrays("jump", 5, 15)[0])
    before = store.path(data.train[0]).stat().st_mtime_ns
    fill_descriptors(store, data, everything, workers=1)
    assert not store.missing(everything)
    assert store.path(data.train[0]).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--components", "many"], ("--components", "numbers")),
        (["--components", "0"], ("--components", "positive")),
        (["--costs", "-1"], ("--costs", "positive")),
        (["--costs", "nan"], ("--costs", "positive")),
        (["--validation", "0"], ("--validation", "choose")),
        (["--camera", "affine"], ("camera", "homography, none")),
        (["--root", "no such folder"], ("no such folder",)),
    ],
)
def test_complaints(options, words, tmp_path, refused):
    line = ["idt", "--root", str(tmp_path), "--out", str(tmp_path / "run"), *options]
    refused(line, *words)
    assert not (tmp_path / "run").exists()


def test_missing_libraries_are_said_before_any_work(monkeypatch, puppets, tmp_path, refused):
    monkeypatch.setitem(encoding.LIBRARIES, "scikit-image", "no_such_module")
    line = command(puppets, tmp_path / "cache", tmp_path / "run")
    refused(line, "no scikit-image", "pip install scikit-image (the extra idt)")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 12)
    centres = rng.normal(0, 1, (3, 40))
    return centres[labels] + rng.normal(0, 0.8, (36, 40)), labels


def test_margins_are_those_of_a_linear_svm_on_the_vectors(clips):
    rows, labels = clips
    kernel = rows @ rows.T
    found = margins(kernel[:30, :30], labels[:30], kernel[30:, :30], ("a", "b", "c"), 1.0)
    for label in range(3):
        machine = LinearSVC(C=1.0, loss="hinge", max_iter=200_000, intercept_scaling=100, tol=1e-6)
        expected = machine.fit(rows[:30], labels[:30] == label).decision_function(rows[30:])
        np.testing.assert_allclose(found[:, label], expected, atol=0.03)
    assert margins(kernel, labels, kernel[:0], ("a", "b", "c"), 1.0).shape == (0, 3)


def test_a_class_without_training_clips_is_a_complaint(clips):
    rows, labels = clips
    with pytest.raises(DataError, match="d: found 0 of the 36 training clips"):
        margins(rows @ rows.T, labels, rows @ rows.T, ("a", "b", "c", "d"), 1.0)


def test_the_temperature_is_the_one_that_made_the_labels():
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 1, (4000, 5))
    for temperature in (0.3, 1.0, 4.0):
        drawn = [rng.choice(5, p=p / p.sum()) for p in probabilities(margin, temperature)]
        assert fit_temperature(margin, np.array(drawn)) == pytest.approx(temperature, rel=0.15)
