"""The commands that get a data set: download or adopt what is missing, then say what is there."""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rstan_lite.cli.doctor import check_clips
from rstan_lite.data.datasets import open_clips
from rstan_lite.system.errors import DataError
from rstan_lite.system.files import alone
from rstan_lite.system.interruption import run_command
from rstan_lite.system.machine import as_table
from rstan_lite.system.reading import disk_errors
from rstan_lite.system.settings import require_libraries

from .archives import check_rar, extract
from .download import check_md5, download
from .sources import Piece, Source

ARCHIVES = "archives"  # folder of what was downloaded, in the data set's
ROOM, ROOM_NESTED = 1.1, 2.2  # to unpack an archive, in multiples of its size
COLUMNS = 3
DEPTH = 3  # folders below a copy that are looked into


def main(source: Source, arguments: Sequence[str] | None = None) -> int:
    """Run a command line: 0 if all is there, 1 if not, else as `run_command` says."""
    title = source.name.upper()
    parser = argparse.ArgumentParser(
        description=f"Get {title}: download it, or adopt a copy, and check that it is complete. "
        "The same command goes on where it was interrupted.",
        epilog=f"{title} is for research use: mind its terms.",
    )
    parser.add_argument("root", type=Path, help=f"folder that becomes {title}'s")
    parser.add_argument(
        "--adopt",
        type=Path,
        metavar="PATH",
        help="a copy that is there already, of folders (which are linked) or archives; nothing is "
        "downloaded",
    )
    parser.add_argument(
        "--url",
        default=source.base,
        help="where the archives are, in place of the official address",
    )
    fetched = [[piece.folder for piece in forms if piece.archive] for forms in source.pieces]
    choices = [folder for folders in fetched if len(folders) > 1 for folder in folders]
    if choices:
        parser.add_argument(
            "--form", choices=choices, help=f"form of the clips to download ({choices[0]})"
        )
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds without a byte (60)")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args(arguments)
    return run_command(lambda: _run(source, options))


def _run(source: Source, options: argparse.Namespace) -> int:
    require_libraries("fetching", {"pooch": "pooch"}, "data")
    with alone(options.root, f"{source.name} being fetched"):
        for forms in source.pieces:
            print(_get(source, forms, options, getattr(options, "form", None)), flush=True)
    return report(source.name, options.root)


def _get(
    source: Source, forms: tuple[Piece, ...], options: argparse.Namespace, form: str | None
) -> str:
    """Put one piece into its place; returns what was done."""
    chosen = [piece for piece in forms if piece.folder == form] or list(forms)
    root, progress = options.root, not options.quiet
    for piece in chosen:
        if (root / piece.folder).is_dir():
            return f"{piece.folder}: already there"
    if options.adopt:
        return _adopt(chosen, options.adopt, root, progress)
    piece = chosen[0]
    if piece.archive.endswith(".rar"):
        check_rar()  # before gigabytes are downloaded that nothing here can unpack
    archive = download(
        options.url.rstrip("/") + "/" + piece.archive,
        root / ARCHIVES / piece.archive,
        piece.md5,
        source.dead,
        ROOM_NESTED if piece.nested else ROOM,
        options.timeout,
        progress=progress,
    )
    try:
        extract(archive, root, piece.folder, piece.nested, progress=progress)
    except DataError as error:
        if piece.md5:
            raise
        hint = f"{error.hint} To download it again, remove {archive} first.".strip()
        raise DataError(error.where, error.found, error.expected, hint) from error
    return f"{piece.folder}: unpacked from {archive}{_checked(piece)}; the archive may be removed"


def _adopt(pieces: Sequence[Piece], copy: Path, root: Path, progress: bool) -> str:
    """Put one of a piece's forms into place from a copy, which stays as it is.

    A folder is linked, an archive is checked and unpacked, each found up to DEPTH folders down.
    """
    with disk_errors(DataError, copy, "a copy of the data set that can be read"):
        if not copy.exists():
            raise DataError(copy, "no such file or folder", "a copy of the data set")
        found = _look(copy.resolve(), pieces)
    for piece in pieces:
        if folder := found.get(piece.folder):
            _link(folder, root / piece.folder)
            return f"{piece.folder}: linked to {folder}"
        if archive := found.get(piece.archive):
            check_md5(archive, piece.md5)
            extract(archive, root, piece.folder, piece.nested, progress=progress)
            return f"{piece.folder}: unpacked from {archive}{_checked(piece)}"
    forms = [name for piece in pieces for name in (piece.folder, piece.archive) if name]
    raise DataError(copy, "none of these", " or ".join(forms))


def _look(copy: Path, pieces: Sequence[Piece]) -> dict[str, Path]:
    """The pieces' folders and archives in a copy by name, the ones nearest to the top."""
    folders, archives = {p.folder for p in pieces}, {p.archive for p in pieces if p.archive}
    found: dict[str, Path] = {}
    level = [copy]
    for _ in range(DEPTH + 1):
        below: list[Path] = []
        for path in sorted(level):
            if path.name in folders if path.is_dir() else path.name in archives:
                found.setdefault(path.name, path)
            elif path.is_dir() and not path.name.startswith("."):
                below += path.iterdir()
        level = below
    return found


def _link(folder: Path, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(folder, target_is_directory=True)
    except OSError as error:
        raise DataError(
            place,
            f"a link that can't be made ({error.strerror})",
            f"one to {folder}",
            "Remove what is in its place, or use the copy where it is. Windows makes links in its "
            "developer mode.",
        ) from error


def _checked(piece: Piece) -> str:
    """How sure an archive's bytes are, for a report."""
    if piece.md5:
        return " (MD5 as published)"
    return " (checksum not checked: none is published)"


def report(name: str, root: Path) -> int:
    """Print clips by class and the doctor's checks; returns 0 where all is there, else 1."""
    checks = check_clips(name, str(root))
    if any(check.state != "fail" for check in checks):
        print(class_table(name, root))
    print(as_table(checks))
    return int(any(check.state != "ok" for check in checks))


def class_table(name: str, root: Path) -> str:
    """How many of the clips that split 1 uses are there, class by class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the checks beside this table say it
        data = open_clips(name, root, missing="skip", validation=0.0)
    there = Counter(clip.action for clip in data.train + data.test)
    lost = Counter(entry.partition("/")[0] for entry in data.missing)
    cells = [f"{a} {there[a]}" + f" of {there[a] + lost[a]}" * (a in lost) for a in data.classes]
    width = max(map(len, cells)) + 2
    rows = [cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)]
    return "\n".join("".join(cell.ljust(width) for cell in row).rstrip() for row in rows)
