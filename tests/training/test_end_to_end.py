"""From generated clips to metrics, a prediction with overlays, and a report, by the commands."""

import json
import shutil
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import write_avi, write_dataset, write_hmdb51, write_turned, write_ucf101, write_video
from small_runs import CLASSES, content, train_command

from rstan_lite.cli import main
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.video import read_frames
from rstan_lite.features.flow import decode
from rstan_lite.lab.predict import predict, read_inputs
from rstan_lite.lab.scores import read_predictions
from rstan_lite.training.config import read_config
from rstan_lite.training.parts import find_sources
from rstan_lite.training.profiles import resolve
from rstan_lite.training.run_folder import load_model
from rstan_lite.training.train import train


@pytest.fixture(scope="module")
def trained(place: Path) -> Path:
    assert main(train_command(place, "run")) == 0
    return place / "run"


def test_train_writes_the_run_folder(trained: Path, place: Path):
    metrics = content(trained / "metrics.json")
    predictions = read_predictions(trained / "predictions.npz")
    assert metrics["n_test"] == len(predictions.names) > 0
    assert set(metrics["per_class"]) == set(CLASSES)
    assert 0 < metrics["silhouette_area"] < 1
    names = {"config.json", "metrics.json", "predictions.npz", "log.csv", "confusion.csv"}
    names |= {"MODEL_CARD.md"}
    assert names | {"checkpoint.safetensors", "checkpoint.json"} <= {
        p.name for p in trained.iterdir()
    }
    description = content(trained / "checkpoint.json")
    assert description["networks"]["motion"][0] == str(place / "motion.safetensors")


def test_a_run_whose_data_moved_goes_on(trained: Path, place: Path, tmp_path: Path, capsys):
    """The data's identity counts, not how their path is spelt; other clips are refused."""
    shutil.copytree(trained, tmp_path / "moved")
    clips = tmp_path / "elsewhere"
    shutil.copytree(place / "clips", clips)
    for root in (place / "clips" / ".." / "clips", clips):
        command = train_command(place, "run", root=root, out=tmp_path / "moved")
        assert main(command) == 0
        assert "test accuracy" in capsys.readouterr().out
        assert content(tmp_path / "moved" / "config.json")["root"] == str(root.absolute())
    assert main(["evaluate", str(tmp_path / "moved"), "--device", "cpu"]) == 0
    write_dataset(tmp_path / "others", per_class=4)
    command = train_command(place, "run", root=tmp_path / "others", out=tmp_path / "moved")
    assert main(command) == 2
    assert "a run with root" in capsys.readouterr().err
    config = replace(read_config(trained / "config.json"), iterations=8)
    assert train(config, tmp_path / "half", progress=False, stop_after=1) is None
    assert train(replace(config, root=str(clips)), tmp_path / "half", progress=False)


def test_evaluating_on_a_copy_completed_since_says_so(place: Path, tmp_path: Path, capsys):
    clips = tmp_path / "clips"
    shutil.copytree(place / "clips", clips)
    lost = JHMDB(clips, validation=0.25).test[0].path
    kept = lost.read_bytes()
    lost.unlink()
    command = train_command(place, "run", root=clips, out=tmp_path / "run", missing="skip")
    assert main(command) == 0
    evaluate = ["evaluate", str(tmp_path / "run"), "--device", "cpu"]
    assert main(evaluate) == 0
    assert "warning: the run was tested on" not in capsys.readouterr().err
    lost.write_bytes(kept)
    assert main(evaluate) == 0
    assert f"1 differ, for example {lost.stem}" in capsys.readouterr().err


