"""Archives that climb out, link, bomb, collide or break: nothing of them reaches the target."""

import io
import shutil
import stat
import struct
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

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
    archive = WRITERS[kind](tmp_path / f"good{kind}", *GOOD, ("other/readme.txt", b"not wanted"))
    assert extract(archive, target, "clips", progress=False) == target / "clips"
    found = {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert found == dict(GOOD)  # and no hidden folder


@kinds
def test_folders_as_members(kind, tmp_path, target):
    archive = tmp_path / f"folders{kind}"
    if kind == ".tar.gz":
        with tarfile.open(archive, "w:gz") as opened:
            for name in (".", "./clips", "./clips/a"):
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                opened.addfile(entry)
            entry = tarfile.TarInfo("./clips/a/x.avi")
            entry.size = 1
            opened.addfile(entry, io.BytesIO(b"x"))
    else:
        WRITERS[kind](archive, ("clips/", b""), ("clips/a/", b""), ("clips/a/x.avi", b"x"))
    extract(archive, target, "clips", progress=False)
    assert (target / "clips/a/x.avi").read_bytes() == b"x"


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


def test_unknown_kinds_and_no_file(tmp_path, target):
    (tmp_path / "a.xz").write_bytes(b"x")
    refuse(tmp_path / "a.xz", target, "unknown kind of archive")
    refuse(tmp_path / "none.zip", target, "no such file")


def test_encrypted_zip(tmp_path, target):
    archive = write_zip(tmp_path / "secret.zip", *GOOD)
    content = bytearray(archive.read_bytes())
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.find(sign)
        while start >= 0:
            content[start + place] |= 1
            start = content.find(sign, start + 1)
    archive.write_bytes(content)
    refuse(archive, target, "encrypted")


def test_without_the_wanted_folder(tmp_path, target):
    archive = write_zip(tmp_path / "other.zip", ("films/x", b"1"))
    refuse(archive, target, "an archive with films; expected one with the folder clips")


def test_a_full_disk_is_seen_before(tmp_path, target, monkeypatch):
    archive = write_zip(tmp_path / "good.zip", *GOOD)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 50))
    with pytest.raises(DataError, match="GiB free"):
        extract(archive, target, "clips", progress=False)
    assert not list(target.iterdir())


def test_what_is_in_the_place_stays(tmp_path, target):
    """A folder of the user's own, or a link to one elsewhere."""
    archive = write_zip(tmp_path / "good.zip", *GOOD)
    own = target / "clips/mine.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(DataError, match="clips: found something in the folder's place"):
        extract(archive, target, "clips", progress=False)
    assert [p.name for p in target.rglob("*")] == ["clips", "mine.txt"]
    shutil.move(target / "clips", tmp_path / "elsewhere")
    (target / "clips").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="something in the folder's place"):
        extract(archive, target, "clips", progress=False)
    assert [p.name for p in (tmp_path / "elsewhere").iterdir()] == ["mine.txt"]


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
    found = {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
    assert found == {"clips/wave/x.avi", "clips/run/x.avi"}


@has_tool
def test_bad_rars_in_a_rar(tmp_path, target):
    good = (("wave/x.avi", b"1"),)
    nested = {"nested": True}
    archive = _nested(tmp_path, wave=good, run=(("../run/x.avi", b"2"),))
    with pytest.raises(DataError, match="a member named"):
        extract(archive, target, "clips", progress=False, **nested)
    archive = _nested(tmp_path, wave=good, run=(("wave/x.avi", b"2"),))  # both have this file
    with pytest.raises(DataError, match="wave in two of its archives"):
        extract(archive, target, "clips", progress=False, **nested)
    archive = write_rar(tmp_path / "flat.rar", *good)
    with pytest.raises(DataError, match="no archive inside"):
        extract(archive, target, "clips", progress=False, **nested)
    parts = []
    for name in ("wave", "run", "sit"):
        part = write_tar(tmp_path / f"{name}.tgz", (f"{name}/x", b"1" * 100_000))
        parts.append((part.name, part.read_bytes()))
    large = write_rar(tmp_path / "large.rar", *parts)
    limits = Limits(total=250_000)  # each of them would pass by itself
    with pytest.raises(DataError, match="members or more"):
        extract(large, target, "clips", progress=False, limits=limits, **nested)
    assert not list(target.iterdir())


def test_no_program_for_rar(tmp_path, target, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    archive = write_rar(tmp_path / "good.rar", *GOOD)
    with pytest.raises(DataError, match=r"one of unrar, unar, .*libarchive-tools.*--adopt"):
        extract(archive, target, "clips", progress=False)


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


@kinds
def test_any_damage_ends_in_our_error_or_harms_nothing(kind, tmp_path, target):
    """Bytes changed, cut out and repeated at random places: never another error or other files."""
    archive = WRITERS[kind](tmp_path / f"good{kind}", *GOOD)
    whole, rng = archive.read_bytes(), np.random.default_rng(1)
    refused = 0
    rounds = 15 if kind == ".rar" else 60  # each of these starts a program
    for _ in range(rounds):
        content = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 4)):
            change = rng.integers(3)
            if change == 0:
                content[place % len(content)] = rng.integers(256)
            elif change == 1:
                del content[place : place + rng.integers(1, 40)]
            else:
                content[place:place] = content[place : place + rng.integers(1, 40)]
        archive.write_bytes(content)
        try:
            extract(archive, target, "clips", progress=False)
        except DataError:
            refused += 1
            assert not list(target.iterdir())
        else:
            found = {str(p.relative_to(target)): p for p in target.rglob("*") if p.is_file()}
            assert {name: path.read_bytes() for name, path in found.items()} == dict(GOOD)
            shutil.rmtree(target)
    assert refused > rounds / 2
