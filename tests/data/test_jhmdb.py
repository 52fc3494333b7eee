"""The reader: layouts, splits, validation by source, missing clips."""

import re
import shutil

import numpy as np
import pytest
from clips import clip_arrays, write_avi, write_dataset
from hypothesis import given
from hypothesis import strategies as st

from rstan_lite.data.clips import Clip, carve_fold, carve_validation
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.splits import FOLDS, read_split, source_video
from rstan_lite.features.inputs import inputs_store
from rstan_lite.lab.tuning_images import fill_inputs
from rstan_lite.system.errors import ConfigError, DataError


@pytest.fixture
def own_root(tmp_path):
    return write_dataset(tmp_path / "own", per_class=4, frames=8)


def test_reads_what_was_written(small_root):
    data = JHMDB(small_root, validation=0.0)
    assert data.classes == ("jump", "pick", "push")
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 0, 6)
    clip = data.train[1]
    frames = data.frames(clip)
    masks = data.silhouettes(clip, frames)
    assert frames.shape == (15, 48, 64, 3)
    assert masks.shape == frames.shape[:3]
    assert frames[masks == 1].mean() > 2 * frames[masks == 0].mean()


def test_png_folders_read_like_avis(small_root, tmp_path):
    root = write_dataset(tmp_path / "png", per_class=6, images=True)
    png, avi = JHMDB(root), JHMDB(small_root)
    assert [c.name for c in png.test] == [c.name for c in avi.test]
    frames = png.frames(png.test[0])
    other = avi.frames(avi.test[0])
    assert frames.shape == other.shape
    assert np.abs(frames.astype(int) - other).mean() < 25


clips = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), min_size=1, max_size=60).map(
    lambda pairs: [
        Clip(f"{i}", action, 0, None, None, f"{source}") for i, (action, source) in enumerate(pairs)
    ]
)


@given(clips, st.floats(0, 0.5), st.integers(0, 1000))
def test_carve_validation(some, share, seed):
    train, held = carve_validation(some, share, seed)
    assert sorted(c.name for c in train + held) == sorted(c.name for c in some)
    assert not {c.source for c in train} & {c.source for c in held}
    assert share > 0 or not held


def test_carve_fold():
    """Every clip is in one fold, with all of its video, and each class in all folds alike."""
    some = [Clip(f"{i}", "ab"[i % 2], 0, None, None, f"{i // 3}") for i in range(60)]
    parts = [carve_fold(some, fold, "clips") for fold in range(1, FOLDS + 1)]
    assert sorted(int(c.name) for _, held in parts for c in held) == list(range(60))
    for rest, held in parts:
        assert sorted(int(c.name) for c in rest + held) == list(range(60))
        assert not {c.source for c in rest} & {c.source for c in held}
        assert [sum(c.action == a for c in held) for a in "ab"] == [6, 6]
    assert carve_fold(some, 2, "clips") == parts[1]


@pytest.mark.parametrize(
    ("classes", "videos", "clips", "words"),
    [(1, 4, 20, "of 4 videos"), (8, 8, 8, "at most 1 clips of a class")],
)
def test_too_few_videos_or_clips_of_a_class_for_folds(classes, videos, clips, words):
    some = [Clip(f"{i}", f"{i % classes}", 0, None, None, f"{i % videos}") for i in range(clips)]
    with pytest.raises(DataError, match=words):
        carve_fold(some, 1, "clips")


def test_a_fold_is_tested_in_the_place_of_the_test_list(tmp_path):
    root = write_dataset(tmp_path / "folds", per_class=12, frames=8)
    whole, data = JHMDB(root, validation=0), JHMDB(root, validation=0.2, fold=3)
    assert data.test
    names = {clip.name for clip in data.train + data.validation + data.test}
    assert names == {clip.name for clip in whole.train}
    sources = [{c.source for c in part} for part in (data.train, data.validation, data.test)]
    assert not sources[0] & sources[1] | sources[2] & (sources[0] | sources[1])
    data.train[0].path.unlink()
    data.test[0].path.unlink()
    whole.test[0].path.unlink()  # not looked for
    less = JHMDB(root, missing="skip", validation=0, fold=3)
    assert len(less.missing) == 2
    assert less.test == data.test[1:]  # the others are where they were
    with pytest.raises(ConfigError, match="fold: found 6"):
        JHMDB(root, fold=6)


