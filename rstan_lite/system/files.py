"""Files that appear whole or not at all, and folders that one process at a time works in."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rstan_lite.system.errors import BusyError, StoreError

LOCK = ".lock"
_PART = re.compile(r"\..+\.(?P<pid>\d+)@(?P<host>.*)\.part")
_OLD = 24 * 3600  # seconds after which no one is still writing a file, on whatever machine
_TAKEN = (errno.EACCES, errno.EAGAIN)


def write_whole(path: Path, content: bytes | memoryview, keep: Path | None = None) -> None:
    """Write a file whole or not at all: temporary name, flush to the disk, rename, flush that.

    keep: the name that the file which was there until now gets; it is replaced. A kill between the
    two renames leaves that one alone.
    Raises OSError; no part of the file remains then. What a kill leaves, `clear_parts` takes away.
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
    except BaseException:  # an interruption, too
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes | memoryview, keep: Path | None = None) -> None:
    """`write_whole`, with its complaints as StoreError: a full disk, a folder that is read-only."""
    try:
        write_whole(path, content, keep)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            there = next(folder for folder in path.absolute().parents if folder.exists())
            free = shutil.disk_usage(there).free
            raise StoreError(
                path,
                f"a full disk ({free >> 20} MiB free)",
                f"room for {len(content) >> 10} KiB and the clips after it",
                "Make room and run the same command: it goes on where it stopped.",
            ) from error
        raise StoreError(
            path, f"a file that can't be written ({error})", "a writable folder"
        ) from error


def _flush(folder: Path) -> None:
    """Bring a folder's new names to the disk: else a power cut may lose what a rename did."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system whose folders can't be flushed
            raise
    finally:
        os.close(descriptor)


def clear_parts(folder: Path) -> None:
    """Remove, in a folder and those below, what processes that were killed left half written."""
    for path in folder.rglob(".*.part"):
        found = _PART.fullmatch(path.name)
        with suppress(FileNotFoundError):  # whole by now, or removed by another process
            if found and _abandoned(int(found["pid"]), found["host"], path):
                path.unlink()


def _abandoned(pid: int, host: str, path: Path) -> bool:
    if host == platform.node() and not _runs(pid):
        return True
    return time.time() - path.stat().st_mtime > _OLD


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    with suppress(OSError):  # not Linux, or it ended just now
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        return state != "Z"  # ended, but its parent has not asked how: a container's may never
    return True


@contextmanager
def alone(folder: Path, work: str, lock: str = LOCK) -> Iterator[None]:
    """Inside, no other process enters for the same folder and lock; the folder is made for it.

    work: what is done there, for the message. lock: the name of the file that is locked. The
    system takes the lock from a process that ends, however it ends, so none is left behind; a
    process that this one starts does not hold it.
    Raises BusyError where another process is inside, StoreError for a folder that can't be written.
    """
    path, made = folder / lock, not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(path, work)
    except OSError as error:
        found = f"a folder that can't be written ({error.strerror})"
        raise StoreError(folder, found, "a writable folder") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before it is unlocked: who locks it now sees it is gone
        os.close(descriptor)
        if made:
            with suppress(OSError):
                folder.rmdir()  # where nothing came of it


def _lock(path: Path, work: str) -> int:
    """A descriptor of the file, locked (a record lock, which children do not inherit)."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
                return descriptor
        except OSError as error:
            if error.errno in _TAKEN:
                holder = os.read(descriptor, 200).decode(errors="replace") or "another process"
                os.close(descriptor)
                raise BusyError(
                    path.parent,
                    f"{work} by {holder}",
                    "no other process at the same work",
                    "Wait until it has ended, stop it, or give another folder.",
                ) from None
            print(f"warning: {path}: can't be locked ({error.strerror}); go on", file=sys.stderr)
            return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # removed by the process that had it; lock the new one


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
