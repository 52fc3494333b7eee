"""Archives made in a test, good and bad, byte by byte where no library would write them."""

import io
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

# 7-Zip is not counted: where it comes without its rar part, it is there and can't unpack rar
has_tool = pytest.mark.skipif(
    not any(map(shutil.which, ("unrar", "bsdtar"))), reason="neither unrar nor bsdtar is installed"
)
FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def write_zip(path: Path, *members: tuple[str, bytes], mode: int = FILE) -> Path:
    """A zip archive of (name, content); mode: of every member, as Unix has it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo("placeholder")
            entry.filename = entry.orig_filename = name  # past the constructor, which tidies it
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return path


def write_tar(
    path: Path, *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, target: str = ""
) -> Path:
    """A tar.gz archive of (name, content); kind: of every member; target: of links.

    A name that ends in a slash is a folder's.
    """
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            if name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def write_rar(path: Path, *members: tuple[str, bytes], mode: int = FILE, size: int = -1) -> Path:
    """A rar archive (version 3, stored) of (name, content).

    size: announced in place of the true one. Every block is a checksum, a type, flags and its own
    length, as the format's technical note has it.
    """
    blocks = [b"Rar!\x1a\x07\x00", _block(0x73, 0, b"\0" * 6)]
    for name, content in members:
        encoded = name.encode()
        kind = FOLDER if name.endswith("/") else mode
        flags = 0x8000 | (0xE0 if stat.S_ISDIR(kind) else 0)
        encoded = encoded.rstrip(b"/") if stat.S_ISDIR(kind) else encoded
        said = len(content) if size < 0 else size
        fields = struct.pack(
            "<LLBLLBBHL", len(content), said, 3, zlib.crc32(content), 0x5A21_0000, 20, 0x30,
            len(encoded), kind,
        )  # fmt: skip
        blocks += [_block(0x74, flags, fields + encoded), content]
    blocks.append(_block(0x7B, 0x4000, b""))
    path.write_bytes(b"".join(blocks))
    return path


def _block(kind: int, flags: int, rest: bytes) -> bytes:
    head = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
    return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head