def test_every_class_keeps_a_source_to_train_on(small_root):
    data = JHMDB(small_root, validation=0.5)
    assert {c.action for c in data.train} == set(data.classes)


@pytest.mark.parametrize(
    ("name", "action", "source"),
    [
        ("Faith_Rewarded_swing_baseball_f_cm_np1_ba_med_0", "swing_baseball", "Faith_Rewarded"),
        ("a_(b)_+_wave_wave_u_nm_np1_fr_goo_12", "wave", "a_(b)_+_wave"),
        ("odd name", "wave", "odd name"),
    ],
)
def test_source_video(name, action, source):
    assert source_video(name, action) == source


def test_missing_clips(own_root):
    data = JHMDB(own_root)
    for clip in (data.test[0], data.train[0]):
        clip.path.unlink()
    with pytest.raises(DataError, match=r"2 of the 12 clips of split 1 missing: jump/src0_jump"):
        JHMDB(own_root)
    skipped = JHMDB(own_root, missing="skip")
    assert len(skipped.missing) == 2
    assert len(skipped.train) + len(skipped.validation) + len(skipped.test) == 10
    assert skipped.classes == data.classes
    assert skipped.identity() == data.identity()  # what is stored of the others stays valid


@pytest.mark.parametrize("ending", [".AVI", ".mp4", ".MKV"])
def test_endings_of_any_case_and_container(own_root, ending):
    data = JHMDB(own_root)
    for clip in data.test:
        clip.path.rename(clip.path.with_suffix(ending))  # what it holds is told by its content
    again = JHMDB(own_root)
    assert [c.path.suffix for c in again.test] == [ending] * len(data.test)
    assert again.frames(again.test[0]).shape[1:] == (48, 64, 3)
    assert again.identity() == data.identity()


def test_folders_of_classes_one_level_deeper(own_root):
    data = JHMDB(own_root)
    videos = own_root / "ReCompress_Videos"
    videos.rename(own_root / "inner")
    videos.mkdir()
    (own_root / "inner").rename(videos / "ReCompress_Videos")  # as archives unpack
    again = JHMDB(own_root)
    assert [c.name for c in again.train] == [c.name for c in data.train]
    assert again.frames(again.train[0]).shape[1:] == (48, 64, 3)


def test_a_copy_of_which_nothing_is_found_says_what_is_there(own_root):
    for clip in JHMDB(own_root, validation=0).train + JHMDB(own_root, validation=0).test:
        clip.path.rename(clip.path.with_suffix(".zip"))
    for missing in ("error", "skip"):
        with pytest.raises(DataError, match=r"12 of the 12 .*there is ReCompress_Videos/jump/src0"):
            JHMDB(own_root, missing=missing)


def test_no_clip_to_train_on(own_root):
    for clip in JHMDB(own_root, validation=0).train:
        clip.path.unlink()
    data = JHMDB(own_root, missing="skip", validation=0)
    assert len(data.test) == 6
    with pytest.raises(
        DataError, match=r"no training clip in split 1 \(6 are missing or damaged\)"
    ):
        data.check_training()


def test_lists_with_a_byte_order_mark(own_root):
    data = JHMDB(own_root)
    for path in (own_root / "splits").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert JHMDB(own_root).identity() == data.identity()


