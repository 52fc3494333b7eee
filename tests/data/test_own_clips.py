"""Clips of your own: folders, lists, masks, and readers from outside of the package."""

import json
import os
import re
import shutil
import sys
import unicodedata
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import STEPS, clip_arrays, write_avi
from scipy.io import savemat
from small_runs import train_command, write_networks

from rstan_lite.cli.main import main
from rstan_lite.data.datasets import open_clips
from rstan_lite.data.own_clips import OwnClips
from rstan_lite.features.networks import find_network, split_name
from rstan_lite.system.errors import ConfigError, DataError

FRAMES = 8


@pytest.fixture
def root(tmp_path) -> Path:
    """Three classes of six clips: the same names in each, two a source folder."""
    for action in STEPS:
        for i in range(6):
            video, _ = clip_arrays(action, i, FRAMES)
            write_avi(tmp_path / "clips" / action / f"person{i // 2}" / f"{i:03}.AVI", video)
    return tmp_path / "clips"


def listed(data: OwnClips, part: str) -> set[str]:
    return {clip.name for clip in getattr(data, part)}


def test_a_folder_of_classes_is_enough(root):
    data = OwnClips(root, validation=0.0)
    assert data.classes == tuple(sorted(STEPS))
    assert (len(data.train), len(data.test)) == (12, 6)  # two sources of three train
    people = {c.source for c in data.train}, {c.source for c in data.test}
    assert people[0] & people[1] == set()  # a person of one class is that of another
    assert people[0] | people[1] == {f"person{i}" for i in range(3)}
    assert len(listed(data, "train") | listed(data, "test")) == 18  # 000 of a class by its class
    assert data.frames(data.test[0]).shape == (FRAMES, 48, 64, 3)
    assert not data.has_silhouettes


@pytest.mark.parametrize("ending", ["", ".dat", ".2024-06-01"])
def test_a_video_may_have_any_ending_and_what_is_none_is_left_out(root, ending):
    action = sorted(STEPS)[0]
    for path in sorted((root / action).rglob("*.AVI")):
        path.rename(path.with_name(path.stem + ending))
    cv2.imwrite(str(root / action / "person0" / "cover.bmp"), np.zeros((8, 8, 3), np.uint8))
    (root / action / "notes.txt").write_text("to do\n" * 99, encoding="utf-8")
    with pytest.warns(UserWarning, match=r"2 files are left out, for .*notes.txt: they are no"):
        data = OwnClips(root, validation=0.0)
    clips = [clip for clip in data.train + data.test if clip.action == action]
    assert sorted(clip.path.name for clip in clips) == [f"{i:03}{ending}" for i in range(6)]
    assert data.frames(clips[0]).shape == (FRAMES, 48, 64, 3)


def test_each_file_of_a_class_has_a_name_of_its_own(root):
    first = root / sorted(STEPS)[0] / "person0" / "000.AVI"
    shutil.copy(first, first.parents[1] / "person1" / "000.mp4")
    with pytest.raises(DataError, match=r"a second clip 000, beside .*differ in a class"):
        OwnClips(root)


def test_what_lies_beside_videos_is_no_clip(root):
    """Pictures, papers, archives, copies and the small films of cameras."""
    folder = root / sorted(STEPS)[0] / "person0"
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", noise)[1].tobytes()  # some 100 KB: FFmpeg tells by the ending
    (folder / "cover.jpeg2").write_bytes(jpeg)
    (folder / "cover.bmp").write_bytes(cv2.imencode(".bmp", noise)[1].tobytes())
    (folder / "cover.png2").write_bytes(cv2.imencode(".png", noise)[1].tobytes())
    (folder / "paper.pdf").write_bytes(b"%PDF-1.4\nstream\n" + jpeg + b"\nendstream\n")
    with zipfile.ZipFile(folder / "films.zip", "w") as archive:
        archive.write(folder / "000.AVI", "000.avi")
        archive.writestr("cover.jpg", jpeg)
    (folder / "notes.txt").write_text("to do\n" * 999, encoding="utf-8")
    (folder / "empty").write_bytes(b"")
    for copy in ("000.LRV", "000.AVI.bak"):
        shutil.copy(folder / "000.AVI", folder / copy)
    with pytest.warns(UserWarning, match="9 files are left out"):
        data = OwnClips(root, validation=0.0)
    assert len(data.train) + len(data.test) == 18


