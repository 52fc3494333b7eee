"""Download a large file: go on where it stopped, check it, and name it when it is whole."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm.auto import tqdm

from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.reading import check_regular, read_json

CHUNK = 2**20
AGAIN = "Give the same command again: it goes on where it stopped."
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class _BrokenOffError(Exception):
    """An attempt that ended early; another may bring the rest."""


@dataclass
class _Part:
    """The bytes that are there already, and what the server said of the file they belong to."""

    path: Path
    url: str
    tag: str = ""  # the ETag, or the time of the last change
    total: int = -1

    @property
    def file(self) -> Path:
        return self.path.with_name(f".{self.path.name}.part")

    @property
    def note(self) -> Path:
        return self.path.with_name(f".{self.path.name}.part.json")

    @classmethod
    def found(cls, path: Path, url: str) -> _Part:
        """What an earlier run left, if it belongs to this address; else an empty part."""
        part = cls(path, url)
        try:
            known = read_json(part.note, DataError, "a note")
            if known["url"] == url:
                part.tag, part.total = str(known["tag"]), int(known["total"])
        except (DataError, ValueError, KeyError, TypeError, OverflowError):
            pass  # no note: what lies in the file can't be told from another's bytes
        if part.total < 0 or part.size() > part.total:
            part.discard()
        return part

    def size(self) -> int:
        return self.file.stat().st_size if self.file.is_file() else 0

    def begin(self, tag: str, total: int) -> None:
        """Start anew with a file of which the server says this."""
        self.discard()
        self.tag, self.total = tag, total
        note = {"url": self.url, "tag": tag, "total": total}
        self.note.write_text(json.dumps(note), encoding="utf-8")
        self.file.touch()

    def discard(self) -> None:
        self.file.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.tag, self.total = "", -1


def download(
    url: str,
    path: str | Path,
    md5: str = "",
    hint: str = "",
    room: float = 0.0,
    timeout: float = 60.0,
    attempts: int = 5,
    pause: float = 3.0,
    progress: bool = True,
) -> Path:
    """Download a file, in several attempts if need be, and check it.

    path: the name that the file gets once it is whole; a file that is there already is checked
    and kept. md5: its checksum, where one is published; without it, only the size is checked.
    hint: what to do where the address is dead. room: space to leave free besides, in multiples of
    the file's size. timeout: seconds without a byte. attempts: how many in a row may bring less
    than a MiB. pause: seconds before the second; it doubles with each.
    A part that an interruption leaves is taken up if the server still has the same file (by its
    ETag or date, and size), and thrown away if not.
    Raises DataError (address, connection, size, checksum, disk), ConfigError (no http address).
    """
    path = Path(path)
    if not url.startswith(("http://", "https://")):
        raise ConfigError("address", repr(url), "one that starts with http:// or https://")
    if not timeout > 0:
        raise ConfigError("--timeout", str(timeout), "seconds, more than 0")
    if path.exists():
        _Part(path, url).note.unlink(missing_ok=True)  # of a run that was killed after the rename
        check_md5(path, md5, progress)
        return path
    with _disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _Part.found(path, url)
    failures = 0
    while part.total < 0 or part.size() < part.total:
        before = part.size()
        try:
            _attempt(part, room, timeout, progress)
        except _BrokenOffError as error:
            failures = 1 if part.size() - before >= CHUNK else failures + 1
            if failures >= attempts:
                kept = f"{part.size()} bytes are kept. {AGAIN} " if part.size() else ""
                found, expected = f"{error} ({attempts} attempts)", f"the file {path.name}"
                raise DataError(url, found, expected, f"{kept}{hint}") from error
            time.sleep(pause * 2 ** (failures - 1))
        except HTTPError as error:
            found = f"HTTP {error.code} ({error.reason})"
            raise DataError(url, found, f"the file {path.name}", hint) from error
    try:
        check_md5(part.file, md5, progress)
    except DataError:
        part.discard()  # what is wrong can't be told from what is right
        raise
    with _disk(path):
        with part.file.open("rb") as file:
            os.fsync(file.fileno())  # whole on the disk before it has its name
        os.replace(part.file, path)
        part.note.unlink(missing_ok=True)
    return path


def _attempt(part: _Part, room: float, timeout: float, progress: bool) -> None:
    """One request; _BrokenOffError where another may do better, HTTPError where none will."""
    headers = {"User-Agent": "rstan-lite", "Accept-Encoding": "identity"}
    if offset := part.size():
        headers["Range"] = f"bytes={offset}-"
        if part.tag:
            headers["If-Range"] = part.tag  # if the file has changed, the server sends all of it
    try:
        with urlopen(Request(part.url, headers=headers), timeout=timeout) as response:
            _begin(part, response, offset)
            _check_room(part, room)
            _receive(part, response, progress)
    except HTTPError as error:
        if error.code == 416:  # the file has fewer bytes than are here
            part.discard()
        elif error.code != 429 and error.code < 500:
            raise
        raise _BrokenOffError(f"HTTP {error.code} ({error.reason})") from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise _BrokenOffError(f"a connection that failed ({reason})") from error


def _begin(part: _Part, response: Any, offset: int) -> None:
    """Compare what the server says with the part that is there, or begin a part."""
    tag = response.headers.get("ETag", "")
    if not tag or tag.startswith("W/"):  # a weak one promises no equal bytes
        tag = response.headers.get("Last-Modified", "")
    if response.status == 206:
        stated = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        place = (int(stated[1]), int(stated[2])) if stated else None
        if place != (offset, part.total) or tag not in ("", part.tag):
            part.discard()
            raise _BrokenOffError("another file than before")
        return
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal():
        found = "an answer that does not state its size"
        raise DataError(part.url, found, "Content-Length, to know a whole file by")
    with _disk(part.file):
        part.begin(tag, int(length))


def _check_room(part: _Part, room: float) -> None:
    check_free(part.path.parent, part.total - part.size() + room * part.total)


def check_free(folder: Path, needed: float) -> None:
    """Raise DataError where a folder's disk has fewer than `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            folder, f"{free / 2**30:.1f} GiB free", f"{needed / 2**30:.1f} GiB", "Make room first."
        )


