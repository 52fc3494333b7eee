"""Unpack an archive out of sight, then move what is wanted into its place."""

from __future__ import annotations

import filecmp
import os
import shutil
from dataclasses import replace
from pathlib import Path

from tqdm.auto import tqdm

from rstan_lite.fetch.formats import unpack_tar, unpack_zip
from rstan_lite.fetch.members import Limits
from rstan_lite.fetch.rar import unpack_rar
from rstan_lite.system.errors import DataError

UNPACKERS = {
    ".zip": unpack_zip, ".tar.gz": unpack_tar, ".tgz": unpack_tar, ".rar": unpack_rar,
}  # fmt: skip


def unpack(archive: Path, folder: Path, limits: Limits, progress: bool = True) -> None:
    """Unpack an archive into an empty folder. Nothing in it may lie elsewhere, or be a link.

    Raises DataError for an unknown kind of archive, one that is damaged, empty or encrypted, a
    member that is refused (see `members.vetted`), a full disk, and rar without a program for it.
    """
    kind = next((end for end in UNPACKERS if archive.name.lower().endswith(end)), "")
    if not kind:
        raise DataError(archive, "an unknown kind of archive", f"one of {', '.join(UNPACKERS)}")
    if not archive.is_file():
        raise DataError(archive, "no such file", "an archive")
    bar = tqdm(
        desc=f"unpacking {archive.name}", unit="B", unit_scale=True, unit_divisor=1024,
        disable=not progress,
    )  # fmt: skip
    with bar:
        UNPACKERS[kind](archive, folder, limits, bar)


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
    All is unpacked in a hidden folder first, and moved when it is whole. What lies in the target
    already stays as it is: an equal file is left, another one of the same name is an error.
    Returns target/folder. Raises DataError; see `unpack`.
    """
    limits = limits or Limits()
    hidden = target / f".unpacking-{archive.name}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(hidden, ignore_errors=True)  # what an interrupted run left
        hidden.mkdir()
        unpack(archive, hidden, limits, progress)
        source = hidden / folder
        if nested:
            source = _unpack_nested(archive, hidden, folder, limits, progress)
        if not source.is_dir():
            held = ", ".join(sorted(p.name for p in hidden.iterdir())[:8])
            raise DataError(archive, f"an archive with {held}", f"one with the folder {folder}")
        check_merge(source, target / folder)
        merge(source, target / folder)
    except OSError as error:
        found = f"a file that can't be read or written ({error})"
        raise DataError(archive, found, f"a disk with room, and {target} writable") from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return target / folder


def _unpack_nested(
    archive: Path, hidden: Path, folder: str, limits: Limits, progress: bool
) -> Path:
    """Unpack the archives in a folder into `hidden/.nested/folder`, each apart from the others."""
    parts = sorted(p for p in hidden.rglob("*") if p.name.lower().endswith(tuple(UNPACKERS)))
    if not parts:
        raise DataError(archive, "no archive inside", "one for each class")
    whole = hidden / ".nested" / folder
    whole.mkdir(parents=True)
    left = limits.total
    for number, part in enumerate(parts):
        apart = hidden / ".nested" / f".{number}"
        apart.mkdir()
        unpack(part, apart, replace(limits, total=left), progress)
        left -= sum(path.stat().st_size for path in apart.rglob("*") if path.is_file())
        check_merge(apart, whole)
        merge(apart, whole)
        part.unlink()  # as it goes, so that only one copy of the videos needs room
    return whole


def check_merge(source: Path, target: Path) -> None:
    """Raise DataError where `merge` would overwrite a file that differs, or follow a link."""
    if target.is_symlink():
        raise DataError(target, "a link", "a folder of this copy, or nothing", "Remove the link.")
    if not target.exists():
        return
    if source.is_dir() and target.is_dir():
        for path in source.iterdir():
            check_merge(path, target / path.name)
    elif source.is_dir() or target.is_dir() or not filecmp.cmp(source, target, shallow=False):
        raise DataError(
            target, "another file than in the archive", "the same, or none", "Move it away first."
        )


def merge(source: Path, target: Path) -> None:
    """Move a folder that `check_merge` has passed: in one step where nothing is in its place."""
    if not target.exists():
        os.replace(source, target)
    elif source.is_dir():
        for path in sorted(source.iterdir()):
            merge(path, target / path.name)
