"""The commands from an address or a copy to a data set that the readers open."""

import hashlib
import shutil
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from clips import write_dataset, write_hmdb51, write_ucf101
from measured import python

from data_scripts.fetch import command
from data_scripts.fetch.command import main
from data_scripts.fetch.sources import HMDB51, JHMDB, SOURCES, UCF101, Piece, Source
from rstan_lite.data.datasets import open_clips
from tests.fetch.made import has_tool, write_rar, write_tar
from tests.fetch.server import serve


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr(command, "download", partial(command.download, pause=0.0, attempts=3))


def members(root: Path, folder: str) -> list[tuple[str, bytes]]:
    files = sorted(p for p in (root / folder).rglob("*") if p.is_file())
    return [(str(p.relative_to(root)), p.read_bytes()) for p in files]


@pytest.fixture(scope="module")
def jhmdb(tmp_path_factory):
    """Archives of a small JHMDB, and a source with their checksums."""
    folder = tmp_path_factory.mktemp("jhmdb")
    root = write_dataset(folder / "clips", per_class=4, frames=6)
    archives = folder / "archives"
    archives.mkdir()
    pieces = []
    for forms in JHMDB.pieces:
        made = []
        for piece in forms:
            path = archives / piece.archive
            if path.suffix == ".zip":
                with zipfile.ZipFile(path, "w") as archive:
                    for name, content in members(root, piece.folder):
                        archive.writestr(name, content)
            else:  # one frame a clip is enough for the reader, which does not look into the files
                content = members(root, "ReCompress_Videos")
                names = (n.replace("ReCompress_Videos", piece.folder)[:-4] for n, _ in content)
                write_tar(path, *((f"{name}/00001.png", b"png") for name in names))
            made.append(replace(piece, md5=hashlib.md5(path.read_bytes()).hexdigest()))
        pieces.append(tuple(made))
    return archives, root, replace(JHMDB, pieces=tuple(pieces))


def run(source: Source, *arguments: object) -> int:
    return main(source, [*map(str, arguments), "--quiet", "--timeout", "10"])


def test_jhmdb_from_an_address(jhmdb, tmp_path, capsys):
    archives, root, source = jhmdb
    files = {p.name.replace(".", "_dot_"): p.read_bytes() for p in archives.iterdir()}
    with serve(**files) as site:
        site.script = [("proper",), ("cut", 500)]
        assert run(source, tmp_path / "got", "--url", site.url) == 0
        assert [n for n, _ in site.requests].count("Rename_Images.tar.gz") == 0
        before = len(site.requests)
        assert run(source, tmp_path / "got", "--url", site.url) == 0
        assert len(site.requests) == before
    said = capsys.readouterr().out
    assert "(MD5 as published)" in said
    assert "jump 4" in said
    assert "JHMDB split 3  ReCompress_Videos: 6 training and 6 test clips, 12 silhouettes" in said
    got, own = open_clips("jhmdb", tmp_path / "got"), open_clips("jhmdb", root)
    assert got.identity() == own.identity()
    assert (got.frames(got.test[0]) == own.frames(own.test[0])).all()


def test_jhmdb_in_the_other_form(jhmdb, tmp_path):
    archives, _, source = jhmdb
    files = {p.name.replace(".", "_dot_"): p.read_bytes() for p in archives.iterdir()}
    with serve(**files) as site:
        assert run(source, tmp_path / "got", "--url", site.url, "--form", "Rename_Images") == 0
    assert open_clips("jhmdb", tmp_path / "got").layout == "Rename_Images"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, ("HTTP 404", "reported dead in October 2025", "--adopt PATH")),
        ({"splits_dot_zip": b"<html>moved</html>"}, ("MD5",)),
    ],
)
def test_an_address_without_the_files_says_what_to_do(jhmdb, tmp_path, capsys, files, words):
    with serve(**files) as site:
        assert run(jhmdb[2], tmp_path / "got", "--url", site.url) == 2
    said = capsys.readouterr().err
    assert all(word in said for word in words)
    assert not [p for p in (tmp_path / "got").rglob("*") if p.is_file()]


def test_adopting_folders_links_them(jhmdb, tmp_path, capsys):
    _, root, source = jhmdb
    copy = tmp_path / "disk" / "copies" / "JHMDB"
    shutil.copytree(root, copy)
    before = sorted(p.stat().st_mtime_ns for p in copy.rglob("*"))
    assert run(source, tmp_path / "got", "--adopt", tmp_path / "disk") == 0
    assert (tmp_path / "got" / "splits").resolve() == copy / "splits"
    assert open_clips("jhmdb", tmp_path / "got").missing == ()
    assert run(source, tmp_path / "got", "--adopt", tmp_path / "disk") == 0  # already there
    assert run(source, copy, "--adopt", copy) == 0  # in place
    assert not (copy / "splits").is_symlink()
    assert before == sorted(p.stat().st_mtime_ns for p in copy.rglob("*"))
    assert "already there" in capsys.readouterr().out


