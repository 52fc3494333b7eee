"""Zip and tar archives: list the members, then write them into an empty folder."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rstan_lite.fetch.download import check_free
from rstan_lite.fetch.members import Limits, Member, vetted
from rstan_lite.system.errors import DataError

CHUNK = 2**20
MAX_HEADER = 2**16  # bytes of a tar header for a long name or attributes, which is read at once
END_RECORD = 22 + 2**16  # bytes at a zip's end that hold its last record and a comment
MAX_PADDING = 2**26  # bytes behind the last member; tar fills up to blocks of some KiB

_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError,
    NotImplementedError, ValueError,
)  # fmt: skip


def unpack_zip(archive: Path, folder: Path, limits: Limits, bar: Any) -> None:
    """Unpack a zip archive into an empty folder. See `archives.unpack` for the errors."""
    with _reading(archive), zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
        _check_count(archive, len(entries))
        members = vetted(archive, map(_zip_member, entries), limits)
        announce(folder, members, bar)
        for entry, member in zip(entries, members, strict=True):
            if member.kind == "folder":
                (folder / member.path).mkdir(parents=True, exist_ok=True)
            else:
                with opened.open(entry) as source:
                    _write(archive, source, folder, member, bar)


def _check_count(archive: Path, found: int) -> None:
    """Compare the number of members with the one at the archive's end: zipfile does not."""
    with archive.open("rb") as file:
        file.seek(-min(archive.stat().st_size, END_RECORD), os.SEEK_END)
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    announced = int.from_bytes(tail[place + 10 : place + 12], "little")
    if announced not in (found, 0xFFFF):  # 0xFFFF: 65,535 or more, told elsewhere
        raise ValueError(f"{found} members of {announced}")


def _zip_member(entry: zipfile.ZipInfo) -> Member:
    mode = entry.external_attr >> 16
    kind = "folder" if entry.orig_filename.endswith("/") else "file"
    if entry.flag_bits & 1:
        kind = "encrypted file"
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "link" if stat.S_ISLNK(mode) else "device"
    # orig_filename: zipfile cuts `filename` at a zero byte
    return Member(entry.orig_filename, entry.file_size, kind, entry.compress_size)


class _TarInfo(tarfile.TarInfo):
    """A tar header that is refused where it announces an oversized one behind it."""

    @classmethod
    def frombuf(cls, *arguments: Any, **named: Any) -> _TarInfo:
        found: _TarInfo = super().frombuf(*arguments, **named)  # type: ignore[assignment]
        named_behind = (*tarfile.GNU_TYPES[:2], tarfile.XHDTYPE, tarfile.XGLTYPE)
        if found.type in (*named_behind, tarfile.SOLARIS_XHDTYPE) and found.size > MAX_HEADER:
            raise ValueError(f"a header of {found.size} bytes")
        return found


def unpack_tar(archive: Path, folder: Path, limits: Limits, bar: Any) -> None:
    """Unpack a tar.gz archive into an empty folder: one pass to vet, one to write.

    See `archives.unpack` for the errors.
    """
    with _reading(archive):
        with gzip.open(archive) as stream:
            with tarfile.open(fileobj=stream, mode="r:", tarinfo=_TarInfo) as opened:
                members = vetted(archive, map(_tar_member, opened), limits)
            # to the end, where the checksum stands
            for _ in range(MAX_PADDING // CHUNK):
                if not stream.read(CHUNK):
                    break
            else:
                raise ValueError(f"more than {MAX_PADDING} bytes behind its last member")
        announce(folder, members, bar)
        with tarfile.open(archive, "r:gz", tarinfo=_TarInfo) as opened:
            for entry in opened:
                member = _tar_member(entry)
                if member.kind == "folder":
                    (folder / member.path).mkdir(parents=True, exist_ok=True)
                    continue
                source = opened.extractfile(entry)
                assert source is not None  # it is a plain file: the first pass saw to that
                _write(archive, source, folder, member, bar)


def _tar_member(entry: tarfile.TarInfo) -> Member:
    kind = "device or another special file"
    if entry.issym() or entry.islnk():
        kind = "link"
    elif entry.isdir():
        kind = "folder"
    elif entry.isreg() and not entry.issparse():
        kind = "file"
    return Member(entry.name, entry.size, kind)


def announce(folder: Path, members: list[Member], bar: Any) -> None:
    """Tell a progress bar how many bytes will be written; DataError where the disk lacks room."""
    total = sum(member.size for member in members)
    check_free(folder, total)
    bar.reset(total)


def _write(archive: Path, source: IO[bytes], folder: Path, member: Member, bar: Any) -> None:
    """Write one file; it must be new, and as large as was announced."""
    path = folder / member.path
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with path.open("xb") as file:
        while block := source.read(CHUNK):
            size += len(block)
            if size > member.size:
                break
            file.write(block)
            bar.update(len(block))
    if size != member.size:
        found = f"{member.name!r}, which is not as large as announced"
        raise DataError(archive, found, f"{member.size} bytes", "The archive is damaged.")


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """The libraries' complaints about an archive, in our words."""
    try:
        yield
    except _DAMAGE as error:
        raise DataError(
            archive,
            f"an archive that can't be read to its end ({error or type(error).__name__})",
            "a whole archive of the kind that its name says",
            "Copy or download it again.",
        ) from error
