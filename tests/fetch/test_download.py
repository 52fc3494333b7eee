"""Downloads that break off, stall, change or lie: a whole file, or an error and no file."""

import hashlib
import shutil
import socket
from collections import namedtuple

import numpy as np
import pytest

from data_scripts.fetch import download as module
from data_scripts.fetch.download import download
from rstan_lite.system.errors import ConfigError, DataError
from tests.fetch.server import serve

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
QUICK = {"timeout": 10.0, "pause": 0.0, "attempts": 3, "progress": False}


@pytest.fixture
def site():
    with serve(clips_dot_rar=CONTENT) as served:
        yield served


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archives" / "clips.rar"


def get(site, path, **more):
    return download(f"{site.url}/clips.rar", path, **{**QUICK, **more})


def whole(path):
    """The file alone, with nothing half done beside it."""
    return path.read_bytes() == CONTENT and [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_plain_download(site, path):
    assert get(site, path, md5=MD5) == path
    assert whole(path)
    get(site, path, md5=MD5)  # again: checked, not fetched
    assert site.requests == [("clips.rar", None)]


@pytest.mark.parametrize("md5", ["", MD5])
def test_it_goes_on_where_it_broke_off(site, path, md5):
    site.script = [("cut", 100_000), ("cut", 50_000)]
    get(site, path, md5=md5)
    assert whole(path)
    assert [asked for _, asked in site.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_server_that_stalls(site, path):
    """On a busy machine an answer may itself be late: then there are more requests than these."""
    site.script = [("stall", 100_000), ("stall", 50_000)]
    get(site, path, timeout=0.5, attempts=30)
    assert whole(path)
    assert len(site.requests) >= 3
    assert site.requests[-1][1] in ("bytes=100000-", "bytes=150000-")


def test_another_run_goes_on(site, path):
    site.script = [("cut", 100_000)] + [("cut", 0)] * 2
    with pytest.raises(DataError, match=r"100000 of 300000 bytes \(3 attempts\).*100000 bytes are"):
        get(site, path, md5=MD5)
    assert not path.exists()
    get(site, path, md5=MD5)
    assert whole(path)
    assert site.requests[-1] == ("clips.rar", "bytes=100000-")


@pytest.mark.parametrize("answer", ["whole", "lie"])
def test_a_range_that_is_ignored_or_another_one(site, path, answer):
    """What comes must not be put behind what is there."""
    site.script = [("cut", 100_000), (answer,)]
    get(site, path)
    assert whole(path)
    assert (site.requests[-1][1] is None) == (answer == "lie")  # then it begins anew


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize(
    ("old", "cut"),
    [
        (CONTENT[::-1] + b"more", 100_000),
        (CONTENT[:200_000], 100_000),
        (CONTENT * 2, 400_000),  # more than there is now: the server says 416
        (CONTENT[::-1], 100_000),
    ],
)
def test_the_file_changes_in_between(site, path, old, cut, tagged):
    """Told by its tag, where the server gives none by its size, and else by the checksum."""
    site.tagged = tagged
    site.files["clips.rar"] = old
    site.script = [("cut", cut)] + [("cut", 0)] * 2
    with pytest.raises(DataError):
        get(site, path)
    site.files["clips.rar"] = CONTENT
    if not tagged and len(old) == len(CONTENT):
        with pytest.raises(DataError, match=f"expected MD5 {MD5}"):
            get(site, path, md5=MD5)
        assert not any(path.parent.iterdir())
    get(site, path, md5=MD5)
    assert whole(path)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        *((("status", code), rf"HTTP {code} .*Ask the authors.") for code in (404, 403, 410)),
        (("unsized",), "does not state its size"),
        (("proper",), f"a file with another MD5; expected MD5 {'0' * 32}"),
    ],
)
def test_a_dead_address_or_another_file(site, path, answer, words):
    site.script = [answer]
    with pytest.raises(DataError, match=words):
        get(site, path, md5="0" * 32, hint="Ask the authors.")
    assert len(site.requests) == 1
    assert not any(path.parent.iterdir())


def test_a_wrong_file_that_is_there_already_is_not_overwritten(site, path):
    path.parent.mkdir()
    path.write_bytes(b"something of the user's")
    with pytest.raises(DataError, match="damaged or another one"):
        get(site, path, md5=MD5)
    assert path.read_bytes() == b"something of the user's"
    assert not site.requests


def test_a_busy_server(site, path):
    site.script = [("status", 503), ("status", 429)]
    get(site, path)
    assert whole(path)
    site.script = [("status", 500)] * 3
    with pytest.raises(DataError, match=r"HTTP 500 .*3 attempts"):
        get(site, path.with_name("other.rar"))


def test_no_server(path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DataError, match=r"connection that failed .*use --adopt"):
        download(f"http://127.0.0.1:{port}/clips.rar", path, hint="Or use --adopt.", **QUICK)
    assert not any(path.parent.iterdir())


def test_other_addresses(path):
    with pytest.raises(ConfigError, match="http"):
        download("file:///etc/hostname", path, **QUICK)


def test_room_is_looked_at_before_the_first_byte(site, path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 500_000))
    with pytest.raises(DataError, match=r"0\.0 GiB free"):
        get(site, path, room=1.1)
    assert not path.exists()
    get(site, path, room=0.5)
    assert whole(path)


def test_a_disk_that_fails(site, path, monkeypatch):
    for call in ("link", "replace"):
        monkeypatch.setattr(module.os, call, _full)
    with pytest.raises(DataError, match="No space left"):
        get(site, path)
    assert not path.exists()
    monkeypatch.undo()
    get(site, path)
    assert whole(path)
    assert len(site.requests) == 1  # all bytes were there


def _full(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("note", ["", "{}", "[1]", '{"url": "http://elsewhere/clips.rar"}'])
def test_a_part_of_unknown_origin_is_thrown_away(site, path, note):
    path.parent.mkdir()
    path.with_name(".clips.rar.part").write_bytes(b"of another file")
    path.with_name(".clips.rar.part.json").write_text(note, encoding="utf-8")
    get(site, path)
    assert whole(path)
    assert site.requests == [("clips.rar", None)]
