"""Puppets: bodies, silhouettes and rivals; layout, bytes, splits and resuming of the data set."""

import hashlib
import json
import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import contents
from measured import ROOT, python
from scipy.io import loadmat

from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.video import read_frames
from rstan_lite.puppets import CLASSES, dataset, generate, skeleton, surroundings
from rstan_lite.puppets.actions import ACTIONS
from rstan_lite.puppets.body import Wardrobe, build
from rstan_lite.puppets.painting import Easel, Part, Placement, ball, strokes
from rstan_lite.puppets.scenery import Scene
from rstan_lite.puppets.skeleton import ANKLE, FOREARM, UPPER_ARM, Clock, Performance, Pose
from rstan_lite.puppets.staging import Clip, make_clip
from rstan_lite.system.errors import ConfigError, DataError, StoreError

STILL = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])  # a camera


def perform(name: str, seed: int = 0, n: int = 40) -> Performance:
    clock = Clock.over(n, 3.0, n - 5.0)
    return ACTIONS[name].perform(Pose.idle(n), clock, np.random.default_rng(seed))


def film(name: str, seed: int, size: tuple[int, int] = (120, 160)) -> Clip:
    return make_clip(name, np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2]), size)


def among(action: str, rivals: tuple[int, int]) -> Clip:
    (job,) = dataset.jobs(action, 1)
    return make_clip(action, *job.streams(7), (120, 160), rivals)


@pytest.mark.parametrize("name", CLASSES)
def test_bodies_stay_whole(name: str) -> None:
    """Bones keep their length, soles stay above the ground, speeds stay human, in every action."""
    limbs = {"hip": ("knee", skeleton.THIGH), "knee": ("ankle", skeleton.SHIN)}
    limbs |= {"shoulder": ("elbow", UPPER_ARM), "elbow": ("wrist", FOREARM)}
    for seed in range(3):
        s = perform(name, seed).skeleton
        bones = [("pelvis", "neck", skeleton.SPINE)]
        for side in "rl":
            bones += [(f"{side}_{a}", f"{side}_{b}", length) for a, (b, length) in limbs.items()]
            assert s[f"{side}_ankle"][:, 1].min() > ANKLE - 0.035
        for a, b, length in bones:
            np.testing.assert_allclose(np.linalg.norm(s[a] - s[b], axis=1), length, atol=1e-6)
        for joint, path in s.joints.items():
            assert np.isfinite(path).all()
            assert np.abs(np.diff(path, axis=0)).max() < 0.4, f"{joint} leaps"


def test_every_action_is_the_one_that_people_have_seen() -> None:
    """Silhouettes and joints of a clip of each action, beside rivals or alone, never change."""
    total = hashlib.sha256()
    for i, name in enumerate(CLASSES):
        job = dataset.jobs(name, 1)[0]
        clip = make_clip(name, *job.streams(0), (48, 64), (0, i % 3))
        total.update(clip.masks.tobytes())
        total.update(np.rint(clip.joints * 1000).astype(np.int64).tobytes() + clip.tags.encode())
    assert total.hexdigest()[:16] == "dc366d571ea10440"


def test_the_silhouette_is_what_is_painted_of_the_body() -> None:
    """Painted on black and on white, the actor's pixels are those where both pictures agree."""
    place = Placement((80.0, 150.0), 130.0, 0.7, mirrored=True)
    person = skeleton.solve(Pose.idle(1))
    body = build(person, Wardrobe.draw(np.random.default_rng(0)))
    black = np.zeros((160, 160, 3), np.uint8)

    def coverage(things: list[Part]) -> tuple[np.ndarray, np.ndarray]:
        easel = Easel(strokes(things, place, STILL, 0.0, True), 1)
        dark, mask = easel.paint(black, 0)
        light, _ = easel.paint(255 - black, 0)
        return 1 - (light.astype(int) - dark).mean(-1) / 255, mask

    alpha, mask = coverage(body)
    assert mask.any()
    assert (mask[alpha > 0.9] == 1).all()
    assert (mask[alpha < 0.1] == 0).all()
    front = person["neck"] + np.array([[0.3, -0.1, 0.3]])
    _, covered = coverage([*body, ball(front, 0.06, (200, 60, 60))])
    hidden = (mask == 1) & (covered == 0)
    assert hidden.sum() > 50, "a ball in front of the chest hides part of the body"
    assert (covered <= mask).all()
    behind = coverage([*body, ball(front, 0.06, (200, 60, 60), bias=-5.0)])[1]
    np.testing.assert_array_equal(behind, mask)


