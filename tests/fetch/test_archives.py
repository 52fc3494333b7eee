"""Archives that climb out, link, bomb, collide or break: nothing of them reaches the target."""

import shutil
import stat
import struct
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from clips import contents

from data_scripts.fetch.archives import SMALL, Limits, extract
from rstan_lite.system.errors import DataError
from tests.fetch.made import LINK, has_tool, write_rar, write_tar, write_zip

GOOD = (("clips/a/one.avi", b"1" * 100), ("clips/a/two (x)!.avi", b"22"), ("clips/b/one.avi", b"3"))
WRITERS = {".zip": write_zip, ".tar.gz": write_tar, ".rar": write_rar}
DAMAGED = "can't be read to its end"
kinds = pytest.mark.parametrize("kind", [".zip", ".tar.gz", pytest.param(".rar", marks=has_tool)])


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target"


def refuse(archive: Path, target: Path, match: str, **options) -> None:
    """The archive is refused, and nothing is left of it: in the target, or beside it."""
    before = sorted(p for p in target.parent.rglob("*") if p != target)
    with pytest.raises(DataError, match=match) as caught:
        extract(archive, target, "clips", progress=False, **options)
    assert str(archive.parent) in caught.value.where
    assert [p for p in sorted(target.parent.rglob("*")) if p != target] == before


@kinds
def test_a_good_archive(kind, tmp_path, target):
    """With folders as members, too, which in a tar have a point before them."""
    folders = [(name, b"") for name in ("./", "./clips/") if kind == ".tar.gz"]
    folders += [("clips/", b""), ("clips/a/", b"")]
    more = ("other/readme.txt", b"not wanted")
    archive = WRITERS[kind](tmp_path / f"good{kind}", *folders, *GOOD, more)
    assert extract(archive, target, "clips", progress=False) == target / "clips"
    assert contents(target) == dict(GOOD)  # and nothing hidden


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    "name",
    [
        "../out.avi", "clips/../../out.avi", "clips/a/..", "/etc/out.avi", "//out.avi",
        "C:out.avi", "c:/out.avi", "clips/new\nline.avi", "", "clips\\..\\..\\out.avi",
        "\\\\host\\share\\x.avi", "clips/" + "d/" * 200 + "x", "clips/" + "x" * 1500,
    ],
)  # fmt: skip
def test_names_that_lead_out(kind, name, tmp_path, target):
    archive = WRITERS[kind](tmp_path / f"bad{kind}", *GOOD, (name, b"x"))
    refuse(archive, target, f"a member named|{DAMAGED}")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        *((".tar.gz", {"kind": kind, "target": "/etc"}) for kind in (
            tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE
        )),
        *((".zip", {"mode": mode}) for mode in (LINK, stat.S_IFCHR | 0o644, stat.S_IFIFO | 0o644)),
        (".rar", {"mode": LINK}),
    ],
)  # fmt: skip
def test_links_and_devices(kind, more, tmp_path, target):
    content = b"" if kind == ".tar.gz" else b"/etc/hostname"
    archive = WRITERS[kind](tmp_path / f"bad{kind}", ("clips/x", content), **more)
    refuse(archive, target, "a link or device; expected files and folders")


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_bombs(kind, tmp_path, target):
    archive = WRITERS[kind](tmp_path / f"bomb{kind}", ("clips/x", b"\0" * 3_000_000))
    assert archive.stat().st_size < 10_000
    refuse(archive, target, "3000000")
    small = [(f"clips/{i}", b"\0" * 100_000) for i in range(30)]
    archive = WRITERS[kind](tmp_path / f"bomb{kind}", *small)
    for limits in (
        Limits(ratio=20), Limits(ratio=1e9, members=29), Limits(ratio=1e9, total=2_999_999)
    ):  # fmt: skip
        refuse(archive, target, "members or more", limits=limits)


def test_a_zip_bomb_that_lies(tmp_path, target):
    """Announced as small: reading ends at the announced size, and the checksum is wrong."""
    archive = write_zip(tmp_path / "bomb.zip", ("clips/x", b"\0" * 3_000_000))
    content = archive.read_bytes()
    lied = content.replace(struct.pack("<L", 3_000_000), struct.pack("<L", 1000))
    assert lied != content
    archive.write_bytes(lied)
    refuse(archive, target, DAMAGED)


def test_a_tar_header_as_a_bomb(tmp_path, target):
    """A long name is read into memory at once: its size must be looked at first."""
    archive = write_tar(
        tmp_path / "bad.tar.gz", ("x", b"n" * 100_000), kind=tarfile.GNUTYPE_LONGNAME
    )
    refuse(archive, target, "a header of 100000 bytes")


@kinds
def test_empty_archives_and_other_files(kind, tmp_path, target):
    refuse(WRITERS[kind](tmp_path / f"empty{kind}"), target, "an archive without a file")
    if kind != ".tar.gz":
        hollow = WRITERS[kind](tmp_path / f"hollow{kind}", ("clips/", b""))
        refuse(hollow, target, "an archive without a file")
    for content in (b"", b"<html>File not found</html>"):
        page = tmp_path / f"page{kind}"
        page.write_bytes(content)
        refuse(page, target, DAMAGED)


