"""Silhouettes drawn by a network: where their files lie, what is skipped, and how good they are."""

from pathlib import Path

import numpy as np
import pytest
from clips import STEPS, clip_arrays, write_avi, write_dataset, write_hmdb51, write_ucf101
from matplotlib import cbook
from PIL import Image

from data_scripts import draw_silhouettes as script
from rstan_lite.data.datasets import open_clips
from rstan_lite.data.silhouettes import read_masks

FRAMES = 8
pytestmark = pytest.mark.filterwarnings("ignore:.*are official.*:UserWarning")


def write_folder(root: Path) -> Path:
    """Clips of one's own: in folders of sources, and the same names in each class."""
    for action in STEPS:
        for i in range(4):
            video, _ = clip_arrays(action, i, FRAMES)
            write_avi(root / action / f"person{i}" / f"{i:03}.avi", video)
    return root


LAYOUTS = {
    "folder": write_folder, "jhmdb": write_dataset, "ucf101": write_ucf101, "hmdb51": write_hmdb51,
}  # fmt: skip


@pytest.fixture
def drawn(monkeypatch):
    """The clips that were drawn, by their numbers of frames."""
    calls: list[int] = []

    def draw(frames: np.ndarray) -> np.ndarray:
        calls.append(len(frames))
        masks = np.zeros(frames.shape[:3], np.uint8)
        masks[1:, 10:30, 5:20] = 1  # the first frame shows nobody
        return masks

    monkeypatch.setattr(script, "person_masks", draw)
    return calls


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_readers_take_what_is_drawn(name, tmp_path, drawn, capsys):
    root = LAYOUTS[name](tmp_path / name)
    if name == "jhmdb":
        (root / "puppet_mask").rename(tmp_path / "true")
    command = [str(root), "--dataset", name]
    assert script.main(command) == 0
    data = open_clips(name, root, validation=0.0)
    clips = [*data.train, *data.test]
    assert data.has_silhouettes
    assert len(drawn) == len(clips) > 0
    for clip in clips:
        masks = data.silhouettes(clip, data.frames(clip))
        assert not masks[0].any()
        assert masks[1:, 10:30, 5:20].all()
        assert masks.sum() == 300 * (len(masks) - 1)
    assert script.main(command) == 0  # what is there is kept
    assert len(drawn) == len(clips)
    assert f"{len(clips)} of {len(clips)} clips have masks" in capsys.readouterr().out


def test_true_masks_are_never_drawn_over(tmp_path, drawn):
    root = write_dataset(tmp_path / "jhmdb")
    before = {path: path.read_bytes() for path in root.rglob("*.mat")}
    assert script.main([str(root), "--dataset", "jhmdb"]) == 0
    assert drawn == []
    assert {path: path.read_bytes() for path in root.rglob("*.mat")} == before


def test_masks_keep_the_numbers_of_their_frames(tmp_path, drawn):
    """Of JHMDB as frames, mask k is that of the frame named k, also where the first are gone."""
    root = write_dataset(tmp_path / "jhmdb", images=True)
    for folder in root.glob("Rename_Images/*/*"):
        for number in (1, 2):
            (folder / f"{number:05}.png").unlink()
    assert script.main([str(root), "--dataset", "jhmdb", "--out", str(tmp_path / "out")]) == 0
    clip = open_clips("jhmdb", root).train[0]
    path = tmp_path / "out" / "puppet_mask" / clip.action / clip.name / "puppet_mask.mat"
    masks = read_masks(path, (drawn[0] + 2, 48, 64))
    assert masks.any(axis=(1, 2)).tolist() == [False] * 3 + [True] * (drawn[0] - 1)


def test_an_interrupted_run_goes_on(tmp_path, drawn, monkeypatch):
    root = write_folder(tmp_path / "clips")
    draw = script.person_masks

    def interrupted(frames: np.ndarray) -> np.ndarray:
        if len(drawn) == 5:
            raise KeyboardInterrupt
        return draw(frames)

    monkeypatch.setattr(script, "person_masks", interrupted)
    assert script.main([str(root)]) == 130
    assert len(list(root.rglob("*.mat"))) == 5
    monkeypatch.setattr(script, "person_masks", draw)
    assert script.main([str(root)]) == 0
    assert len(drawn) == len(list(root.rglob("*.mat"))) == 12


def test_damaged_clips_are_named_at_the_end(tmp_path, drawn, capsys):
    root = write_folder(tmp_path / "clips")
    bad = root / "push" / "person1" / "001.avi"
    bad.write_bytes(bad.read_bytes()[:5000])
    assert script.main([str(root)]) == 1
    said = capsys.readouterr()
    assert f"damaged: {bad}: found " in said.err
    assert "; expected " in said.err
    assert "11 drawn; nobody found in 0" in said.out
    assert len(drawn) == len(list(root.rglob("*.mat"))) == 11


