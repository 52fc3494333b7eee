"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from rstan_lite.errors import StoreError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: temporary name, flush, rename.

    Raises StoreError where the disk is full or the folder read-only; no part of the file remains.
    """
    # a name of its own: another process, on another machine, may be at the same file
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(path.parent).free
            raise StoreError(
                path,
                f"a full disk ({free >> 20} MiB free)",
                f"room for {len(content) >> 10} KiB and the clips after it",
                "Make room and run the same command: it goes on where it stopped.",
            ) from error
        raise StoreError(
            path, f"a file that can't be written ({error})", "a writable folder"
        ) from error
