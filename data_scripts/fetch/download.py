"""Download a large file: go on where it stopped, check it, and name it when it is whole.

pooch checks the file and names it. The part between is our own: pooch can't resume a download.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm.auto import tqdm

from rstan_lite.system.errors import ConfigError, DataError
from rstan_lite.system.reading import check_regular

CHUNK = 2**20
AGAIN = "Give the same command again: it goes on where it stopped."
OTHER = "The file is damaged or another one: get it again, or from elsewhere."
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class _BrokenOffError(Exception):
    """An attempt that ended early; another may bring the rest."""


def download(
    url: str, path: Path, md5: str = "", hint: str = "", room: float = 0.0, timeout: float = 60.0,
    attempts: int = 5, pause: float = 3.0, progress: bool = True,
) -> Path:  # fmt: skip
    """Download a file, in several attempts if need be, and check it.

    path: the name that the file gets once it is whole; a file that is there already is checked
    and kept. md5: its checksum, where one is published; without it, only the size is checked.
    hint: what to do where the address is dead. room: space to leave free besides, in multiples of
    the file's size. timeout: seconds without a byte. attempts: how many in a row may bring less
    than a MiB. pause: seconds before the second; it doubles with each.
    Raises DataError (address, connection, size, checksum, disk), ConfigError (no http address).
    """
    import pooch

    if not url.startswith(("http://", "https://")):
        raise ConfigError("address", repr(url), "one that starts with http:// or https://")
    if not timeout > 0:
        raise ConfigError("--timeout", str(timeout), "seconds, more than 0")
    if path.exists():
        check_md5(path, md5)
        return path

    part = _Part(path, url, room, timeout, progress)

    def whole(url: str, output: str, keeper: object, check_only: bool = False) -> None:
        part.complete(attempts, pause, hint)
        part.give(output)

    pooch.get_logger().setLevel("WARNING")
    known = {path.name: f"md5:{md5}" if md5 else None}
    keeper = pooch.create(path.parent, base_url="", registry=known, urls={path.name: url})
    try:
        with _disk(path):
            keeper.fetch(path.name, downloader=whole)
            part.discard()
    except ValueError as error:  # what is wrong can't be told from the rest
        part.discard()
        raise DataError(url, "a file with another MD5", f"MD5 {md5}", OTHER) from error
    return path


class _Part:
    """The bytes that are there already, and what the server said of the file they belong to.

    tag, total: ETag or time of the last change; bytes of the whole file, or -1. What an earlier
    run left is taken up if it belongs to this address, and thrown away if not.
    """

    def __init__(self, path: Path, url: str, room: float, timeout: float, progress: bool) -> None:
        self.file = path.with_name(f".{path.name}.part")
        self.note = path.with_name(f".{path.name}.part.json")
        self.url, self.room, self.timeout, self.progress = url, room, timeout, progress
        self.tag, self.total = "", -1
        try:
            known = json.loads(self.note.read_text(encoding="utf-8"))
            if known["url"] == url:
                self.tag, self.total = str(known["tag"]), int(known["total"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no note: what lies in the file can't be told from another's bytes
        if self.size() > self.total:
            self.discard()

    def size(self) -> int:
        return self.file.stat().st_size if self.file.is_file() else 0

    def discard(self) -> None:
        self.file.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.tag, self.total = "", -1

    def give(self, output: str) -> None:
        """Lend the whole file to pooch, which removes its own name if the check is broken off."""
        with self.file.open("rb") as file:
            os.fsync(file.fileno())
        Path(output).unlink(missing_ok=True)
        try:
            os.link(self.file, output)
        except OSError:  # a file system without second names
            os.replace(self.file, output)

    def complete(self, attempts: int, pause: float, hint: str) -> None:
        """Fetch what is missing. See `download`."""
        failures = 0
        expected = self.file.name.removeprefix(".").removesuffix(".part")
        while self.total < 0 or self.size() < self.total:
            before = self.size()
            try:
                self._attempt()
            except _BrokenOffError as error:
                failures = 1 if self.size() - before >= CHUNK else failures + 1
                if failures >= attempts:
                    kept = f"{self.size()} bytes are kept. {AGAIN} " if self.size() else ""
                    found = f"{error} ({attempts} attempts)"
                    raise DataError(self.url, found, expected, kept + hint) from error
                time.sleep(pause * 2 ** (failures - 1))
            except HTTPError as error:
                found = f"HTTP {error.code} ({error.reason})"
                raise DataError(self.url, found, expected, hint) from error

    def _attempt(self) -> None:
        """One request; _BrokenOffError where another may do better, HTTPError where none will."""
        headers = {"User-Agent": "rstan-lite", "Accept-Encoding": "identity"}
        if offset := self.size():
            headers["Range"] = f"bytes={offset}-"
            if self.tag:
                headers["If-Range"] = self.tag  # if the file has changed, the server sends it whole
        try:
            with urlopen(Request(self.url, headers=headers), timeout=self.timeout) as response:
                self._begin(response)
                self._receive(response)
        except HTTPError as error:
            if error.code == 416:  # the file has fewer bytes than are here
                self.discard()
            elif error.code != 429 and error.code < 500:
                raise
            raise _BrokenOffError(f"HTTP {error.code} ({error.reason})") from error
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise _BrokenOffError(f"a connection that failed ({reason})") from error

    def _begin(self, response: Any) -> None:
        """Compare what the server says with what is there, or begin anew."""
        tag = response.headers.get("ETag", "")
        if not tag or tag.startswith("W/"):  # a weak one promises no equal bytes
            tag = response.headers.get("Last-Modified", "")
        if response.status == 206:
            stated = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            place = (int(stated[1]), int(stated[2])) if stated else None
            if place != (self.size(), self.total) or tag not in ("", self.tag):
                self.discard()
                raise _BrokenOffError("another file than before")
        else:
            length = response.headers.get("Content-Length", "")
            if not length.isdecimal():
                found = "an answer that does not state its size"
                raise DataError(self.url, found, "Content-Length, to know a whole file by")
            self.discard()
            self.tag, self.total = tag, int(length)
            with _disk(self.file):
                note = {"url": self.url, "tag": tag, "total": self.total}
                self.note.write_text(json.dumps(note), encoding="utf-8")
                self.file.touch()
        check_free(self.file.parent, self.total - self.size() + self.room * self.total)

    def _receive(self, response: Any) -> None:
        size = self.size()
        bar = tqdm(
            desc=self.file.name, total=self.total, initial=size, unit="B", unit_scale=True,
            unit_divisor=1024, disable=not self.progress,
        )  # fmt: skip
        with bar, self.file.open("ab") as file:
            # read1 hands on what has come: a stalled connection loses nothing
            while size < self.total and (block := response.read1(min(CHUNK, self.total - size))):
                with _disk(self.file):
                    file.write(block)
                    file.flush()
                size += len(block)
                bar.update(len(block))
        if size < self.total:
            raise _BrokenOffError(f"{size} of {self.total} bytes")


def check_free(folder: Path, needed: float) -> None:
    """Raise DataError where a folder's disk has fewer than `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        found, expected = f"{free / 2**30:.1f} GiB free", f"{needed / 2**30:.1f} GiB"
        raise DataError(folder, found, expected, "Make room first.")


def check_md5(path: Path, expected: str) -> None:
    """Raise DataError where a file has another MD5; an empty `expected` checks nothing."""
    import pooch

    if not expected:
        return
    check_regular(path, DataError, "an archive")
    with _disk(path):
        found = pooch.file_hash(str(path), alg="md5")
    if found != expected:
        found = f"{path.stat().st_size} bytes with MD5 {found}"
        raise DataError(path, found, f"MD5 {expected}", OTHER)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """A disk's complaint in our words, apart from a connection's, which has the same type."""
    try:
        yield
    except OSError as error:
        found = f"a file that can't be read or written ({error.strerror})"
        raise DataError(path, found, "a writable folder with free space", AGAIN) from error
