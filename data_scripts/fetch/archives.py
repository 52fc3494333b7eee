"""Unpack an archive out of sight, look at each member first, then move what is wanted.

zipfile, tarfile (with its filter `data`) and rarfile write the files. What they do not look at is
looked at here: whether a member is a plain file, and how large all of them become.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import stat
import sys
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm.auto import tqdm

from rstan_lite.system.errors import DataError
from rstan_lite.system.settings import require_libraries

from .download import check_free

KINDS = (".zip", ".tar.gz", ".tgz", ".rar")
SMALL = 2**20  # bytes below which an archive's ratio is of no harm
LONGEST, DEEPEST = 1000, 64  # characters and folders of a name: more can't even be removed
MAX_HEADER = 2**16  # bytes of a tar header for a long name, which is read at once
MAX_PADDING = 2**26  # bytes behind tar's last member, which fills up to blocks of some KiB
INSTALL = (
    "Install one: unrar (Debian: non-free; macOS: brew install rar) or bsdtar (Debian, Ubuntu: "
    "apt install libarchive-tools; Fedora: bsdtar) or 7-Zip with its rar part (7zip-rar), or "
    "unpack the archive by other means and give the folder with --adopt."
)
DAMAGED = "It is damaged: copy or download it again."
_LEADS_OUT = re.compile(r"/|[A-Za-z]:|.*[\\\x00-\x1f\x7f]", re.DOTALL)
_BEHIND = (*tarfile.GNU_TYPES[:2], tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError,
    NotImplementedError,
)  # fmt: skip


@dataclass
class Limits:
    """How large an archive may become, so that a small file can't fill the disk.

    total: bytes of all members. ratio: of unpacked to packed bytes. members: how many of them.
    """

    total: int = 64 * 2**30
    ratio: float = 100.0
    members: int = 1_000_000


class _Gate:
    """Lets the members of an archive pass one by one; DataError at the first that may not."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self.archive, self.most = archive, limits.members
        self.allowed = min(limits.total, max(SMALL, limits.ratio * archive.stat().st_size))
        self.total = self.files = self.members = 0

    def check(self, name: str, size: int, kind: str) -> None:
        """name: as it stands in the archive. size: bytes. kind: "file", "folder" or another."""
        if kind not in ("file", "folder"):
            raise DataError(self.archive, f"{name!r}, a {kind}", "files and folders alone")
        parts = PurePosixPath(name).parts
        outside = _LEADS_OUT.match(name) or ".." in parts or (kind == "file" and not parts)
        if outside or len(name) > LONGEST or len(parts) > DEEPEST:
            found = f"a member named {name[:200]!r}, {len(parts)} folders deep"
            raise DataError(self.archive, found, "names inside its own folder, of usual length")
        self.total, self.members = self.total + size, self.members + 1
        self.files += kind == "file"
        if self.total > self.allowed or self.members > self.most:
            found = f"{self.members} members or more, of {self.total} bytes or more unpacked"
            expected = f"at most {self.most}, of {self.allowed:.0f} bytes"
            hint = "It is made to fill the disk, or not what its name says."
            raise DataError(self.archive, found, expected, hint)

    def close(self) -> None:
        """Raise DataError where no file has passed."""
        if not self.files:
            raise DataError(self.archive, "an archive without a file", "a data set's files")


def extract(
    archive: Path,
    target: Path,
    folder: str,
    nested: bool = False,
    limits: Limits | None = None,
    progress: bool = True,
) -> Path:
    """Unpack an archive so that `target/folder` is what it holds under that name.

    nested: the archive holds archives, whose members together make up the folder (HMDB51).
    All is unpacked in a hidden folder first, and moved when it is whole.
    Returns target/folder. Raises DataError for an archive of an unknown kind, one that is damaged,
    empty or encrypted, a member that leads elsewhere or is no plain file, one that becomes too
    large, a full disk, something in the folder's place, and rar without a program for it.
    """
    limits = limits or Limits()
    place, hidden = target / folder, target / f".unpacking-{archive.name}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(hidden, ignore_errors=True)  # what an interrupted run left
        hidden.mkdir()
        _unpack(archive, hidden, limits, progress)
        source = hidden / folder
        if nested:
            source = _unpack_nested(archive, hidden, folder, limits, progress)
        if not source.is_dir():
            held = ", ".join(sorted(p.name for p in hidden.iterdir())[:8])
            raise DataError(archive, f"an archive with {held}", f"one with the folder {folder}")
        if place.exists() or place.is_symlink():
            raise DataError(place, "something in the folder's place", "nothing", "Move it away.")
        os.replace(source, place)
    except OSError as error:
        found = f"a file that can't be read or written ({error})"
        raise DataError(archive, found, f"a disk with room, and {target} writable") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return place


def _unpack_nested(
    archive: Path, hidden: Path, folder: str, limits: Limits, progress: bool
) -> Path:
    """Unpack the archives in a folder into `hidden/.nested/folder`, each apart from the others."""
    parts = sorted(p for p in hidden.rglob("*") if p.name.lower().endswith(KINDS))
    if not parts:
        raise DataError(archive, "no archive inside", "one for each class")
    whole = hidden / ".nested" / folder
    whole.mkdir(parents=True)
    left = limits.total
    for part in parts:
        apart = hidden / ".nested" / ".apart"
        apart.mkdir()
        left -= _unpack(part, apart, replace(limits, total=left), progress)
        for path in apart.iterdir():
            if (whole / path.name).exists():
                raise DataError(archive, f"{path.name} in two of its archives", "it in one")
            os.replace(path, whole / path.name)
        apart.rmdir()
        part.unlink()  # as it goes, so that only one copy of the videos needs room
    return whole


