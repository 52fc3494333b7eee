"""Puppets: layout, bytes, splits and resuming of the generated data set."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.io import loadmat

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.puppets import CLASSES, dataset, generate, plan
from rstan_lite.system.errors import ConfigError, DataError

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "data_scripts" / "make_puppets.py"
SIZE = (96, 128)
SOME = ("clap", "run", "walk")


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("puppets") / "small"
    return generate(root, 4, SOME, seed=3, workers=1, size=SIZE, progress=False)


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def test_layout_is_jhmdbs(small: Path) -> None:
    for action in SOME:
        videos = sorted((small / "ReCompress_Videos" / action).iterdir())
        assert len(videos) == 4
        for path in videos:
            assert path.suffix == ".avi"
            assert f"_{action}_f_" in path.name
            frames = decode(path)
            mat = loadmat(small / "puppet_mask" / action / path.stem / "puppet_mask.mat")
            mask = mat["part_mask"]
            assert mask.dtype == np.uint8
            assert mask.shape == (*SIZE, len(frames))
            assert set(np.unique(mask)) == {0, 1}
            assert mask.any(axis=(0, 1)).all(), "a frame without its actor"
            assert 15 <= len(frames) <= 40
            joints = loadmat(small / "joint_positions" / action / path.stem / "joint_positions.mat")
            assert joints["pos_img"].shape == joints["pos_world"].shape == (2, 15, len(frames))
            assert joints["scale"].shape == (1, len(frames))
            assert joints["viewpoint"].item() in {"N", "NE", "E", "SE", "S", "SW", "W", "NW"}
        for number in (1, 2, 3):
            text = (small / "splits" / f"{action}_test_split{number}.txt").read_bytes().decode()
            lines = text.splitlines()
            assert text == "".join(f"{line}\n" for line in lines)
            assert sorted(line.split()[0] for line in lines) == [p.name for p in videos]
            assert {line.split()[1] for line in lines} == {"1", "2"}


def test_the_jhmdb_reader_reads_them(small: Path) -> None:
    data = JHMDB(small, split=1, validation=0.0)
    assert data.classes == SOME
    assert len(data.train) + len(data.test) == 12
    clip = data.test[0]
    assert clip.source == clip.name.split(f"_{clip.action}_")[0]
    frames = data.frames(clip)
    assert data.silhouettes(clip, frames).shape == frames.shape[:3]


def test_joints_lie_on_the_silhouette(small: Path) -> None:
    inner = [0, 1, 3, 4, 5, 6, 9, 10]  # neck, belly, shoulders, hips, knees
    for path in (small / "joint_positions").rglob("*.mat"):
        joints = loadmat(path)["pos_img"] - 1.0
        where = small / "puppet_mask" / path.parent.parent.name / path.parent.name
        mask = loadmat(where / "puppet_mask.mat")["part_mask"]
        for f in range(mask.shape[2]):
            y, x = np.nonzero(mask[..., f])
            points = joints[:, inner, f]
            far = np.hypot(x[:, None] - points[0], y[:, None] - points[1]).min(0)
            assert far.max() < 3.0


def test_same_seed_same_bytes_whatever_the_workers(small: Path, tmp_path: Path) -> None:
    again = generate(tmp_path / "two", 4, SOME, seed=3, workers=2, size=SIZE, progress=False)
    assert contents(again) == contents(small)
    other = generate(tmp_path / "seed", 2, ["walk"], seed=4, workers=1, size=SIZE, progress=False)
    mine, others = (
        sorted((r / "ReCompress_Videos" / "walk").iterdir(), key=lambda p: p.stem[-1])[0]
        for r in (small, other)
    )
    assert mine.read_bytes() != others.read_bytes()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="switches off x86 code")
def test_same_bytes_on_an_older_processor(small: Path, tmp_path: Path) -> None:
    """OpenCV without its AVX code, as on a machine that lacks it, paints the same pixels."""
    root = tmp_path / "old"
    subprocess.run(
        [sys.executable, SCRIPT, root, "--classes", "run", "--clips-per-class", "3", "--seed", "3",
         "--workers", "1", "--size", *map(str, SIZE), "--quiet"],
        check=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OPENCV_CPU_DISABLE": "AVX2,FMA3,AVX"},
    )  # fmt: skip
    for path in (root / "ReCompress_Videos").rglob("*.avi"):
        assert path.read_bytes() == (small / path.relative_to(root)).read_bytes()


def test_a_clip_does_not_depend_on_its_company(small: Path, tmp_path: Path) -> None:
    alone = generate(tmp_path / "alone", 2, ["walk"], seed=3, workers=1, size=SIZE, progress=False)
    for path in (alone / "ReCompress_Videos").rglob("*.avi"):
        assert path.read_bytes() == (small / path.relative_to(alone)).read_bytes()


def test_nothing_of_the_day_is_written(small: Path) -> None:
    for path in small.rglob("*.mat"):
        assert path.read_bytes()[:116].rstrip().endswith(b"no date")
    for path in small.rglob("*.avi"):
        assert b"Lavf" not in path.read_bytes()


def test_interrupted_work_is_continued(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    real = dataset.make_clip

    def tired(*args):
        if len(made) == 5:
            raise KeyboardInterrupt
        made.append(args[0])
        return real(*args)

    root = tmp_path / "broken"
    monkeypatch.setattr(dataset, "make_clip", tired)
    with pytest.raises(KeyboardInterrupt):
        generate(root, 4, SOME, seed=3, workers=1, size=SIZE, progress=False)
    assert not (root / "puppets.json").exists()
    with pytest.raises(ConfigError, match="seed = 3"):
        generate(root, 4, SOME, seed=5, workers=1, size=SIZE, progress=False)
    monkeypatch.setattr(dataset, "make_clip", lambda *args: made.append(args[0]) or real(*args))
    generate(root, 4, SOME, seed=3, workers=1, size=SIZE, progress=False)
    assert len(made) == 12, "a finished clip was made again"
    assert contents(root) == contents(small)


def test_a_complete_folder_is_kept_and_a_lost_clip_made_again(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(small)
    lost = next((small / "ReCompress_Videos" / "run").iterdir())
    lost.unlink()
    generate(small, 4, SOME, seed=3, workers=1, size=SIZE, progress=False)
    assert contents(small) == before
    monkeypatch.setattr(dataset, "make_clip", None)
    generate(small, 4, list(SOME), seed=3, workers=2, size=SIZE, progress=False)
    assert contents(small) == before


def test_other_parameters_and_other_folders_are_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="clips_per_class = 4"):
        generate(small, 5, SOME, seed=3, size=SIZE, progress=False)
    (tmp_path / "real" / "ReCompress_Videos").mkdir(parents=True)
    with pytest.raises(DataError, match="not made of puppets"):
        generate(tmp_path / "real", 2, ["walk"], progress=False)
    assert not (tmp_path / "real" / "puppets.json").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can't be written"):
        generate(tmp_path / "file", 2, ["walk"], progress=False)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "puppets.json").write_text("{")
    with pytest.raises(DataError, match="unreadable file"):
        generate(tmp_path / "odd", 2, ["walk"], progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ["walk", "fly"]}, "fly.*shoot_bow"),
        ({"classes": []}, "classes: found none"),
        ({"classes": ["walk", "walk"]}, "different names"),
        ({"clips_per_class": 1}, "clips_per_class: found 1"),
        ({"seed": -1}, "seed: found -1"),
        ({"workers": 0}, "workers: found 0"),
        ({"size": (241, 320)}, "both even"),
        ({"size": (8, 8)}, "both even and from 48"),
        ({"rivals": (2, 1)}, "rivals: found .2, 1."),
        ({"rivals": (0, 9)}, "whole numbers from 0 to 3"),
    ],
)
def test_bad_options_are_named(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        generate(tmp_path / "none", **{"progress": False, **options})
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("count", [2, 3, 5, 16, 40])
def test_splits_keep_sources_whole_and_hold_a_third(count: int) -> None:
    seen = set()
    for action in CLASSES[:6]:
        jobs = plan.jobs(action, count)
        assert [j.index for j in jobs] == list(range(count))
        for number in (1, 2, 3):
            sides = plan.split(jobs, number, seed=0)
            train = {j.source for j, side in zip(jobs, sides, strict=True) if side == 1}
            test = {j.source for j, side in zip(jobs, sides, strict=True) if side == 2}
            assert train
            assert test
            assert not train & test
            if count >= 16:
                assert 0.2 <= sides.count(2) / count <= 0.36
                seen.add((action, tuple(sides)))
    if count >= 16:
        assert len(seen) > 12, "the three splits hardly differ"


def test_source_names_are_unique_and_hold_no_class() -> None:
    names = [plan.source_name(a, s, 0) for a in CLASSES for s in range(20)]
    assert len(set(names)) == len(names)
    assert not any(f"_{action}_" in f"{name}_" for name in names for action in CLASSES)


def test_the_script_reports_errors_in_words(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "x", "--classes", "fly", "--quiet"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: classes: found fly")
    assert "Traceback" not in done.stderr


def test_the_record_tells_the_parameters(small: Path) -> None:
    record = json.loads((small / "puppets.json").read_text())
    assert record == {
        "data": "puppets", "version": dataset.VERSION, "seed": 3, "clips_per_class": 4,
        "classes": list(SOME), "size": list(SIZE), "rivals": [0, 0],
    }  # fmt: skip