def test_other_frame_sizes_show_the_same_clip_in_other_sizes() -> None:
    """A clip at another size is the same picture scaled, silhouette and joints included."""
    usual, half = film("golf", 5, (240, 320)), film("golf", 5)
    np.testing.assert_allclose(half.joints - 1, (usual.joints - 1) / 2, atol=1e-9)
    np.testing.assert_allclose(half.scale, usual.scale)
    shrunk = cv2.resize(usual.masks[3], (160, 120), interpolation=cv2.INTER_AREA)
    both = np.count_nonzero(shrunk & half.masks[3]) / np.count_nonzero(shrunk | half.masks[3])
    assert both > 0.85
    small = cv2.resize(usual.frames[3], (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - half.frames[3]).mean() < 14


def fluorescent(frames: np.ndarray) -> np.ndarray:
    """Pixels of the vest's yellow: bright red and green, hardly any blue."""
    red, green, blue = (frames[..., i].astype(int) for i in range(3))
    return (green > 1.6 * blue + 40) & (green > 0.95 * red) & (red > 1.3 * blue + 30)


@pytest.fixture
def stage() -> surroundings.Stage:
    scene = Scene(np.zeros((400, 700, 3), np.uint8), "park", 200)
    actor = Placement((330.0, 330.0), 100.0, 0.0)
    return surroundings.Stage(scene, np.repeat(STILL, 30, 0), 350.0, actor, 320.0)


def test_the_actor_alone_wears_a_vest() -> None:
    clip, alone = among("golf", (2, 2)), among("golf", (0, 0))
    vest = fluorescent(clip.frames)
    on_actor = vest & (clip.masks > 0)
    assert on_actor.sum((1, 2)).min() > 20, "a frame in which the vest is not to be seen"
    assert on_actor.sum() > 0.6 * vest.sum()  # a tennis ball comes near the colour
    assert "_np3_" in clip.tags
    assert fluorescent(alone.frames)[alone.masks > 0].mean() < 0.02
    # he is smaller beside rivals, and nobody else is added to his silhouette
    assert 0.2 < clip.masks.mean() / alone.masks.mean() < 0.9


def test_rivals_perform_other_actions_as_large_as_the_actor_and_apart(stage, monkeypatch):
    performed: list[str] = []
    for name, action in ACTIONS.items():

        def act(pose, clock, rng, name=name, real=action.perform):
            performed.append(name)
            return real(pose, clock, rng)

        monkeypatch.setitem(ACTIONS, name, replace(action, perform=act))
    apart = []
    for seed in range(12):
        before = len(performed)
        company = surroundings.rivals(stage, "walk", 2, np.random.default_rng(seed))
        assert company.people == len(company.standing) == 2
        assert len(set(performed[before:])) == 2
        for one in company.standing:
            assert 0.8 * stage.actor.height < one.height < stage.actor.height
            assert stage.scene.horizon < one.origin[1] < stage.actor.origin[1]
        assert all(stroke.mask == -1 for stroke in company.strokes), "a rival on the silhouette"
        apart.append(min(abs(p.origin[0] - stage.actor.origin[0]) for p in company.standing))
    assert np.median(apart) > 0.5 * stage.actor.height
    assert "walk" not in performed
    assert len(set(performed)) > 10


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
