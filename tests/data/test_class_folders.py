"""The readers of UCF101 and HMDB51: lists, layouts, sources, and the official numbers."""

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from clips import write_hmdb51, write_ucf101

from rstan_lite.data.class_folders import HMDB51, UCF101
from rstan_lite.data.datasets import DATASETS, open_clips
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.data.own_clips import OwnClips
from rstan_lite.system.errors import ConfigError, DataError

pytestmark = pytest.mark.filterwarnings("ignore:.*are official.*:UserWarning")
WRITERS = {"ucf101": write_ucf101, "hmdb51": write_hmdb51}
VIDEOS = {"ucf101": "UCF-101", "hmdb51": "hmdb51_org"}


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """The layouts in small. Not to be changed by a test."""
    folder = tmp_path_factory.mktemp("folders")
    return {name: write(folder / name) for name, write in WRITERS.items()}


@pytest.fixture
def own(tmp_path, roots):
    """Copies that a test may change."""
    for name, root in roots.items():
        shutil.copytree(root, tmp_path / name)
    return {name: tmp_path / name for name in roots}


def test_ucf101_reads_what_was_written(roots):
    data = UCF101(roots["ucf101"], validation=0.0)
    assert data.classes == ("HandstandPushups", "JumpRope", "Pull")  # classInd's order
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 0, 6)
    clip = data.test[0]
    assert (clip.name, clip.label) == ("v_HandStandPushups_g04_c01", 0)
    assert clip.source == "v_HandStandPushups_g04"
    assert [c.label for c in data.test] == [0, 0, 1, 1, 2, 2]  # by class: test lines have no label


def test_hmdb51_reads_what_was_written(roots):
    data = HMDB51(roots["hmdb51"], validation=0.0)
    assert data.classes == ("climb", "climb_stairs", "wave")
    assert (len(data.train), len(data.validation), len(data.test)) == (15, 0, 6)
    listed = {clip.name for clip in data.train + data.test}
    assert not any(name.endswith("_5") for name in listed)  # marked 0: in no part
    assert {c.source for c in data.train if c.action == "climb_stairs"} == {
        "Film_1", "Film_11_(x)!", "Film_12_(x)!",
    }  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("images", [".png", ".jpg"])
def test_frames_read_like_videos(name, images, roots, tmp_path):
    frames = open_clips(name, WRITERS[name](tmp_path / "images", frames=12, images=images))
    videos = open_clips(name, roots[name])
    assert (frames.layout, videos.layout) == ("frames", VIDEOS[name])
    assert frames.identity() == videos.identity()
    assert [c.name for c in frames.test] == [c.name for c in videos.test]
    one, other = frames.frames(frames.test[0]), videos.frames(videos.test[0])
    assert (len(one), len(other)) == (12, 8)
    # the order of the frames: the eight of the video, which no other order resembles as much
    assert np.abs(one[:8].astype(int) - other).mean() < 25
    assert np.abs(one[:8][::-1].astype(int) - other).mean() > np.abs(one[:8] - other * 1.0).mean()


@pytest.mark.parametrize("name", WRITERS)
def test_drawn_masks_may_lie_beside_the_clips(name, own):
    assert not open_clips(name, own[name]).has_silhouettes
    clip = open_clips(name, own[name]).train[0]
    folder = own[name] / "masks" / clip.action.upper()
    folder.mkdir(parents=True)
    masks = np.zeros((8, 48, 64), np.uint8)
    masks[2:, 10:20, 30:40] = 1
    np.savez(folder / f"{clip.name.lower()}.npz", masks)
    data = open_clips(name, own[name])
    assert data.has_silhouettes
    frames = data.frames(clip)
    first, second = data.train[:2]
    np.testing.assert_array_equal(data.silhouettes(first, frames), masks)
    assert not data.silhouettes(second, frames).any()


