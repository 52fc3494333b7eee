"""Training on a copy in which some clips are damaged: what is said, and what is left out."""

import shutil
from pathlib import Path

import pytest
from small_runs import content, train_command, write_networks

from rstan_lite.cli import main
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.puppets import generate

CLASSES = ["run", "wave"]
A_CLASS = 9  # clips: so few that no process is started for them


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Generated clips of which two are damaged: a training one in its middle, a test one cut."""
    folder = tmp_path_factory.mktemp("damaged")
    generate(folder / "clips", A_CLASS, CLASSES, workers=1, size=(64, 80), progress=False)
    data = JHMDB(folder / "clips", validation=0.2)
    for clip in (data.train[3], data.test[2]):
        shutil.copy(clip.path, folder / clip.path.name)
    raw = bytearray(data.train[3].path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 64] = bytes(byte ^ 0xA5 for byte in raw[middle : middle + 64])
    data.train[3].path.write_bytes(raw)
    raw = data.test[2].path.read_bytes()
    data.test[2].path.write_bytes(raw[: len(raw) // 3])
    write_networks(folder)
    return folder


def command(place: Path, run: str, *more: str) -> list[str]:
    few = {"stored_frames": 3, "frames": 2, "test_frames": 3, "iterations": 2, "views": "centre"}
    return train_command(place, run, *more, validation=0.2, **few)


def test_damaged_clips_end_training_with_a_report_or_are_left_out_and_listed(place, capsys):
    data = JHMDB(place / "clips", validation=0.2)
    broken = {"train": data.train[3], "test": data.test[2]}
    names = {part: f"{clip.action}/{clip.name}" for part, clip in broken.items()}

    assert main(command(place, "run")) == 2
    said = capsys.readouterr().err
    assert "found 2 damaged clips: " in said
    assert all(name in said for name in names.values())
    assert "--damaged skip" in said
    assert not (place / "run").exists()
    (store,) = place.glob("cache/motion-*")
    stored = {path.stem for path in store.rglob("*.safetensors")}
    everyone = {clip.name for clip in data.train + data.validation + data.test}
    assert stored == everyone - {clip.name for clip in broken.values()}

    assert main(command(place, "run", "--damaged", "skip")) == 0
    printed = capsys.readouterr().out
    metrics = content(place / "run" / "metrics.json")
    assert metrics["n_train"] == len(data.train) - 1
    assert metrics["n_test"] == len(data.test) - 1
    found = metrics["damaged_clips"]
    assert {part: list(clips) for part, clips in found.items()} == {
        part: [name] for part, name in names.items()
    }
    assert "cut short" in found["test"][names["test"]]
    assert "1 damaged clips of the test part, not counted:" in printed
    assert "1 damaged clips of the train part, left out:" in printed
    assert all(name in printed for name in names.values())

    run = str(place / "run")
    assert main(["evaluate", run, "--frames", "2"]) == 0
    printed = capsys.readouterr().out
    assert names["test"] in printed
    assert f"of {len(data.test) - 1} clips" in printed

    for clip in broken.values():  # mended: only these are made, and they count again
        shutil.copy(place / clip.path.name, clip.path)
    assert main(command(place, "mended", "--damaged", "skip")) == 0
    metrics = content(place / "mended" / "metrics.json")
    assert metrics["n_test"] == len(data.test)
    assert metrics["damaged_clips"] == {}


def test_tuning_leaves_damaged_clips_out_and_train_finds_its_network(small_root, tmp_path, capsys):
    root, cache = tmp_path / "clips", tmp_path / "cache"
    shutil.copytree(small_root, root)
    path = JHMDB(root, validation=0.4).train[0].path
    path.write_bytes(path.read_bytes()[:3000])
    words = [
        "--root", str(root), "--cache", str(cache), "--validation", "0.4", "--device", "cpu",
    ]  # fmt: skip
    tune = [
        "tune", *words, "--streams", "motion", "--weights", "none", "--epochs", "1", "--size", "48",
        "--test-size", "64", "--batch", "4", "--frames", "3", "--workers", "1",
    ]  # fmt: skip
    assert main(tune) == 2
    assert "--damaged skip" in capsys.readouterr().err
    assert main([*tune, "--damaged", "skip"]) == 0
    assert path.stem in capsys.readouterr().out
    (card,) = (cache / "tuned").glob("motion-*.json")
    about = content(card)
    assert path.stem not in about["trained_on"]["clips"]
    before = card.stat().st_mtime_ns
    assert main([*tune, "--damaged", "skip"]) == 0  # again: it only reports
    assert card.stat().st_mtime_ns == before
    assert list(about["split"]["damaged"]["train"]) == [f"{path.parent.name}/{path.stem}"]
    train = [
        "train", *words, "--dataset", "jhmdb", "--damaged", "skip", "--profile", "tiny", "--quiet",
        "--streams", "motion", "--fusion", "none", "--size", "64", "--stored-frames", "3",
        "--frames", "2", "--test-frames", "3", "--iterations", "2", "--out", str(tmp_path / "run"),
    ]  # fmt: skip
    assert main(train) == 0
    metrics = content(tmp_path / "run" / "metrics.json")
    assert metrics["networks"]["motion"]["file"] == str(card.with_suffix(".safetensors"))
