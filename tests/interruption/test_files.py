"""Files appear whole, what kills leave is cleared, and one process at a time is in a folder."""

import os
import platform
import subprocess
import sys
import time

import pytest
from measured import until

from rstan_lite.system import files
from rstan_lite.system.errors import BusyError, StoreError
from rstan_lite.system.files import alone, clear_parts, write_atomically

HOLD = """
import sys, time
from pathlib import Path
from rstan_lite.system.files import alone
with alone(Path(sys.argv[1]), "a run"):
    print("inside", flush=True)
    time.sleep(60)
"""


def test_the_file_before_is_kept_under_its_other_name(tmp_path):
    path, before = tmp_path / "a", tmp_path / "a.previous"
    write_atomically(path, b"1", keep=before)
    assert not before.exists()
    for content in (b"2", b"3"):
        write_atomically(path, content, keep=before)
    assert (path.read_bytes(), before.read_bytes()) == (b"3", b"2")
    write_atomically(path, b"4")
    assert (path.read_bytes(), before.read_bytes()) == (b"4", b"2")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "a.previous"]


def test_an_interruption_leaves_no_part_and_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_atomically(path, b"1")

    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"2", keep=tmp_path / "b")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert path.read_bytes() == b"1"


def test_parts_of_dead_processes_are_cleared_and_no_others(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = platform.node()
    (tmp_path / "below").mkdir()
    dead = tmp_path / "below" / f".a.bin.{ended.pid}@{here}.part"
    old = tmp_path / f".b.{os.getpid()}@elsewhere.part"
    kept = [
        tmp_path / f".c.{os.getpid()}@{here}.part",  # being written
        tmp_path / f".d.{ended.pid}@elsewhere.part",  # perhaps being written, on another machine
        tmp_path / ".e.zip.part",  # of a download, which goes on from it
        tmp_path / "f.part",
    ]
    for path in (dead, old, *kept):
        path.touch()
    day_before = time.time() - 2 * files._OLD
    os.utime(old, (day_before, day_before))
    clear_parts(tmp_path)
    assert not dead.exists()
    assert not old.exists()
    assert all(path.exists() for path in kept)


def test_what_a_zombie_left_is_cleared(tmp_path):
    """It has ended, but nobody has waited for it: its number is still taken."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as ended:
        left = tmp_path / f".a.{ended.pid}@{platform.node()}.part"
        left.touch()
        clear_parts(tmp_path)
        assert left.exists()  # it still works
        ended.kill()
        until(lambda: clear_parts(tmp_path) or not left.exists())


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as holder:
        assert holder.stdout.readline() == "inside\n"
        with (
            pytest.raises(BusyError, match="run: found a run by another process"),
            alone(folder, "a run"),
        ):
            pass
        holder.kill()
    assert (folder / ".lock").exists()  # the file is left, the lock is not
    with alone(folder, "a run"):
        (folder / "result").touch()
    assert [path.name for path in folder.iterdir()] == ["result"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    folder = alone(tmp_path / "file", "a run")
    with pytest.raises(StoreError, match="file: found a folder that can't"), folder:
        pass