def test_quiet_silences_every_bar(place: Path, capsys, monkeypatch):
    """At a terminal the bars are there; --quiet takes them away."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for name, options in (("quiet", ["--quiet"]), ("loud", [])):
        command = train_command(place, name, cache=place / f"{name}-cache", iterations=2)
        command.remove("--quiet")
        assert main([*command, *options]) == 0
        said = capsys.readouterr().err
        assert all((title in said) == (name == "loud") for title in ("features:", "train:", "it/s"))


def test_extract_finds_what_train_stored(trained: Path, place: Path, capsys):
    before = {p: p.stat().st_mtime_ns for p in (place / "cache").rglob("*.safetensors")}
    command = train_command(place, "unused")
    command.remove("--quiet")
    out = command.index("--out")
    assert main(["extract", *command[1:out], *command[out + 2 :]]) == 0
    assert "appearance, motion" in capsys.readouterr().out
    assert before == {p: p.stat().st_mtime_ns for p in (place / "cache").rglob("*.safetensors")}


def test_evaluate_and_fuse_read_runs(trained: Path, place: Path, capsys):
    assert main(["evaluate", str(trained), "--frames", "2", "--device", "cpu"]) == 0
    assert (trained / "evaluation-test-2.json").exists()
    # more frames than are stored are taken from the clip
    assert main(["evaluate", str(trained), "--frames", "9", "--device", "cpu"]) == 0
    metrics = content(trained / "evaluation-test-9.json")
    assert [row["name"] for row in metrics["sequences"]] == ["whole centre"]
    assert metrics["frames"] == 9
    assert main(["fuse", str(trained), str(trained), "--out", str(place / "fused")]) == 0
    fused = content(place / "fused" / "metrics.json")
    metrics = content(trained / "metrics.json")
    assert fused["test_accuracy"] == metrics["test_accuracy"]


@pytest.mark.filterwarnings("ignore:.*are official.*:UserWarning")
def test_a_second_data_set_shares_the_networks_and_is_tested_when_asked(
    trained: Path, place: Path, capsys
):
    write_ucf101(place / "ucf101")  # without silhouettes, with other classes and frame counts
    second = ["--second-dataset", "ucf101", "--second-root", str(place / "ucf101")]
    second += ["--second-batch-size", "5", "--second-weight", "0.3"]
    assert main([*train_command(place, "both"), *second]) == 0
    assert "beside it ucf101" in capsys.readouterr().out
    metrics = content(place / "both" / "metrics.json")
    assert set(metrics["per_class"]) == set(CLASSES)
    assert (metrics["second"]["n_train"], metrics["second"]["n_classes"]) == (18, 3)
    before = content(trained / "checkpoint.json")
    description = content(place / "both" / "checkpoint.json")
    assert description["networks"] == before["networks"]
    assert description["second_classes"] == ["HandstandPushups", "JumpRope", "Pull"]
    assert main(["evaluate", str(place / "both"), "--second", "--device", "cpu"]) == 0
    found = content(place / "both" / "evaluation-ucf101-test-4.json")
    assert found["n_test"] == 6
    assert found["silhouette_area"] is None
    assert set(found["per_class"]) == set(description["second_classes"])


def test_a_second_data_set_without_its_folder_is_said_before_any_work(place: Path, capsys):
    command = [*train_command(place, "none"), "--second-dataset", "jhmdb"]
    assert main(command) == 2
    assert "--second-root: found nothing" in capsys.readouterr().err
    assert not (place / "none").exists()


def test_another_split_of_the_same_clips_is_warned_of(small_root: Path):
    options = {"dataset": "jhmdb", "root": str(small_root), "second_dataset": "jhmdb"}
    options |= {"second_root": f"{small_root}/.", "second_split": 2}
    with pytest.warns(UserWarning, match="clips that are judged train in the second data set"):
        assert find_sources(resolve("tiny", options)).shared


def test_hmdb51_beside_jhmdb_is_warned_of(small_root: Path, tmp_path: Path):
    options = {"dataset": "jhmdb", "root": str(small_root), "second_dataset": "hmdb51"}
    root = write_hmdb51(tmp_path / "hmdb51")
    with pytest.warns(UserWarning, match="JHMDB was cut from HMDB51"):
        other = find_sources(resolve("tiny", {**options, "second_root": str(root)})).second
    assert len(other.validation) == 0 < len(other.train)


def test_evaluate_by_22_sequences_and_their_table(trained: Path, capsys):
    command = ["evaluate", str(trained), "--protocol", "22", "--frames", "3", "--device", "cpu"]
    assert main([*command, "--table"]) == 0
    table = capsys.readouterr().out
    for words in (["--part", "train"], ["--second"]):
        assert main([*command, "--table", *words]) == 2
        assert "error: --" in capsys.readouterr().err
    lines = [line.split() for line in table.splitlines()[2:-1]]
    assert len(lines) == 22
    assert "22 sequences of 3 frames" in table
    # a clip of 120 x 160 pixels, whose short side stands for 256: 192 of these are 90
    row = next(line for line in lines if line[:2] == ["last", "centre@192-mirror"])
    assert row[2:9] == ["last", "192", "centre", "yes", "15-105", "35-125", "55"]
    assert main(command) == 0
    assert "test accuracy" in capsys.readouterr().out
    metrics = content(trained / "evaluation-22-test-3.json")
    k_of_table = {tuple(line[:2]): int(line[9]) for line in lines}
    for sequence in metrics["sequences"]:
        assert sequence["places"] == k_of_table[tuple(sequence["name"].split())] ** 2
    assert len({row["places"] for row in metrics["sequences"]}) > 1
    assert metrics["networks"]["motion"]["saw_test"] is None  # a file without a card
    assert metrics["missing_clips"] == []


def test_evaluate_averages_over_splits_and_says_what_is_missing(trained: Path, place: Path, capsys):
    command = ["evaluate", str(place / "of-{split}"), "--device", "cpu"]
    for split in ("1", "2"):
        assert main([*train_command(place, f"of-{split}"), "--split", split]) == 0
    capsys.readouterr()
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "no finished run of split 3" in said
    assert "rstan-lite train" in said
    assert main([*command, "--splits", "1", "2"]) == 0
    said = capsys.readouterr().out
    found = content(place / "splits-centre-test-4.json")
    assert f"mean over 2 splits: {found['accuracy']:.1%}" in said
    for split in ("1", "2"):
        metrics = content(place / f"of-{split}" / "metrics.json")
        of_split = found["splits"][split]
        assert of_split == {"accuracy": metrics["test_accuracy"], "clips": metrics["n_test"]}


def test_a_network_that_has_seen_test_clips_is_said_once_and_recorded(
    trained: Path, place: Path, capsys
):
    card = place / "appearance.json"
    clips = read_predictions(trained / "predictions.npz").names[:1]
    identity = JHMDB(place / "clips").identity()
    try:
        card.write_text(
            json.dumps({"trained_on": {"dataset": identity, "clips": clips}}), encoding="utf-8"
        )
        assert main(train_command(place, "seen")) == 0
    finally:
        card.unlink()
    said = capsys.readouterr().err
    assert said.count("warning: the appearance network") == 1
    assert (
        "1 of the 4 test clips are among those that it was trained or chosen on, for example"
        in said
    )
    assert f"{clips[0]}. The test accuracy" in said
    metrics = content(place / "seen" / "metrics.json")
    assert metrics["networks"]["appearance"]["saw_test"] is True
    assert metrics["networks"]["appearance"]["saw_validation"] is False
    assert metrics["networks"]["motion"]["saw_test"] is None
    assert "no card motion.json" in metrics["networks"]["motion"]["test_why"]


def film(n: int = 9, size: int = 64) -> np.ndarray:
    """A bright square that moves over a dark ground."""
    frames = np.full((n, size, 3 * size // 2, 3), 40, np.uint8)
    unit = size // 16
    for i in range(n):
        left = unit * i * 12 // n
        frames[i, 5 * unit : 11 * unit, left : left + 6 * unit] = 220
    return frames


@pytest.mark.parametrize("ending", [".mp4", ".gif"])
def test_predict_names_classes_and_draws_overlays(trained: Path, tmp_path: Path, capsys, ending):
    video = tmp_path / "my (1) video!.avi"
    write_avi(video, film())
    command = ["predict", str(video), "--run", str(trained), "--out", str(tmp_path / "out")]
    command += ["--top", "2", "--device", "cpu", *(["--gif"] if ending == ".gif" else [])]
    assert main(command) == 0
    assert len([line for line in capsys.readouterr().out.splitlines() if "%" in line]) == 2
    answer = content(tmp_path / "out" / "my (1) video!-prediction.json")
    scores = list(answer["classes"].values())
    assert set(answer["classes"]) == set(CLASSES)
    assert sum(scores) == pytest.approx(1, abs=1e-5)
    assert scores == sorted(scores, reverse=True)
    assert answer["decoded_frames"] == 9
    assert answer["attended_frames"] == [1, 3, 5, 7]
    assert set(answer["overlays"]) == {"appearance", "motion", "fused"}
    for path in answer["overlays"].values():
        assert Path(path).suffix == ending
        drawn = read_frames(path)
        assert drawn.shape == (9, 64, 96, 3)
        assert drawn.std() > 1


def test_predict_gives_a_clip_the_scores_of_the_test(trained: Path, place: Path, tmp_path: Path):
    predictions = read_predictions(trained / "predictions.npz")
    name = predictions.names[0]
    action = predictions.classes[predictions.labels[0]]
    clip = place / "clips" / "ReCompress_Videos" / action / f"{name}.avi"
    command = ["predict", str(clip), "--run", str(trained), "--out", str(tmp_path)]
    assert main([*command, "--device", "cpu"]) == 0
    answer = content(tmp_path / f"{clip.stem}-prediction.json")
    for i, action in enumerate(predictions.classes):
        assert answer["classes"][action] == pytest.approx(float(predictions.scores[0, i]), abs=2e-3)


def predicted(trained: Path, video: Path, out: Path) -> dict[str, Any]:
    found = predict(video, trained, out, device="cpu")
    answer: dict[str, Any] = content(Path(found["predictions"]))
    return answer


def test_the_answer_does_not_depend_on_the_videos_size(trained: Path, tmp_path: Path):
    """Flow is coded in pixels: it is computed at the size of the training clips, 120 lines."""
    config, (_, about) = read_config(trained / "config.json"), load_model(trained)
    assert about.short_side == 120
    seen = []
    for size in (64, 120, 480):
        path = write_video(tmp_path / f"{size}.mp4", film(9, size // 16 * 16))
        inputs = read_inputs(path, config, about)
        assert inputs.tensors["frames"].shape[1:] == (120, 180, 3)
        seen.append(np.abs(decode(inputs.tensors["flow"].numpy())).mean())
        scores = predicted(trained, path, tmp_path)["classes"]
        assert sorted(scores) == sorted(CLASSES)
    assert max(seen) < 1.2 * min(seen)
    inputs = read_inputs(path, config, replace(about, short_side=0))  # a run that does not say
    assert inputs.tensors["frames"].shape[1:] == (240, 360, 3)


def test_memory_does_not_grow_with_a_videos_length(trained: Path, tmp_path: Path):
    config, (_, about) = read_config(trained / "config.json"), load_model(trained)
    peaks = []
    for n in (60, 600):
        path = write_video(tmp_path / f"{n}.mp4", film(n, 240))
        tracemalloc.start()
        inputs = read_inputs(path, config, about)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(inputs.order) == n
        assert len(inputs.tensors["flow"]) <= 10 * config.test_frames
    assert peaks[1] < 1.2 * peaks[0] < 0.2 * film(600, 240).nbytes


def test_overlays_play_at_the_videos_rate_upright_and_beside_each_other(trained, tmp_path, capsys):
    """Two videos of one stem keep both answers; given again, a video's is written anew."""
    videos = [tmp_path / name / "clip.mp4" for name in ("one", "other")]
    for video, rate in zip(videos, (50, 20), strict=True):
        video.parent.mkdir()
        write_video(video, film(9, 64), rate=rate)
    stored = np.rot90(film(9, 64), axes=(1, 2))
    turned = write_turned(tmp_path / "clip.mp4", stored, (0, 1, -1, 0))
    out, stems = tmp_path / "out", ("clip", "clip-2", "clip-3")
    for video in (*videos, turned, videos[0]):
        assert main(["predict", str(video), "--run", str(trained), "--out", str(out)]) == 0
    capsys.readouterr()
    assert {p.name for p in out.glob("*.json")} == {f"{stem}-prediction.json" for stem in stems}
    for stem, video, rate in zip(stems, (*videos, turned), (50, 20, 30), strict=True):
        assert content(out / f"{stem}-prediction.json")["video"] == str(video)
        drawn = out / f"{stem}-fused.mp4"
        assert read_frames(drawn).shape == (9, 64, 96, 3)
        with av.open(str(drawn)) as box:
            assert box.streams.video[0].average_rate == rate


def test_predict_complaints(trained: Path, place: Path, tmp_path: Path, capsys):
    video = tmp_path / "video.avi"
    write_avi(video, film(1))
    run = ["--run", str(trained), "--out", str(tmp_path)]
    assert main(["predict", str(video), *run]) == 2
    assert "one frame" in capsys.readouterr().err
    assert main(["predict", str(video), "--run", str(trained), "--out", str(video)]) == 2
    assert "folder that can't be written" in capsys.readouterr().err  # before the video is decoded
    assert main(["predict", str(tmp_path / "absent.avi"), *run]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["predict", str(video), "--run", str(tmp_path)]) == 2
    assert "checkpoint.json" in capsys.readouterr().err
    weights = place / "motion.safetensors"
    kept = weights.read_bytes()
    write_avi(video, film())
    try:
        weights.write_bytes((place / "appearance.safetensors").read_bytes())
        assert main(["predict", str(video), *run]) == 2
        assert "other weights" in capsys.readouterr().err
    finally:
        weights.write_bytes(kept)