@pytest.mark.parametrize("name", WRITERS)
def test_case_of_files_and_folders_does_not_matter(name, own):
    data = open_clips(name, own[name])
    folder = data.test[0].path.parent
    for path in sorted(folder.iterdir()):
        path.rename(path.with_name(path.name.upper()))
    folder.rename(folder.with_name("other"))
    (folder.with_name("other")).rename(folder.with_name(folder.name.swapcase()))
    again = open_clips(name, own[name])
    assert not again.missing
    assert again.frames(again.test[0]).shape == data.frames(data.test[2]).shape
    assert [c.name for c in again.test] == [c.name for c in data.test]


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("classInd.txt", "5 Late", r"expected '4 <class>'"),
        ("classInd.txt", "4 ../up", "plain clip name"),
        ("trainlist01.txt", "Push/v_Push_g09_c01.avi 3", "the class 'Push'"),
        ("trainlist01.txt", "Pull/v_Pull_g01_c01.avi 3", "a second time"),
        ("testlist01.txt", "Pull/v_Pull_g01_c01.avi", "a second time"),  # trained on already
        ("testlist01.txt", "Pull/../../v_Pull_g01_c01.avi", "plain clip name"),
        ("testlist01.txt", "Pull/v_Pull_g09_c01.mp4", "'<class>/<clip>.avi'"),
    ],
)
def test_bad_ucf101_lists(own, file, line, found):
    path = own["ucf101"] / "ucfTrainTestlist" / file
    with path.open("a", encoding="utf-8") as opened:
        opened.write(line + "\n")
    number = len(path.read_text(encoding="utf-8").splitlines())
    with pytest.raises(DataError, match=rf"{file}, line {number}: found .*{found}"):
        UCF101(own["ucf101"])


@pytest.mark.parametrize("file", ["classInd.txt", "trainlist01.txt", "testlist01.txt"])
def test_lost_ucf101_lists(own, file):
    path = own["ucf101"] / "ucfTrainTestlist" / file
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"{file}: found an empty list"):
        UCF101(own["ucf101"])
    path.unlink()
    with pytest.raises(DataError, match=f"{file}: found no such file"):
        UCF101(own["ucf101"])


@pytest.mark.parametrize(("name", "reader"), [("ucf101", UCF101), ("hmdb51", HMDB51)])
def test_numbers_of_the_lists(name, reader, roots, monkeypatch):
    with pytest.warns(UserWarning, match=f"3 of the .* classes of {reader.TITLE}"):
        reader(roots[name])
    monkeypatch.setattr(reader, "OFFICIAL", ((18 if name == "ucf101" else 15, 6),) * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader(roots[name])


def test_open_clips_by_name(roots, small_root):
    kinds = {"puppets": JHMDB, "jhmdb": JHMDB, "ucf101": UCF101, "hmdb51": HMDB51}
    kinds["folder"], roots = OwnClips, {**roots, "folder": small_root / "ReCompress_Videos"}
    assert set(kinds) == set(DATASETS)
    for name, kind in kinds.items():
        assert type(open_clips(name, roots.get(name, small_root))) is kind
    with pytest.raises(ConfigError, match="one of puppets, jhmdb, ucf101, hmdb51, folder"):
        open_clips("kinetics", small_root)


def _with_empty_clips(reader, lists: Path, root: Path) -> Path:
    """The real lists with an empty file for each clip: the reader looks at names alone."""
    (root / reader.LISTS).symlink_to(lists)
    for text in sorted(lists.glob("*.txt")):
        action = text.name.partition("_test_split")[0]
        for line in text.read_text(encoding="utf-8").splitlines():
            path = line.partition(".avi")[0] + ".avi"
            if path == line + ".avi":  # classInd.txt
                continue
            file = root / reader.VIDEOS / (path if "/" in path else f"{action}/{path}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return root


@pytest.mark.parametrize(
    ("reader", "variable", "clips"),
    [(UCF101, "RSTAN_UCF101_LISTS", 13320), (HMDB51, "RSTAN_HMDB51_LISTS", 6766)],
)
def test_real_lists(reader, variable, clips, tmp_path):
    """Counts of the official lists, and sources that no split parts."""
    lists = os.environ.get(variable)
    if not lists:
        pytest.skip(f"{variable} names no folder with the official lists of {reader.TITLE}")
    root = _with_empty_clips(reader, Path(lists).resolve(), tmp_path)
    assert len(list((root / reader.VIDEOS).rglob("*.avi"))) == clips
    identities = set()
    for split, (train, test) in enumerate(reader.OFFICIAL, start=1):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            data = reader(root, split)
        assert len(data.classes) == reader.CLASSES
        assert len(data.train) + len(data.validation) == train
        assert len(data.test) == test
        assert not data.missing
        sources = [{c.source for c in part} for part in (data.train, data.validation, data.test)]
        assert not sources[0] & sources[1]
        if reader is UCF101:
            assert not (sources[0] | sources[1]) & sources[2]
            assert len(set.union(*sources)) == 101 * 25
        share = len(data.validation) / train
        assert 0.08 < share < 0.16
        identities.add(data.identity())
    assert len(identities) == 1  # what is stored of a clip serves every split