def test_adopting_archives_checks_and_unpacks_them(jhmdb, tmp_path, capsys):
    archives, _, source = jhmdb
    assert run(source, tmp_path / "got", "--adopt", archives) == 0
    assert "unpacked from" in capsys.readouterr().out
    assert not (tmp_path / "got" / "archives").exists()
    damaged = tmp_path / "damaged"
    shutil.copytree(archives, damaged)
    (damaged / "puppet_mask.zip").write_bytes((damaged / "splits.zip").read_bytes())
    assert run(source, tmp_path / "other", "--adopt", damaged) == 2
    assert "puppet_mask.zip: found" in capsys.readouterr().err
    assert not (tmp_path / "other" / "puppet_mask").exists()


def test_what_a_copy_lacks(jhmdb, tmp_path, capsys):
    _, root, source = jhmdb
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    clip = next((copy / "ReCompress_Videos" / "push").iterdir())
    clip.unlink()
    assert run(source, tmp_path / "got", "--adopt", copy) == 1
    said = capsys.readouterr().out
    assert "push 3 of 4" in said
    assert "1 clips that the lists name are not there (push 1)" in " ".join(said.split())
    shutil.rmtree(copy / "splits")
    assert run(source, tmp_path / "other", "--adopt", copy) == 2
    assert "found none of these; expected splits or splits.zip" in capsys.readouterr().err
    assert run(source, tmp_path / "third", "--adopt", tmp_path / "nowhere") == 2


def test_a_broken_link_in_the_place(jhmdb, tmp_path, capsys):
    _, root, source = jhmdb
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "splits").symlink_to(tmp_path / "moved away")
    assert run(source, tmp_path / "got", "--adopt", root) == 2
    assert "a link that can't be made" in capsys.readouterr().err


@has_tool
@pytest.mark.filterwarnings("ignore:.*are official.*:UserWarning")
def test_ucf101_from_an_address(tmp_path, capsys):
    root = write_ucf101(tmp_path / "clips", frames=4)
    clips = write_rar(tmp_path / "clips.rar", *members(root, "UCF-101")).read_bytes()
    lists = write_rar(tmp_path / "lists.rar", *members(root, "ucfTrainTestlist")).read_bytes()
    pieces = ((Piece("ucfTrainTestlist", "lists.rar"),), UCF101.pieces[1])
    with serve(lists_dot_rar=lists, UCF101_dot_rar=clips) as site:
        site.script = [("proper",), ("cut", len(clips) // 2)]
        # small lists are a part of UCF101, which the report has to say
        assert run(replace(UCF101, pieces=pieces), tmp_path / "got", "--url", site.url) == 1
    said = capsys.readouterr().out
    assert "checksum not checked" in said
    assert "HandstandPushups 8" in said
    assert "UCF101 split 1  UCF-101: 18 training and 6 test clips\n" in said
    assert "3 of the 101 classes" in " ".join(said.split())
    got, own = (open_clips("ucf101", folder) for folder in (tmp_path / "got", root))
    assert got.identity() == own.identity()


@has_tool
def test_a_page_in_place_of_an_archive_without_checksum(tmp_path, capsys):
    with serve(test_train_splits_dot_rar=b"<html>moved</html>") as site:
        assert run(HMDB51, tmp_path / "got", "--url", site.url) == 2
    said = capsys.readouterr().err
    assert "an archive that can't be read to its end" in said
    assert f"remove {tmp_path / 'got' / 'archives' / 'test_train_splits.rar'} first" in said


@has_tool
@pytest.mark.filterwarnings("ignore:.*are official.*:UserWarning")
def test_hmdb51_from_an_address(tmp_path, capsys):
    root = write_hmdb51(tmp_path / "clips", frames=4)
    inner = []
    for folder in sorted((root / "hmdb51_org").iterdir()):
        part = write_rar(tmp_path / "part.rar", *members(root / "hmdb51_org", folder.name))
        inner.append((f"{folder.name}.rar", part.read_bytes()))
    clips = write_rar(tmp_path / "clips.rar", *inner).read_bytes()
    lists = write_rar(tmp_path / "x.rar", *members(root, "testTrainMulti_7030_splits"))
    with serve(hmdb51_org_dot_rar=clips, test_train_splits_dot_rar=lists.read_bytes()) as site:
        assert run(HMDB51, tmp_path / "got", "--url", site.url) == 1
    assert "HMDB51 split 2  hmdb51_org: 15 training and 6 test clips" in capsys.readouterr().out
    data = open_clips("hmdb51", tmp_path / "got")
    assert data.identity() == open_clips("hmdb51", root).identity()
    assert data.frames(data.test[0]).shape == (4, 48, 64, 3)


def test_without_a_program_for_rar_nothing_is_downloaded(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    with serve() as site:
        assert run(HMDB51, tmp_path / "got", "--url", site.url) == 2
        assert not site.requests
    assert "libarchive-tools" in capsys.readouterr().err


@pytest.mark.parametrize("name", SOURCES)
def test_the_scripts_show_their_options(name):
    script = Path(__file__).parents[2] / "data_scripts" / f"get_{name}.py"
    done = python(script, "--help", check=True)
    assert "--adopt" in done.stdout
    assert f"folder that becomes {name.upper()}'s" in done.stdout
    assert ("--form" in done.stdout) == (name == "jhmdb")
