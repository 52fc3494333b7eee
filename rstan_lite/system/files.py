"""Files that appear whole or not at all, and folders that one process at a time works in."""

import errno
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from rstan_lite.system.errors import BusyError, StoreError
from rstan_lite.system.settings import OTHER_CACHE, default_cache

LOCK = ".lock"
_PART = re.compile(r"\..+\.(?P<pid>\d+)@(?P<host>.*)\.part")
_OLD = 24 * 3600  # seconds after which no one is still writing a file, on whatever machine


def write_atomically(path: Path, content: bytes | memoryview, keep: Path | None = None) -> None:
    """Write a file whole or not at all: temporary name, flush to the disk, rename, flush that.

    keep: the name that the file which was there until now gets; it is replaced. A kill between the
    two renames leaves that one alone. What a kill leaves, `clear_parts` takes away.
    Raises StoreError for a full disk or a folder that is read-only; no part of the file remains.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}@{platform.node()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if keep is not None and path.exists():
            os.replace(path, keep)
        os.replace(temporary, path)
        _flush(path.parent)
    except BaseException as error:  # an interruption, too
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        found, expected = f"a file that can't be written ({error})", "a writable folder"
        hint = cache_hint(path)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            there = next(folder for folder in path.absolute().parents if folder.exists())
            found = f"a full disk ({shutil.disk_usage(there).free >> 20} MiB free)"
            expected = f"room for {len(content) >> 10} KiB and the clips after it"
            hint = "Make room and run the same command: it goes on where it stopped."
        raise StoreError(path, found, expected, hint) from error


def cache_hint(path: Path) -> str:
    """How to choose another cache, where a path lies in the default one."""
    inside = path.absolute().is_relative_to(Path(default_cache()).absolute())
    return OTHER_CACHE if inside else ""


def _flush(folder: Path) -> None:
    """Bring a folder's new names to the disk: else a power cut may lose what a rename did."""
    if os.name == "nt":  # Windows has no such call; its renames are in the disk's own journal
        return
    descriptor = os.open(folder, os.O_RDONLY)
    with suppress(OSError):  # a file system whose folders can't be flushed
        os.fsync(descriptor)
    os.close(descriptor)


def clear_parts(folder: Path) -> None:
    """Remove, in a folder and those below, what processes that were killed left half written."""
    for path in folder.rglob(".*.part"):
        found = _PART.fullmatch(path.name)
        with suppress(FileNotFoundError):  # whole by now, or removed by another process
            if found is None:
                continue
            ended = found["host"] == platform.node() and _has_ended(int(found["pid"]))
            if ended or time.time() - path.stat().st_mtime > _OLD:
                path.unlink()


def _has_ended(pid: int) -> bool:
    """Whether a process writes no more: it is gone, or a zombie that nobody has waited for yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error as error:  # another user's process may not be looked at: it is there
        return isinstance(error, psutil.NoSuchProcess)


@contextmanager
def alone(folder: Path, work: str, lock: str = LOCK) -> Iterator[None]:
    """Inside, no other process enters for the same folder and lock; the folder is made for it.

    work: what is done there, for the message. lock: the name of the file that is locked. The
    system takes the lock from a process that ends, however the process ends.
    Raises BusyError where another process is inside, StoreError for a folder that can't be written.
    """
    path, made = folder / lock, not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        found = f"a folder that can't be written ({error.strerror})"
        raise StoreError(folder, found, "a writable folder", cache_hint(folder)) from error
    held = FileLock(path, timeout=0)
    try:
        held.acquire()
    except Timeout:
        hint = "Wait until it has ended, stop it, or give another folder."
        expected = "no other process at the same work"
        raise BusyError(folder, f"{work} by another process", expected, hint) from None
    except OSError as error:  # a file system without locks
        print(f"warning: {path}: can't be locked ({error.strerror}); go on", file=sys.stderr)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows: the library removes it once it is unlocked
            path.unlink()  # before it is unlocked: who locks it now sees that it is gone
        held.release()
        if made:
            with suppress(OSError):
                folder.rmdir()  # where nothing came of it