def test_each_class_keeps_a_source_for_training(root):
    alone, *_ = sorted(STEPS)
    for person in ("person1", "person2"):
        shutil.rmtree(root / alone / person)
    for split in (1, 2, 3):
        data = OwnClips(root, split, validation=0.5)
        assert {clip.action for clip in data.train} == set(STEPS)


def test_splits_are_draws_that_repeat(root):
    draws = [listed(OwnClips(root, split, validation=0.0), "test") for split in (1, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len({frozenset(one) for one in draws}) > 1


def test_accents_of_names_may_be_composed_or_not(root):
    """A Mac's copy has them apart, in a list they are typed as one letter."""
    apart, composed = (unicodedata.normalize(form, "höhe") for form in ("NFD", "NFC"))
    assert apart != composed
    action = sorted(STEPS)[0]
    (root / action).rename(root / apart)
    (root / apart / "person0" / "000.AVI").rename(root / apart / "person0" / f"{apart}.AVI")
    mask = root / "masks" / composed / f"{composed}.mat"
    mask.parent.mkdir(parents=True)
    savemat(mask, {"part_mask": np.zeros((48, 64, FRAMES), np.uint8)})
    rows = f"{composed},{composed},train,a\n005,{composed},test,b\n"
    (root / "split.csv").write_text(f"clip,class,part,source\n{rows}", encoding="utf-8")
    data = OwnClips(root, validation=0.0)
    assert (data.classes, data.missing, data.has_silhouettes) == ((composed,), (), True)
    assert data.frames(data.train[0]).shape == (FRAMES, 48, 64, 3)
    assert data.train[0].mask_path == mask
    write_avi(root / composed / "person0" / "001.AVI", clip_arrays(action, 1, FRAMES)[0])
    with pytest.raises(DataError, match="4 folders with videos"):  # a copy of both kinds
        OwnClips(root)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_says_what_trains(root, separator):
    rows = [["Clip", "class", "part", "source"]]
    rows += [
        [f"{i:03}.AVI", a, "test" if i > 3 else "train", f"s{i}"] for a in STEPS for i in (0, 1, 4)
    ]
    text = "\ufeff" + "\r\n".join(separator.join(row) for row in rows)
    (root / "split.csv").write_text(text, encoding="utf-8")
    with pytest.warns(UserWarning, match="9 clips in no list are left out, as jump/002"):
        data = OwnClips(root, 2, validation=0.0)
    assert listed(data, "test") == {f"{action}-004" for action in STEPS}
    assert len(data.train) == 6
    assert {clip.source for clip in data.train} == {"s0", "s1"}


@pytest.mark.parametrize("form", ["{} {}", "{} 8 {}"])
@pytest.mark.parametrize("test", ["test.txt", "val1.txt"])
def test_lists_of_mmaction2_and_tsn_are_read(root, form, test):
    for file, numbers in (
        (test.replace("test", "train").replace("val", "train"), (0, 1)),
        (test, (2,)),
    ):
        lines = [
            form.format(f"clips/{a}/{i:03}.mp4", n) for n, a in enumerate(STEPS) for i in numbers
        ]
        (root / file).write_text("\n".join(lines), encoding="utf-8")
    data = OwnClips(root, validation=0.0)
    assert listed(data, "test") == {f"{action}-002" for action in STEPS}
    assert len(data.train) == 6


def test_masks_may_be_mat_npz_or_png_and_of_some_clips(root):
    video, masks = clip_arrays("push", 0, FRAMES)
    folder = root / "masks" / "push"
    folder.mkdir(parents=True)
    savemat(folder / "000.mat", {"part_mask": masks.transpose(1, 2, 0)})
    np.savez(folder / "001.npz", masks=masks)
    (folder / "002").mkdir()
    for t, mask in enumerate(masks):
        cv2.imwrite(str(folder / "002" / f"{t}.png"), 255 * mask)
    data = OwnClips(root, validation=0.0)
    assert data.has_silhouettes
    clips = {clip.name: clip for clip in (*data.train, *data.test)}
    for name in ("push-000", "push-001", "push-002"):
        np.testing.assert_array_equal(data.silhouettes(clips[name], video), masks)
    assert not data.silhouettes(clips["push-003"], video).any()
    with pytest.raises(DataError, match="8 masks; expected 9"):
        data.silhouettes(clips["push-001"], np.concatenate([video, video[:1]]))


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("split.csv", "clip,part\n000,train\n", "columns clip, part; expected also class"),
        ("split.csv", "clip,class,part\n000,push,val\n", "line 2: found part 'val'"),
        ("split.csv", "clip,class,part\n000,push,train\n000.AVI,push,test\n", "a second time"),
        ("split.csv", "clip,class,part\n../x,push,train\n", "missing: push/x"),
        ("split.csv", "clip,class,part\n009,push,train\n", "1 of the 1 clips of split 1 missing"),
        ("split.csv", "clip,class,part\n000,push,train\n001,push,test\n", "on both sides"),
        ("split.csv", "clip,class,part\n", "an empty list"),
        ("split.csv", "clip,class,part\n", "Save it as UTF-8"),
        ("train.txt", "push/000.mp4\n", "'push/000.mp4'; expected '<class>/<clip> <label>'"),
    ],
)  # fmt: skip
def test_bad_lists_are_refused_with_their_place(root, file, text, found):
    (root / file).write_text(text, encoding="utf-16" if "UTF" in found else "utf-8")
    (root / "test.txt").write_text("pick/000 2\n", encoding="utf-8")
    with pytest.raises(DataError, match=found) as caught:
        OwnClips(root, validation=0.0)
    assert str(root) in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("name", [b"caf\xe9", b"a\nb", b"x" * 210])
