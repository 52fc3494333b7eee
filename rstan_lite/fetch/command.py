"""The commands that get a data set: download or adopt what is missing, then say what is there."""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rstan_lite.cli.doctor import check_clips
from rstan_lite.data.datasets import open_clips
from rstan_lite.fetch.adopt import adopt, checked
from rstan_lite.fetch.archives import extract
from rstan_lite.fetch.download import download
from rstan_lite.fetch.rar import find_tool
from rstan_lite.fetch.sources import Piece, Source
from rstan_lite.system.errors import DataError
from rstan_lite.system.files import alone
from rstan_lite.system.interruption import run_command
from rstan_lite.system.machine import as_table

ARCHIVES = "archives"  # folder of what was downloaded, in the data set's
ROOM, ROOM_NESTED = 1.1, 2.2  # to unpack an archive, in multiples of its size
COLUMNS = 3


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
        return adopt(chosen, options.adopt, root, progress)
    piece = chosen[0]
    if piece.archive.endswith(".rar"):
        find_tool()  # before gigabytes are downloaded that nothing here can unpack
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
    return f"{piece.folder}: unpacked from {archive}{checked(piece)}; the archive may be removed"


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