def test_clips_without_a_person_are_named_and_train_without_masks(tmp_path, monkeypatch, capsys):
    root = write_folder(tmp_path / "clips")
    empty = iter(range(12))

    def draw(frames: np.ndarray) -> np.ndarray:
        return np.full(frames.shape[:3], next(empty) != 3, np.uint8)

    monkeypatch.setattr(script, "person_masks", draw)
    assert script.main([str(root)]) == 0
    assert capsys.readouterr().err.count("nobody found: ") == 1
    data = open_clips("folder", root, validation=0.0)
    blank = [c for c in (*data.train, *data.test) if not data.silhouettes(c, data.frames(c)).any()]
    assert len(blank) == 1


def test_agreement_by_hand():
    true = np.zeros((4, 4, 6), np.uint8)
    true[:3, 1:3, 1:5] = 1  # 8 pixels; the last frame shows nobody and does not count
    drawn = np.zeros_like(true)
    drawn[0, 1:3, 3:6] = 1  # 4 of them, and 2 others
    drawn[1, 0, 0] = 1  # elsewhere
    drawn[3] = 1
    np.testing.assert_allclose(script.agreement(drawn, true), [4 / 10, 0, np.nan])


def test_comparison_by_class(tmp_path, drawn, capsys):
    """Clips by which the table can be computed by hand: each class's true masks are the same."""
    root, out = write_dataset(tmp_path / "jhmdb"), tmp_path / "out"
    for i, path in enumerate(sorted(root.glob("puppet_mask/*/*/puppet_mask.mat"))):
        masks = np.zeros((16, 48, 64), np.uint8)
        masks[:, 10:30, 5:20] = 1
        masks[:, 10:30, 20:35] = i >= 6  # drawn in half, but for the first class
        path.write_bytes(script.mask_bytes(masks))
    command = [str(root), "--dataset", "jhmdb", "--out", str(out), "--compare", str(root)]
    assert script.main(command) == 0
    *_, head, first, second, third, everything = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "class"
    shares = [f"{84 / 90:.3f}", "1.000", f"{84 / 90:.3f}"]  # of six clips the first frame lacks
    assert first.split() == [sorted(STEPS)[0], "6", "90", *shares]
    assert second.split()[4] == third.split()[4] == "0.500"
    assert everything.split()[:3] == ["all", "18", "270"]
    sorted(out.rglob("*.mat"))[0].unlink()  # where nobody was found, all that is true counts
    data = open_clips("jhmdb", root, validation=0.0)
    table = script.compare(data, [*data.train, *data.test], out, root).splitlines()
    assert table[1].split()[2:] == ["92", f"{71 / 92:.3f}", "1.000", f"{71 / 92:.3f}"]


def test_bad_input_is_said(tmp_path, capsys):
    root = write_folder(tmp_path / "clips")
    assert script.main([str(tmp_path / "none")]) == 2
    assert "found no such folder" in capsys.readouterr().err
    assert script.main([str(root), "--compare", str(root)]) == 2
    assert "--compare: found" in capsys.readouterr().err


def test_a_missing_library_is_said(tmp_path, monkeypatch, capsys):
    for name in ("mediapipe", "mediapipe.python", "mediapipe.python.solutions"):
        monkeypatch.setitem(script.sys.modules, name, None)
    assert script.main([str(write_folder(tmp_path / "clips"))]) == 2
    assert "mediapipe: found no such library" in capsys.readouterr().err


def test_the_network_finds_a_person(tmp_path):
    """A portrait that Matplotlib ships, moved: runs where the script's own libraries are."""
    pytest.importorskip("mediapipe")
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = np.asarray(Image.open(file).convert("RGB").resize((256, 304)))
    moved = np.stack([np.roll(portrait, 2 * t, axis=1) for t in range(FRAMES)])
    for action in STEPS:
        for i in range(2):
            write_avi(tmp_path / action / f"{i}.avi", moved)
    nobody = np.full_like(moved, 90)
    write_avi(tmp_path / "push" / "nobody.avi", nobody)
    assert script.main([str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("masks/*/*.mat"))) == 2 * len(STEPS)
    masks = read_masks(tmp_path / "masks" / "push" / "0.mat", moved.shape[:3])
    assert masks[:, 80:290, 110:150].mean() > 0.95  # head, chest
    assert masks[:, :30, :40].mean() < 0.05  # the corner above the shoulder
    assert masks.mean(axis=(1, 2)).min() > 0.3