def _unpack(archive: Path, folder: Path, limits: Limits, progress: bool) -> int:
    """Unpack an archive into an empty folder; returns the bytes of all its files."""
    name = archive.name.lower()
    if not name.endswith(KINDS):
        raise DataError(archive, "an unknown kind of archive", f"one of {', '.join(KINDS)}")
    if not archive.is_file():
        raise DataError(archive, "no such file", "an archive")
    bar = tqdm(
        desc=f"unpacking {archive.name}", unit="B", unit_scale=True, unit_divisor=1024,
        disable=not progress,
    )  # fmt: skip
    gate = _Gate(archive, limits)
    unpack = _unpack_zip if name.endswith(".zip") else _unpack_tar
    try:
        with bar:
            (_unpack_rar if name.endswith(".rar") else unpack)(archive, folder, gate, bar)
    except _DAMAGE as error:
        raise _damaged(archive, error, DAMAGED) from error
    return gate.total


def _damaged(archive: Path, error: Exception, hint: str) -> DataError:
    found = f"an archive that can't be read to its end ({error or type(error).__name__})"
    return DataError(archive, found, "a whole archive of the kind that its name says", hint)


def _unpack_listed(opened: Any, member: Any, folder: Path, gate: _Gate, bar: Any) -> None:
    """An archive that lists its members first: all are looked at before one is written."""
    entries = opened.infolist()
    for entry in entries:
        gate.check(*member(entry))
    gate.close()
    check_free(folder, gate.total)
    bar.reset(gate.total)
    for entry in entries:
        opened.extract(entry, folder)  # no more than the size that it announces
        bar.update(entry.file_size or 0)


def _unpack_zip(archive: Path, folder: Path, gate: _Gate, bar: Any) -> None:
    with zipfile.ZipFile(archive) as opened:
        _unpack_listed(opened, _zip_member, folder, gate, bar)


def _zip_member(entry: zipfile.ZipInfo) -> tuple[str, int, str]:
    mode = stat.S_IFMT(entry.external_attr >> 16)
    kind = "folder" if entry.orig_filename.endswith("/") else "file"
    if entry.flag_bits & 1:
        kind = "encrypted file"
    elif mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "link or device"
    # orig_filename: zipfile cuts `filename` at a zero byte
    return entry.orig_filename, entry.file_size, kind


def check_rar() -> None:
    """Raise an error that says what to install, where rar archives can't be unpacked here."""
    require_libraries("rar archives", {"rarfile": "rarfile"}, "data")
    import rarfile

    try:
        rarfile.tool_setup(force=True)
    except rarfile.RarCannotExec:
        expected = "one of unrar, unar, bsdtar, 7z"
        raise DataError("rar", "no program that unpacks it", expected, INSTALL) from None


def _unpack_rar(archive: Path, folder: Path, gate: _Gate, bar: Any) -> None:
    check_rar()
    import rarfile

    try:
        with rarfile.RarFile(archive, errors="strict") as opened:
            if opened.needs_password():
                raise DataError(archive, "an encrypted archive", "one without a password")
            if opened.is_solid():
                said = "a solid archive, which takes hours: a program such as unrar is quicker."
                print(f"warning: {archive}: {said} Give its folder with --adopt.", file=sys.stderr)
            _unpack_listed(opened, _rar_member, folder, gate, bar)
    except rarfile.Error as error:
        raise _damaged(archive, error, f"{DAMAGED} Or use another program. {INSTALL}") from error


def _rar_member(entry: Any) -> tuple[str, int, str]:
    kind = "folder" if entry.is_dir() else "file" if entry.is_file() else "link or device"
    if getattr(entry, "file_redir", None):
        kind = "link"
    return entry.filename, entry.file_size or 0, kind


class _TarInfo(tarfile.TarInfo):
    """A tar header that is refused where it announces an oversized one behind it."""

    @classmethod
    def frombuf(cls, *arguments: Any, **named: Any) -> _TarInfo:
        found: _TarInfo = super().frombuf(*arguments, **named)  # type: ignore[assignment]
        if found.type in _BEHIND and found.size > MAX_HEADER:
            raise ValueError(f"a header of {found.size} bytes")
        return found


def _unpack_tar(archive: Path, folder: Path, gate: _Gate, bar: Any) -> None:
    with gzip.open(archive) as stream:
        with tarfile.open(fileobj=stream, mode="r:", tarinfo=_TarInfo) as opened:
            for entry in opened:
                kind = "folder" if entry.isdir() else "link or device"
                if entry.isreg() and not entry.issparse():
                    kind = "file"
                gate.check(entry.name, entry.size, kind)
                opened.extract(entry, folder, filter="data")
                bar.update(entry.size)
        gate.close()
        for _ in range(MAX_PADDING // SMALL):  # to the end, where the checksum stands
            if not stream.read(SMALL):
                return
        raise ValueError(f"more than {MAX_PADDING} bytes behind its last member")