def test_a_class_whose_name_nothing_can_store_is_refused(root, name):
    (root / "push").rename(root / os.fsdecode(name))
    with pytest.raises(DataError, match=r"a plain clip name|at most 200"):
        OwnClips(root)


def test_classes_of_one_source_each_cannot_be_tested(root):
    for action in STEPS:
        for source in ("person1", "person2"):
            shutil.rmtree(root / action / source)
    with pytest.raises(DataError, match="one source in every class"):
        OwnClips(root)


def test_folders_that_are_no_data_set_are_refused(root, tmp_path):
    with pytest.raises(DataError, match="0 folders with videos"):
        OwnClips(tmp_path / "clips" / "push" / "person0")
    with pytest.raises(DataError, match=f"Or is {re.escape(str(root))} a folder of classes"):
        OwnClips(tmp_path)
    for path in root.rglob("*.AVI"):
        path.rename(path.with_stem(f"{path.parts[-3]}{path.stem}"))
    said = f"1 folders .*Or are the classes in {re.escape(str(root))}"
    with pytest.raises(DataError, match=said):
        OwnClips(tmp_path)
    shutil.copy(root / "push" / "person0" / "push000.AVI", root / "push" / "a")  # a class's own
    with pytest.warns(UserWarning, match="1 files are left out, for example a: .* in no class"):
        OwnClips(root / "push")
    (root / "masks" / "push").mkdir(parents=True)
    np.savez(root / "masks" / "push" / "typo.npz", masks=np.ones((8, 48, 64)))
    with pytest.raises(DataError, match="masks of push/typo, and no such clip"):
        OwnClips(root)


