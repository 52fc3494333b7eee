"""Full disks, folders that can't be read or written, links that lead nowhere: nothing half done."""

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from data_scripts.fetch.archives import extract
from rstan_lite.classroom.copies import write_copies
from rstan_lite.data.jhmdb import JHMDB
from rstan_lite.features.store import Store
from rstan_lite.show.frames import write_animation
from rstan_lite.system.errors import RstanError
from tests.classroom.made import words, write
from tests.fetch.made import write_zip

resource = pytest.importorskip("resource")  # its limits stand for a full disk

NOBODY = 65534


def _store(out: Path) -> None:
    data = JHMDB(out.parent / "clips", validation=0)
    store = Store(out / "store", {"size": 1})
    store.write(data.test[0], {"cubes": torch.zeros(9000)})


def _copies(out: Path) -> None:
    source = out.parent / "n.ipynb"
    if not source.exists():
        write(source, words("x" * 20_000))
    write_copies("teacher", [source], out)


def _archive(out: Path) -> None:
    archive = out.parent / "a.zip"
    if not archive.exists():
        write_zip(archive, ("clips/a.avi", bytes(range(256)) * 300))
    extract(archive, out, "clips", progress=False)


WRITERS: dict[str, Callable[[Path], object]] = {
    "store": _store,
    "animation": lambda out: write_animation(
        np.random.default_rng(0).integers(0, 255, (9, 64, 64, 3), dtype=np.uint8), out / "a.mp4"
    ),
    "copies": _copies,
    "archive": _archive,
}
every_writer = pytest.mark.parametrize("make", WRITERS.values(), ids=WRITERS)


@pytest.fixture
def out(small_root, tmp_path):
    (tmp_path / "clips").symlink_to(small_root)
    return tmp_path / "out"


def files(folder: Path) -> list[str]:
    """Files under a folder; a store's key is whole, and may stay."""
    found = [p for p in folder.rglob("*") if p.is_file() and p.name != "key.json"]
    return sorted(str(path.relative_to(folder)) for path in found)


@contextlib.contextmanager
def small_files(size: int) -> Iterator[None]:
    """The system refuses to let a file grow past a size, as a quota does."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


@every_writer
def test_a_disk_that_takes_no_more_than_the_beginning(out, make):
    make(out.parent / "once")  # what it needs is made, and it can be written at all
    assert files(out.parent / "once")
    with small_files(4096), pytest.raises(RstanError) as caught:
        make(out)
    assert str(out) in caught.value.where or out.parent.name in caught.value.where
    assert files(out) == []
    make(out)  # with room, the same call goes on
    assert files(out)


@every_writer
def test_a_file_where_the_folder_should_be(out, make):
    out.write_text("somebody's", encoding="utf-8")
    with pytest.raises(RstanError):
        make(out)
    assert out.read_text(encoding="utf-8") == "somebody's"


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """As a user whom permissions hold off; root is not held off."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@every_writer
def test_a_folder_that_can_not_be_written(out, make):
    make(out.parent / "once")
    _open_to_all(out)
    out.mkdir(mode=0o555)
    with unprivileged(), pytest.raises(RstanError):
        make(out)
    assert files(out) == []


def test_clips_that_can_not_be_read(small_root, tmp_path):
    root = tmp_path / "clips"
    shutil.copytree(small_root, root)
    data = JHMDB(root, validation=0)
    clip = data.test[0]
    frames = data.frames(clip)
    data.silhouettes(clip, frames)
    _open_to_all(root / "splits")
    clip.path.chmod(0)
    clip.mask_path.chmod(0)
    with unprivileged():
        with pytest.raises(RstanError, match=clip.name):
            data.frames(clip)
        with pytest.raises(RstanError, match="puppet_mask"):
            data.silhouettes(clip, frames)
    (root / "splits").chmod(0)
    with unprivileged(), pytest.raises(RstanError, match="Permission denied"):
        JHMDB(root)
    (root / "splits").chmod(0o755)


def _open_to_all(path: Path) -> None:
    """Let other users reach a folder of pytest's, which are private."""
    for folder in path.parents:
        if str(folder).startswith(str(Path(os.environ.get("TMPDIR", "/tmp")))) and folder.is_dir():
            with contextlib.suppress(OSError):
                folder.chmod(folder.stat().st_mode | 0o055)
