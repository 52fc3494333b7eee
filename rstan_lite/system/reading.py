"""Files read with care: regular ones, of bounded size, and every complaint in our own words."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import tomllib
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rstan_lite.system.errors import DataError, RstanError

if TYPE_CHECKING:
    import numpy as np

MOST = 64 * 2**20  # bytes of a list or of JSON; the largest that the package knows is a notebook

# Of a MATLAB 5 file: types of numbers, bytes of its head, a type of element, bytes of a piece.
NUMBERS = ("uint8", "logical", "double", "single", "int8", "int16", "uint16", "int32", "uint32",
           "int64", "uint64")  # fmt: skip
HEADER, COMPRESSED, CHUNK = 128, 15, 2**20


@contextmanager
def disk_errors(kind: type[RstanError], where: str | Path, expected: str) -> Iterator[None]:
    """What the disk or its names complain of, as an exception of `kind` that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        found = f"something that can't be read or written ({reason})"
        raise kind(error.filename or where, found[:300], expected) from error


def check_regular(
    path: str | Path, kind: type[RstanError], expected: str, hint: str = "", most: int | None = None
) -> None:
    """Raise `kind` for what is no regular file, which to open may wait for ever, or too large.

    most: bytes that it may have; None for any number.
    """
    with disk_errors(kind, path, expected):
        try:
            found = Path(path).stat()
        except FileNotFoundError:
            raise kind(path, "no such file", expected, hint) from None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise kind(path, what, expected, hint)
    if most is not None and found.st_size > most:
        raise kind(path, f"{found.st_size} bytes", f"{expected}, of {most} at most", hint)


def check_root(dataset: object, root: object) -> None:
    """Raise DataError where the folder of a data set's clips is given and not there.

    Generated clips ("puppets") have a folder made for them.
    """
    if root and dataset != "puppets" and not Path(str(root)).is_dir():
        raise DataError(str(root), "no such folder", f"the folder of the {dataset} clips")


def read_text(
    path: str | Path, kind: type[RstanError], expected: str, hint: str = "", most: int = MOST
) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; `kind` where there is none."""
    check_regular(path, kind, expected, hint, most)
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        hint = hint or "Save it as UTF-8." * isinstance(error, UnicodeError)
        raise kind(path, f"an unreadable file ({error})", expected, hint) from error


def read_json(path: str | Path, kind: type[RstanError], expected: str, hint: str = "") -> Any:
    """The value in a JSON file; `kind` where it is damaged or nested too deeply to be read."""
    text = read_text(path, kind, expected, hint)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise kind(path, f"an unreadable file ({error})", expected, hint) from error


def sha256(files: Iterable[Path]) -> str:
    """The SHA-256 of files' bytes, one after another; raises OSError."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: total)
    return total.hexdigest()


def read_matlab(path: Path, key: str, kind: type[RstanError], most: int) -> np.ndarray:
    """An array of numbers in a MATLAB 5 file, of at most so many bytes once unpacked, or `kind`."""
    from scipy.io import loadmat, whosmat  # slow to import: only where it is needed

    expected = f"a MATLAB 5 file with the key {key}"
    try:
        if _unpacked(path, most) > most:
            raise kind(path, f"more than {most} bytes once unpacked", "a clip's masks")
        kinds = {name: type_ for name, _, type_ in whosmat(path)}
        if kinds.get(key, NUMBERS[0]) not in NUMBERS:  # SciPy nests with cells until it crashes
            raise kind(path, f"{key} of class {kinds[key]}", "numbers")
        content = loadmat(path, variable_names=[key])
    except RstanError:
        raise
    except Exception as error:  # SciPy raises a different type for each kind of damage
        raise kind(path, f"an unreadable file ({error})", expected) from error
    if key not in content:
        raise kind(path, f"no key {key}", f"the key {key} (H, W, F)")
    return content[key]


def _unpacked(path: Path, most: int) -> int:
    """Bytes of a MATLAB file's compressed elements once unpacked, counted until past `most`."""
    total = 0
    with path.open("rb") as file:
        order = ">" if file.read(HEADER)[-2:] == b"MI" else "<"
        while total <= most and len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind != COMPRESSED:
                file.seek(size, os.SEEK_CUR)
                continue
            unpacker, data = zlib.decompressobj(), file.read(size)
            while data and total <= most and not unpacker.eof:
                total += len(unpacker.decompress(data, CHUNK))
                data = unpacker.unconsumed_tail
    return total


def read_toml(path: Path) -> dict[str, Any]:
    """A table of the package's own, with its lists as tuples: nobody changes it."""
    tables: dict[str, Any] = _with_tuples(tomllib.loads(path.read_text(encoding="utf-8")))
    return tables


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_tuples(one) for name, one in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