def _receive(part: _Part, response: Any, progress: bool) -> None:
    size = part.size()
    bar = tqdm(
        desc=part.path.name, total=part.total, initial=size, unit="B", unit_scale=True,
        unit_divisor=1024, disable=not progress,
    )  # fmt: skip
    with bar, part.file.open("ab") as file:
        # read1 hands on what has come: a stalled connection loses nothing
        while size < part.total and (block := response.read1(min(CHUNK, part.total - size))):
            with _disk(part.file):
                file.write(block)
                file.flush()
            size += len(block)
            bar.update(len(block))
    if size < part.total:
        raise _BrokenOffError(f"{size} of {part.total} bytes")


def check_md5(path: Path, expected: str, progress: bool = True) -> None:
    """Raise DataError where a file has another MD5; an empty `expected` checks nothing."""
    if not expected:
        return
    check_regular(path, DataError, "an archive")
    digest = hashlib.md5(usedforsecurity=False)
    bar = tqdm(desc="checksum", unit="B", unit_scale=True, unit_divisor=1024, disable=not progress)
    try:
        size = path.stat().st_size
        bar.reset(size)
        with bar, path.open("rb") as file:
            while block := file.read(CHUNK):
                digest.update(block)
                bar.update(len(block))
    except OSError as error:
        raise DataError(path, f"an unreadable file ({error.strerror})", "an archive") from error
    if digest.hexdigest() != expected:
        raise DataError(
            path,
            f"{size} bytes with MD5 {digest.hexdigest()}",
            f"MD5 {expected}",
            "The file is damaged or another one: get it again, or from elsewhere.",
        )


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """A disk's complaint in our words, apart from a connection's, which has the same type."""
    try:
        yield
    except OSError as error:
        found = f"a file that can't be written ({error.strerror})"
        raise DataError(path, found, "a writable folder with free space", AGAIN) from error