@kinds
def test_damaged_archives(kind, tmp_path, target):
    """Cut short anywhere, or with one byte changed."""
    noise = np.random.default_rng(0).bytes(50_000)
    archive = WRITERS[kind](tmp_path / f"cut{kind}", *((f"clips/{i}", noise) for i in range(4)))
    content = archive.read_bytes()
    for share in (0.05, 0.3, 0.6, 0.9):
        archive.write_bytes(content[: int(share * len(content))])
        refuse(archive, target, DAMAGED)
    place = len(content) // 3
    archive.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
    refuse(archive, target, "damaged")


def encrypted(archive: Path) -> Path:
    """The same zip with every member's flag of encryption set."""
    content = bytearray(archive.read_bytes())
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(sign)
        while start >= 0:
            content[start + place] |= 1
            start = content.find(sign, start + 1)
    archive.write_bytes(content)
    return archive


def test_what_can_not_be_unpacked_is_said(tmp_path, target, monkeypatch):
    (tmp_path / "a.xz").write_bytes(b"x")
    refuse(tmp_path / "a.xz", target, "unknown kind of archive")
    refuse(tmp_path / "none.zip", target, "no such file")
    refuse(encrypted(write_zip(tmp_path / "secret.zip", *GOOD)), target, "encrypted")
    other = write_zip(tmp_path / "other.zip", ("films/x", b"1"))
    refuse(other, target, "an archive with films; expected one with the folder clips")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "free")(50))
    refuse(write_zip(tmp_path / "good.zip", *GOOD), target, "GiB free")
    assert not list(target.iterdir())
    monkeypatch.setenv("PATH", str(tmp_path))
    rar = write_rar(tmp_path / "good.rar", *GOOD)
    with pytest.raises(DataError, match=r"one of unrar, unar, .*libarchive-tools.*--adopt"):
        extract(rar, target, "clips", progress=False)


def test_what_is_in_the_place_stays(tmp_path, target):
    """A folder of the user's own, or a link to one elsewhere."""
    archive = write_zip(tmp_path / "good.zip", *GOOD)
    own = target / "clips/mine.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine", encoding="utf-8")
    refuse(archive, target, "clips: found something in the folder's place")
    shutil.move(target / "clips", tmp_path / "elsewhere")
    (target / "clips").symlink_to(tmp_path / "elsewhere")
    refuse(archive, target, "something in the folder's place")


def test_what_an_interrupted_run_left_is_cleared(tmp_path, target):
    archive = write_zip(tmp_path / "good.zip", *GOOD)
    left = target / ".unpacking-good.zip" / "clips" / "a" / "half.avi"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    extract(archive, target, "clips", progress=False)
    assert not (target / "clips/a/half.avi").exists()
    assert [p.name for p in target.iterdir()] == ["clips"]


def _nested(folder: Path, **classes: tuple[tuple[str, bytes], ...]) -> Path:
    parts = []
    for name, content in classes.items():
        part = write_rar(folder / f"{name}.rar", *content)
        parts.append((part.name, part.read_bytes()))
        part.unlink()
    return write_rar(folder / "outer.rar", *parts)


@has_tool
def test_rar_of_rars(tmp_path, target):
    archive = _nested(tmp_path, wave=(("wave/x.avi", b"1"),), run=(("run/x.avi", b"2"),))
    extract(archive, target, "clips", nested=True, progress=False)
    assert set(contents(target)) == {"clips/wave/x.avi", "clips/run/x.avi"}


@has_tool
def test_bad_rars_in_a_rar(tmp_path, target):
    good = (("wave/x.avi", b"1"),)
    archive = _nested(tmp_path, wave=good, run=(("../run/x.avi", b"2"),))
    refuse(archive, target, "a member named", nested=True)
    archive = _nested(tmp_path, wave=good, run=(("wave/x.avi", b"2"),))  # both have this file
    refuse(archive, target, "wave in two of its archives", nested=True)
    refuse(write_rar(tmp_path / "flat.rar", *good), target, "no archive inside", nested=True)
    parts = []
    for name in ("wave", "run", "sit"):
        part = write_tar(tmp_path / f"{name}.tgz", (f"{name}/x", b"1" * 100_000))
        parts.append((part.name, part.read_bytes()))
    large = write_rar(tmp_path / "large.rar", *parts)
    limits = Limits(total=250_000)  # each of them would pass by itself
    refuse(large, target, "members or more", limits=limits, nested=True)


def test_small_files_may_shrink_a_lot(tmp_path, target):
    """Split lists repeat themselves: they are not bombs."""
    archive = write_zip(tmp_path / "lists.zip", ("clips/list.txt", b"x" * 500_000))
    assert 500_000 / archive.stat().st_size > Limits().ratio
    assert SMALL > 500_000
    extract(archive, target, "clips", progress=False)


def test_zip_names_cut_at_a_zero_byte(tmp_path, target):
    archive = write_zip(tmp_path / "bad.zip", *GOOD, ("clips/okay~/../../out", b"x"))
    content = archive.read_bytes().replace(b"okay~", b"okay\0")
    archive.write_bytes(content)
    with zipfile.ZipFile(archive) as opened:
        assert "clips/okay" in opened.namelist()
    refuse(archive, target, "a member named")
