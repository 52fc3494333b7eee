"""Puppets: layout, bytes, splits and resuming of the generated data set."""

import json
import os
import platform
import shutil
from pathlib import Path

import numpy as np
import pytest
from clips import contents
from measured import ROOT, python
from scipy.io import loadmat

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.video import read_frames
from rstan_lite.puppets import CLASSES, dataset, generate
from rstan_lite.system.errors import ConfigError, DataError, StoreError

SIZE = (96, 128)
SOME = ("clap", "run", "walk")


def make(root: Path, count: int = 4, classes: tuple[str, ...] = SOME, **options) -> Path:
    chosen = {"seed": 3, "workers": 1, "size": SIZE, "progress": False, **options}
    return generate(root, count, classes, **chosen)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("puppets") / "small")


def test_layout_is_jhmdbs(small: Path) -> None:
    for action in SOME:
        videos = sorted((small / "ReCompress_Videos" / action).iterdir())
        assert len(videos) == 4
        for path in videos:
            assert path.suffix == ".avi"
            assert f"_{action}_f_" in path.name
            frames = read_frames(path)
            kinds = ("puppet_mask", "joint_positions")
            mats = [small / kind / action / path.stem / f"{kind}.mat" for kind in kinds]
            assert all(m.read_bytes()[:116].rstrip().endswith(b"no date") for m in mats)
            assert b"Lavf" not in path.read_bytes(), "a version is written"
            mask, joints = loadmat(mats[0])["part_mask"], loadmat(mats[1])
            assert mask.dtype == np.uint8
            assert mask.shape == (*SIZE, len(frames))
            assert set(np.unique(mask)) == {0, 1}
            assert mask.any(axis=(0, 1)).all(), "a frame without its actor"
            assert 15 <= len(frames) <= 40
            assert joints["pos_img"].shape == joints["pos_world"].shape == (2, 15, len(frames))
            assert joints["scale"].shape == (1, len(frames))
            assert joints["viewpoint"].item() in {"N", "NE", "E", "SE", "S", "SW", "W", "NW"}
            inner = [0, 1, 3, 4, 5, 6, 9, 10]  # neck, belly, shoulders, hips, knees
            for f in range(len(frames)):
                y, x = np.nonzero(mask[..., f])
                points = joints["pos_img"][:, inner, f] - 1.0
                far = np.hypot(x[:, None] - points[0], y[:, None] - points[1]).min(0)
                assert far.max() < 3.0, "a joint beside the silhouette"
        for number in (1, 2, 3):
            text = (small / "splits" / f"{action}_test_split{number}.txt").read_bytes().decode()
            lines = text.splitlines()
            assert text == "".join(f"{line}\n" for line in lines)
            assert sorted(line.split()[0] for line in lines) == [p.name for p in videos]
            assert {line.split()[1] for line in lines} == {"1", "2"}
    data = JHMDB(small, split=1, validation=0.0)
    assert data.classes == SOME
    assert len(data.train) + len(data.test) == 12
    assert data.test[0].source == data.test[0].name.split(f"_{data.test[0].action}_")[0]
    assert json.loads((small / "puppets.json").read_text(encoding="utf-8")) == {
        "data": "puppets", "version": dataset.VERSION, "seed": 3, "clips_per_class": 4,
        "classes": list(SOME), "size": list(SIZE), "rivals": [0, 0],
    }  # fmt: skip


def test_same_seed_same_bytes_whatever_the_workers_and_the_company(small, tmp_path):
    assert contents(make(tmp_path / "two", workers=2)) == contents(small)
    alone = make(tmp_path / "alone", 2, ("walk",))
    other = make(tmp_path / "seed", 2, ("walk",), seed=4)
    for path in (alone / "ReCompress_Videos").rglob("*.avi"):
        assert path.read_bytes() == (small / path.relative_to(alone)).read_bytes()
    first, *_ = sorted((other / "ReCompress_Videos" / "walk").iterdir(), key=lambda p: p.stem[-1])
    assert first.read_bytes() not in contents(alone).values()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="switches off x86 code")
def test_same_bytes_on_an_older_processor(small: Path, tmp_path: Path) -> None:
    """OpenCV without its AVX code, as on a machine that lacks it, paints the same pixels."""
    root = tmp_path / "old"
    words = ["--classes=run", "--clips-per-class=3", "--seed=3", "--workers=1", "--quiet", "--size"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENCV_CPU_DISABLE": "AVX2,FMA3,AVX"}
    python("-m", "rstan_lite.cli", "puppets", root, *words, *SIZE, env=env, check=True)
    for path in (root / "ReCompress_Videos").rglob("*.avi"):
        assert path.read_bytes() == (small / path.relative_to(root)).read_bytes()


def test_a_complete_folder_is_kept(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(small)
    monkeypatch.setattr(dataset, "make_clip", None)
    make(small, workers=2)
    assert contents(small) == before


def test_an_interrupted_folder_is_continued(small, tmp_path, monkeypatch):
    copy = shutil.copytree(small, tmp_path / "copy")
    (copy / dataset.RECORD).rename(copy / dataset.STARTED)
    next((copy / "ReCompress_Videos" / "run").iterdir()).unlink()
    drawn, make_clip = [], dataset.make_clip
    monkeypatch.setattr(dataset, "make_clip", lambda *a: drawn.append(a[0]) or make_clip(*a))
    make(copy)
    assert drawn == ["run"]
    assert contents(copy) == contents(small)


def test_other_parameters_and_other_folders_are_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="clips_per_class = 4"):
        make(small, 5)
    (tmp_path / "real" / "ReCompress_Videos").mkdir(parents=True)
    with pytest.raises(DataError, match="not made of puppets"):
        make(tmp_path / "real")
    assert not (tmp_path / "real" / "puppets.json").exists()
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="can't be written"):
        make(tmp_path / "file")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "puppets.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="unreadable file"):
        make(tmp_path / "odd")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ["walk", "fly"]}, "fly.*shoot_bow"),
        ({"classes": ["walk", "walk"]}, "different names"),
        ({"clips_per_class": 1}, "clips_per_class: found 1"),
        ({"workers": 0}, "workers: found 0"),
        ({"size": (241, 320)}, "both even"),
        ({"size": (8, 8)}, "size: found 8; expected a whole number from 48"),
        ({"rivals": (2, 1)}, "rivals: found 2"),
    ],
)
def test_bad_options_are_named(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        generate(tmp_path / "none", **{"progress": False, **options})
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("count", [2, 3, 16, 40])
def test_splits_keep_sources_whole_and_hold_a_third(count: int) -> None:
    seen = set()
    for action in CLASSES[:6]:
        jobs = dataset.jobs(action, count)
        for number in (1, 2, 3):
            sides = dataset.split(jobs, number, seed=0)
            train, test = (
                {j.source for j, side in zip(jobs, sides, strict=True) if side == wanted}
                for wanted in (1, 2)
            )
            assert train
            assert test
            assert not train & test
            assert count < 16 or 0.2 <= sides.count(2) / count <= 0.36
            seen.add((action, tuple(sides)))
    assert count < 16 or len(seen) > 12, "the three splits hardly differ"


def test_source_names_are_unique_and_hold_no_class() -> None:
    names = [dataset.source_name(a, s, 0) for a in CLASSES for s in range(20)]
    assert len(set(names)) == len(names)
    assert not any(f"_{action}_" in f"{name}_" for name in names for action in CLASSES)
