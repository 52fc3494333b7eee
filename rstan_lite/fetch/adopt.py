"""Use a copy of a data set that is there already: link its folders, unpack its archives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rstan_lite.fetch.archives import extract
from rstan_lite.fetch.download import check_md5
from rstan_lite.fetch.sources import Piece
from rstan_lite.system.errors import DataError
from rstan_lite.system.reading import disk_errors

DEPTH = 3  # folders below the given one that are looked into


def adopt(pieces: Sequence[Piece], copy: Path, root: Path, progress: bool = True) -> str:
    """Put one of a piece's forms into place from a copy.

    copy: a folder that holds the piece's folder or its archive, up to DEPTH folders down, or that
    folder or archive itself. A folder is linked, an archive is checked and unpacked; the copy stays
    as it is.
    Returns what was done, in words.
    Raises DataError where the copy has neither, and for what is wrong with an archive.
    """
    with disk_errors(DataError, copy, "a copy of the data set that can be read"):
        if not copy.exists():
            raise DataError(copy, "no such file or folder", "a copy of the data set")
        folders, archives = _look(copy, pieces)
    for piece in pieces:
        place = root / piece.folder
        if piece.folder in folders:
            _link(folders[piece.folder], place)
            return f"{piece.folder}: linked to {folders[piece.folder]}"
        if piece.archive in archives:
            archive = archives[piece.archive]
            check_md5(archive, piece.md5, progress)
            extract(archive, root, piece.folder, piece.nested, progress=progress)
            return f"{piece.folder}: unpacked from {archive}{checked(piece)}"
    forms = [name for piece in pieces for name in (piece.folder, piece.archive) if name]
    raise DataError(copy, "none of these", " or ".join(forms))


def checked(piece: Piece) -> str:
    """How sure an archive's bytes are, for a report."""
    if piece.md5:
        return " (MD5 as published)"
    return " (checksum not checked: none is published)"


def _look(copy: Path, pieces: Sequence[Piece]) -> tuple[dict[str, Path], dict[str, Path]]:
    """The pieces' folders and archives in a copy by name, the ones nearest to the top."""
    folders, archives = {p.folder for p in pieces}, {p.archive for p in pieces if p.archive}
    found: tuple[dict[str, Path], dict[str, Path]] = ({}, {})
    level = [copy.resolve()]
    for _ in range(DEPTH + 1):
        below: list[Path] = []
        for path in sorted(level):
            if path.is_dir() and path.name in folders:
                found[0].setdefault(path.name, path)
            elif path.is_file() and path.name in archives:
                found[1].setdefault(path.name, path)
            elif path.is_dir() and not path.name.startswith("."):
                below += path.iterdir()
        level = below
    return found


def _link(folder: Path, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(folder, place, target_is_directory=True)
    except OSError as error:
        raise DataError(
            place,
            f"a link that can't be made ({error.strerror})",
            f"one to {folder}",
            "Remove what is in its place, or use the copy where it is.",
        ) from error