def test_a_clip_of_one_frame_is_named(own_root, tmp_path):
    data = JHMDB(own_root, validation=0)
    write_avi(data.train[0].path, clip_arrays("push", 0, 1)[0])
    with pytest.raises(DataError, match=rf"{data.train[0].name}\.avi: found 1 frame"):
        fill_inputs(inputs_store(data, tmp_path, frames=3), data, data.train[:2], workers=1)


def test_a_large_incomplete_copy_is_compared_once_a_clip(tmp_path, monkeypatch):
    """Absent clips are looked up, not searched: 400 of 600 would be 180,000 comparisons."""
    (tmp_path / "splits").mkdir()
    there = tmp_path / "ReCompress_Videos" / "jump"
    there.mkdir(parents=True)
    rows = [f"clip{i}.avi {1 + i % 2}\n" for i in range(600)]
    (tmp_path / "splits" / "jump_test_split1.txt").write_text("".join(rows), encoding="utf-8")
    for i in range(0, 600, 3):
        (there / f"clip{i}.avi").touch()
    compared, same = [], Clip.__eq__
    monkeypatch.setattr(Clip, "__eq__", lambda one, other: compared.append(1) or same(one, other))
    data = JHMDB(tmp_path, missing="skip")
    assert len(data.missing) == 400
    assert len(data.train) + len(data.validation) + len(data.test) == 200
    assert len(compared) < 600


@pytest.mark.parametrize(
    "line",
    ["clip.avi", "clip.avi 3", "clip.avi one", "clip.mp4 1", "../up.avi 1", " 1", "a.avi 1 x"],
)
def test_bad_split_line(own_root, line):
    path = own_root / "splits" / "jump_test_split1.txt"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"jump_test_split1\.txt, line 5: found"):
        JHMDB(own_root)


def test_bad_lists(tmp_path):
    path = tmp_path / "list.txt"
    for content, words in (
        (b"a.avi 1\na.avi 2\n", "line 2: found a a second time"),
        (b"\n\n", "empty list"),
        (b"\xff\xfe\x00bad", "unreadable"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            read_split(path)


def test_signs_in_names_are_read_as_they_are(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("Gruss_!!!_(x)_+_@_[1-9]*.avi 1\n-dash first.avi 2\n", encoding="utf-8")
    assert read_split(path) == {"Gruss_!!!_(x)_+_@_[1-9]*": 1, "-dash first": 2}


def test_wrong_roots(tmp_path, own_root):
    with pytest.raises(DataError, match=r"no such folder.*--root"):
        JHMDB(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no folder splits"):
        JHMDB(tmp_path / "empty")
    with pytest.raises(DataError, match=re.escape(f"There is {own_root / 'splits'}.")):
        JHMDB(own_root.parent)
    shutil.move(own_root / "ReCompress_Videos", own_root / "videos")
    with pytest.raises(DataError, match=r"neither ReCompress_Videos nor Rename_Images .*videos"):
        JHMDB(own_root)


@pytest.mark.parametrize(
    "options", [{"split": 4}, {"missing": "ignore"}, {"validation": 0.9}, {"split": "1"}]
)
def test_wrong_options(small_root, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        JHMDB(small_root, **options)


def test_real_lists(real_jhmdb):
    """Counts of the official lists; the real clips decode to as many frames as masks."""
    for split, (train, test) in {1: (660, 268), 2: (658, 270), 3: (663, 265)}.items():
        data = JHMDB(real_jhmdb, split, missing="skip")
        listed = len(data.train) + len(data.validation) + len(data.test) + len(data.missing)
        assert listed == train + test == 928
        assert len(data.classes) == 21
        if not data.missing:
            assert len(data.test) == test
        assert not {c.name for c in data.train} & {c.name for c in data.test}
        share = len(data.validation) / (len(data.train) + len(data.validation))
        assert 0.08 < share < 0.16  # sources that appear in two classes go over the quota
    clip = data.test[0]
    frames = data.frames(clip)
    assert frames.shape[1:] == (240, 320, 3)
    assert data.silhouettes(clip, frames).any(axis=(1, 2)).mean() > 0.9
