"""What an archive says it holds, and whether that may be unpacked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rstan_lite.system.errors import DataError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNPORTABLE = re.compile(r'[<>:"|?*]|[. ]$')  # refused or changed by Windows
_RESERVED = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{port}{i}" for port in ("COM", "LPT") for i in range(1, 10)),
}
_DRIVE = re.compile(r"[A-Za-z]:")
LONGEST, DEEPEST = 1000, 64  # characters and folders of a name: more can't even be removed again
SMALL = 2**20  # bytes below which a member's ratio is of no harm


@dataclass(frozen=True)
class Member:
    """An entry of an archive: its name as it stands there, and its size once unpacked.

    kind: "file", "folder", or what else it is. packed: its size in the archive, and crc: the CRC-32
    of its content, each -1 where it is not known.
    """

    name: str
    size: int
    kind: str = "file"
    packed: int = -1
    crc: int = -1

    @property
    def path(self) -> PurePosixPath:
        """The name as a relative path, without `.` parts."""
        return PurePosixPath(self.name)


@dataclass(frozen=True)
class Limits:
    """How large an archive may become, so that a small file can't fill the disk.

    total: bytes of all members together. ratio: of unpacked to packed bytes, of the archive and of
    each member of more than SMALL bytes. members: how many there may be.
    """

    total: int = 64 * 2**30
    ratio: float = 100.0
    members: int = 1_000_000


def vetted(archive: Path, members: Iterable[Member], limits: Limits) -> list[Member]:
    """The members, each looked at before the next is asked for.

    Refused are names that lead out of the folder or are not portable, links, devices, names that
    stand there twice or differ in case alone, a file where another member needs a folder, and
    sizes past the limits.
    Raises DataError at the first one, and for an archive without a file.
    """
    seen: dict[str, tuple[str, str]] = {}  # name without case: (name, kind)
    passed: list[Member] = []
    total = 0
    allowed = max(SMALL, limits.ratio * archive.stat().st_size)
    for count, member in enumerate(members, start=1):
        total += member.size
        _check_kind(archive, member)
        _check_path(archive, member)
        _check_ratio(archive, member, limits)
        if total > min(allowed, limits.total) or count > limits.members:
            raise DataError(
                archive,
                f"{count} members or more, of {total} bytes or more unpacked",
                f"at most {limits.members}, of {min(allowed, limits.total):.0f} bytes",
                "It is made to fill the disk, or not what its name says.",
            )
        for parent in reversed(member.path.parents[:-1]):
            _enter(archive, seen, str(parent), "folder")
        if member.path.parts:
            _enter(archive, seen, str(member.path), member.kind)
        passed.append(member)
    if not any(member.kind == "file" for member in passed):
        raise DataError(archive, "an archive without a file", "a data set's files")
    return passed


def _check_kind(archive: Path, member: Member) -> None:
    if member.kind not in ("file", "folder"):
        raise DataError(archive, f"{member.name!r}, a {member.kind}", "files and folders alone")


def _check_path(archive: Path, member: Member) -> None:
    name = member.name
    leads_out = name.startswith("/") or _DRIVE.match(name) or ".." in member.path.parts
    if len(name) > LONGEST or len(member.path.parts) > DEEPEST:
        found = f"a member of {len(name)} characters, {len(member.path.parts)} folders deep"
        raise DataError(archive, found, f"at most {LONGEST}, {DEEPEST} deep")
    nameless = member.kind == "file" and (not member.path.parts or name.endswith("/"))
    if leads_out or nameless or "\\" in name or _CONTROL.search(name):
        raise DataError(archive, f"a member named {name[:200]!r}", "names inside its own folder")
    for part in member.path.parts:
        if _UNPORTABLE.search(part) or part.split(".")[0].upper() in _RESERVED:
            raise DataError(archive, f"{name[:200]!r}", "names that every file system takes")


def _check_ratio(archive: Path, member: Member, limits: Limits) -> None:
    if member.packed >= 0 and member.size > max(SMALL, limits.ratio * member.packed):
        raise DataError(
            archive,
            f"{member.name!r}, {member.packed} bytes that become {member.size}",
            f"at most {limits.ratio:.0f} times as many",
            "It is made to fill the disk.",
        )


def _enter(archive: Path, seen: dict[str, tuple[str, str]], name: str, kind: str) -> None:
    """Note a name; folders may be named again, nothing else."""
    key = unicodedata.normalize("NFC", name).casefold()
    first, was = seen.setdefault(key, (name, ""))
    if first != name:
        raise DataError(archive, f"{first!r} and {name!r}", "names that differ by more than case")
    if was and "file" in (was, kind):
        found = "twice" if was == kind else "as a file and as a folder"
        raise DataError(archive, f"{name!r} {found}", "each name once")
    seen[key] = (name, kind)
