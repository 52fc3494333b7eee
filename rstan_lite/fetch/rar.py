"""Rar archives: listed by rarfile, unpacked by a program, looked at before and after."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import rarfile

from rstan_lite.fetch.formats import CHUNK, announce
from rstan_lite.fetch.members import Limits, Member, vetted
from rstan_lite.system.errors import DataError

POLL = 1.0  # seconds between two looks at what a program has written
SLACK = 2**20  # bytes that it may write past what the archive announced before it is stopped

# Programs that unpack rar, best first, and how each is called.
_SEVEN_ZIP = "x -bd -y -aos -pnone -o{folder} -- {archive}"
TOOLS = {
    "unrar": "x -idq -p- -o- -- {archive} {folder}/",
    "bsdtar": "-x -f {archive} -C {folder}",
    "7z": _SEVEN_ZIP,
    "7zz": _SEVEN_ZIP,
}
INSTALL = (
    "Install one: unrar (Debian: non-free; macOS: brew install rar) or bsdtar (Debian, Ubuntu: "
    "apt install libarchive-tools; Fedora: bsdtar) or 7-Zip with its rar part (7zip-rar), or "
    "unpack the archive by other means and give the folder with --adopt."
)


def find_tool() -> tuple[str, str]:
    """Name and path of the first of TOOLS that is there; DataError that says what to install."""
    for name in TOOLS:
        if path := shutil.which(name):
            return name, path
    raise DataError("rar", "no program that unpacks it", f"one of {', '.join(TOOLS)}", INSTALL)


def unpack_rar(archive: Path, folder: Path, limits: Limits, bar: Any) -> None:
    """Unpack a rar archive into an empty folder. See `archives.unpack` for the errors."""
    name, tool = find_tool()
    members = vetted(archive, _members(archive), limits)
    announce(folder, members, bar)
    allowed = sum(member.size for member in members) + SLACK
    places = {"archive": archive.resolve(), "folder": folder.resolve()}
    command = [tool, *(part.format(**places) for part in TOOLS[name].split())]
    with tempfile.TemporaryFile() as said:
        # no standard input: a program that asks for a password must end, not wait
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            _watch(process, archive, folder, allowed, bar)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        said.seek(0)
        words = said.read(2000).decode(errors="replace").strip()
    if process.returncode:
        raise DataError(
            archive,
            f"{name} ended with code {process.returncode} ({words[-300:]})",
            "a whole rar archive that it can unpack",
            "Copy or download it again, or try another program. " + INSTALL,
        )
    _look_after(archive, folder, members)


def _members(archive: Path) -> list[Member]:
    try:
        with rarfile.RarFile(archive) as opened:
            if opened.needs_password():
                raise DataError(archive, "an encrypted archive", "one without a password")
            if len(opened.volumelist()) > 1:
                raise DataError(archive, "a volume of several", "one archive")
            return [_member(entry) for entry in opened.infolist()]
    except (rarfile.Error, OSError, ValueError) as error:
        raise DataError(
            archive, f"an unreadable archive ({error})", "a rar archive", "Download it again."
        ) from error


def _member(entry: rarfile.RarInfo) -> Member:
    kind = "folder" if entry.is_dir() else "file" if entry.is_file() else "link or special file"
    if getattr(entry, "file_redir", None):
        kind = "link"
    crc = -1 if entry.CRC is None else entry.CRC
    return Member(entry.filename, entry.file_size or 0, kind, entry.compress_size, crc)


def _watch(
    process: subprocess.Popen[bytes], archive: Path, folder: Path, allowed: int, bar: Any
) -> None:
    """Tell of the bytes that a program writes until it ends; stop it where they are too many."""
    ended = False
    while not ended:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL)
            ended = True
        size = 0
        with suppress(FileNotFoundError):  # a program may rename what it has finished
            size = sum(entry.stat(follow_symlinks=False).st_size for entry in _files(folder))
        bar.update(max(0, size - bar.n))
        if size > allowed:
            raise DataError(
                archive, f"{size} bytes unpacked", f"{allowed}, as announced", "It is damaged."
            )


def _files(folder: Path) -> list[os.DirEntry[str]]:
    """Everything under a folder that is no folder, links not followed."""
    found: list[os.DirEntry[str]] = []
    folders = [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    found.append(entry)
    return found


def _look_after(archive: Path, folder: Path, members: list[Member]) -> None:
    """Compare what a program wrote with what the archive announced."""
    expected = {str(folder / m.path): m.size for m in members if m.kind == "file"}
    found = {}
    for entry in _files(folder):
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise DataError(archive, f"{entry.name!r}, a link or device", "plain files alone")
        found[entry.path] = status.st_size
    wrong = sorted(p for p in {*expected, *found} if expected.get(p) != found.get(p))
    if wrong:
        path = wrong[0]
        raise DataError(
            archive,
            f"{len(wrong)} files unpacked otherwise than announced, such as "
            f"{os.path.relpath(path, folder)!r} of {found.get(path, 'no')} bytes",
            f"{expected.get(path, 'no')} bytes",
            "The archive is damaged.",
        )
    for member in members:  # not every program compares the checksums
        if member.kind == "file" and member.crc not in (-1, _crc(folder / member.path)):
            raise DataError(
                archive,
                f"{member.name!r} with another checksum",
                f"CRC-32 {member.crc:08x}",
                "The archive is damaged: copy or download it again.",
            )


def _crc(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            value = zlib.crc32(block, value)
    return value
