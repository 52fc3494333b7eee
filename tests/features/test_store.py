"""Stores: atomic, keyed, resumed, refused."""

import errno
import os
from pathlib import Path

import pytest
import torch

from rstan_lite.data.jhmdb import Clip
from rstan_lite.features.store import Store
from rstan_lite.system.errors import StoreError
from rstan_lite.system.files import write_atomically


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clips" / "odd !(+@) name.avi"
    path.parent.mkdir()
    path.write_bytes(b"some frames")
    return Clip(path.stem, "wave", 0, path, path, "src")


@pytest.fixture
def stored(tmp_path, clip):
    one = Store(tmp_path / "store", {"size": 224, "view": "centre"})
    one.write(clip, {"cubes": torch.arange(12.0).half().view(3, 4)})
    return one


def test_reads_back(stored, clip):
    assert stored.missing([clip]) == []
    torch.testing.assert_close(stored.read(clip, "cubes"), torch.arange(12.0).half().view(3, 4))
    again = Store(stored.folder, {"view": "centre", "size": 224})
    assert again.missing([clip]) == []


def test_other_key_is_refused_and_nothing_is_lost(stored, clip):
    with pytest.raises(
        StoreError, match=r"key\.json: found a store made with size=224; .*size=192"
    ):
        Store(stored.folder, {"size": 192, "view": "centre"})
    assert stored.missing([clip]) == []


def test_a_changed_clip_is_made_again(stored, clip):
    clip.path.write_bytes(b"other frames")
    assert stored.missing([clip]) == [clip]


def test_damaged_file(stored, clip):
    path = stored.path(clip)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(StoreError, match=r"name\.safetensors: found a missing or damaged file"):
        stored.read(clip, "cubes")
    (stored.folder / "key.json").write_text("{")
    with pytest.raises(StoreError, match=r"key\.json: found an unreadable file"):
        Store(stored.folder, {"size": 224})


def test_full_disk(stored, clip, monkeypatch, tmp_path):
    """The file in the making goes, the ones before stay, and the same call goes on later."""
    other = Clip("b", "wave", 0, clip.path, clip.path, "src")
    true = os.fsync

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"b\.safetensors: found a full disk .*Make room"):
        stored.write(other, {"cubes": torch.zeros(3)})
    monkeypatch.setattr(os, "fsync", true)
    assert [p.name for p in stored.folder.rglob("*.part")] == []
    assert stored.missing([clip, other]) == [other]
    stored.write(other, {"cubes": torch.zeros(3)})
    assert stored.missing([clip, other]) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_disk_for_real(monkeypatch):
    """The system's own ENOSPC, from a device that is always full."""
    opened = Path.open

    def open_full(self, *args, **options):
        return opened(Path("/dev/full") if self.name.endswith(".part") else self, *args, **options)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(StoreError, match="full disk"):
        write_atomically(Path("whatever.bin"), b"x" * 100)
    assert not Path("whatever.bin").exists()


def test_unwritable_folder(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StoreError, match="can't be written"):
        Store(blocked / "store", {"a": 1})