def test_one_command_trains_and_its_card_names_the_clips(root, tmp_path, capsys, monkeypatch):
    write_networks(tmp_path)
    monkeypatch.chdir(tmp_path)
    here = {"root": "clips", "cache": "cache"}  # not whole paths
    here |= {f"{s}_weights": f"{s}.safetensors" for s in ("appearance", "motion")}
    command = train_command(tmp_path, "run", "--figures", dataset="folder", **here)
    assert main(command) == 0
    assert "finished before" not in capsys.readouterr().out
    assert main(command) == 0
    assert "finished before" in capsys.readouterr().out
    monkeypatch.chdir(root)  # what opens the run later may stand anywhere
    for name in ("curves.png", "confusion.png"):
        assert cv2.imread(str(tmp_path / "run" / name)).std() > 1
    table = (tmp_path / "run" / "per_class.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in table] == ["class", *sorted(STEPS)]
    card = (tmp_path / "run" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("# RSTAN on clips, split 1")
    assert "The user's own clips in the folder clips. " in card
    assert "silhouettes in training: ce (no training clip has one: as without" in card
    video = root / "push" / "person0" / "000.AVI"
    run = str(tmp_path / "run")
    assert main(["predict", str(video), "--run", run, "--out", str(tmp_path / "seen")]) == 0
    assert main(["evaluate", run]) == 0
    assert not (root / "cache").exists()
    said = capsys.readouterr().out
    assert all(name in said for name in STEPS)


READER = '''
from rstan_lite.data.own_clips import OwnClips

class Reversed(OwnClips):
    """My clips, played backwards."""

    NAME, TITLE = "reversed", "my clips, played backwards"

    def frames(self, clip):
        return super().frames(clip)[::-1].copy()
'''


def test_a_reader_from_outside_is_named_by_its_module(root, tmp_path, monkeypatch):
    (tmp_path / "my_reader_of_clips.py").write_text(READER, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    plain, own = open_clips("folder", root), open_clips("my_reader_of_clips:Reversed", root)
    clip = own.test[0]
    np.testing.assert_array_equal(own.frames(clip), plain.frames(clip)[::-1])
    write_networks(tmp_path)
    assert main(train_command(tmp_path, "run", dataset="my_reader_of_clips:Reversed")) == 0
    assert (
        (tmp_path / "run" / "MODEL_CARD.md")
        .read_text(encoding="utf-8")
        .startswith("# RSTAN on Reversed")
    )
    sys.modules.pop("my_reader_of_clips")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("no_such_module:Reader", "No module named"),
        ("json:Reader", "has no attribute"),
        ("json:loads", "a function; expected module:Class of a subclass"),
        ("holder", "expected one of"),
        ("a b:C", "expected one of"),
    ],
)
def test_a_name_that_is_no_reader_is_said(root, name, found):
    with pytest.raises(ConfigError, match=found):
        open_clips(name, root)


@pytest.mark.parametrize("images", [False, True])
def test_a_network_of_other_clips_with_these_names_is_not_taken(root, tmp_path, images):
    if images:
        for path in list(root.rglob("*.AVI")):
            path.with_suffix("").mkdir()
            path.rename(path.with_suffix("") / "1.png")
    data = OwnClips(root)
    path = tmp_path / "cache" / "tuned" / "motion-1.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")

    def found():
        return find_network(data, "puppetnet", "motion", tmp_path / "cache") == path

    for old in (False, True):  # a card of before sizes were written
        split = split_name(data)
        if old:
            del split["sizes"]
        card = {"backbone": "puppetnet", "split": split, "best": {"validation_accuracy": 1}}
        path.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
        assert found()
        clip = data.train[0].path / "1.png" if images else data.train[0].path
        clip.write_bytes(clip.read_bytes() + b"0")
        assert found() == old
