"""Files read with care: regular ones, of bounded size, and every complaint in our own words."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rstan_lite.system.errors import RstanError

MOST = 64 * 2**20  # bytes of a list or of JSON; the largest that the package knows is a notebook


@contextmanager
def disk_errors(kind: type[RstanError], where: str | Path, expected: str) -> Iterator[None]:
    """What the disk or its names complain of, as an exception of `kind` that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        found = f"something that can't be read or written ({reason})"
        raise kind(error.filename or where, found[:300], expected) from error


def check_regular(
    path: Path, kind: type[RstanError], expected: str, hint: str = "", most: int | None = None
) -> None:
    """Raise `kind` for what is no regular file, which to open may wait for ever, or too large.

    most: bytes that it may have; None for any number.
    """
    with disk_errors(kind, path, expected):
        try:
            found = path.stat()
        except FileNotFoundError:
            raise kind(path, "no such file", expected, hint) from None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise kind(path, what, expected, hint)
    if most is not None and found.st_size > most:
        raise kind(path, f"{found.st_size} bytes", f"{expected}, of {most} at most", hint)


def read_text(
    path: Path, kind: type[RstanError], expected: str, hint: str = "", most: int = MOST
) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; `kind` where there is none."""
    check_regular(path, kind, expected, hint, most)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise kind(path, f"an unreadable file ({error})", expected, hint) from error


def read_json(path: Path, kind: type[RstanError], expected: str, hint: str = "") -> Any:
    """The value in a JSON file; `kind` where it is damaged or nested too deeply to be read."""
    text = read_text(path, kind, expected, hint)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise kind(path, f"an unreadable file ({error})", expected, hint) from error
