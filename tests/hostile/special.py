"""Cases made by hand: what is no file at all, bombs, lies about sizes, and code in data."""

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import savemat

Place = Callable[[Path, bytes], object]
DEEP = 100_000
CANARY = "EXECUTED"  # in the folder that holds the cases' folders; a bomb that goes off makes it


class Bomb:
    """Unpickling this runs a command."""

    def __init__(self, file: Path):
        self.canary = file.parents[1] / CANARY

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.canary}' '../{CANARY}'",)


def _content(data: bytes) -> Place:
    return lambda file, _: file.write_bytes(data)


def _sparse(file: Path, data: bytes) -> None:
    with file.open("wb") as out:
        out.truncate(2**36)


# What may stand where any file is expected.
ANYWHERE: dict[str, Place] = {
    "nothing": lambda file, data: None,
    "folder": lambda file, data: file.mkdir(),
    "pipe": lambda file, data: os.mkfifo(file),
    "device": lambda file, data: file.symlink_to("/dev/zero"),
    "link to nothing": lambda file, data: file.symlink_to("nowhere"),
    "link to itself": lambda file, data: file.symlink_to(file.name),
    "64 GiB of holes": _sparse,
    "zeros": _content(bytes(5000)),
    "text": _content("été 😀\n".encode() * 99),
}


def _json(change: Callable[[Any], Any]) -> Place:
    return lambda file, data: file.write_text(json.dumps(change(json.loads(data))), "utf-8")


JSON: dict[str, Place] = {
    "nested deeply": _content(b"[" * DEEP + b"]" * DEEP),
    "objects nested deeply": _content(b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "a number of 5000 digits": _content(b'{"d_h": ' + b"9" * 5000 + b"}"),
    "a number too large": _content(b'{"lr": 1e999, "seed": NaN}'),
    "a list": _content(b"[1, 2]"),
    "a lone surrogate": _content(b'{"root": "\\ud800", "dataset": "\\ud800"}'),
    "a text of 2 MB": _content(b'{"root": "' + b"x" * 2_000_000 + b'"}'),
}


def _mat(**variables: Any) -> Place:
    return lambda file, _: savemat(file, variables, do_compression=True)


def _nested_cells(file: Path, data: bytes) -> None:
    """A cell in a cell in a cell: a reader that calls itself for each ends in a crash."""
    pieces: list[bytes] = []
    size = 0
    while size < 5_000_000:  # from the innermost
        head = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIII", 5, 8, 1, 1)
        outermost = size + 100 > 5_000_000
        head += struct.pack("<II", 1, 9 if outermost else 0)
        head += b"part_mask".ljust(16, b"\0") if outermost else b""
        pieces.append(struct.pack("<II", 14, len(head) + size) + head)
        size += len(pieces[-1])
    file.write_bytes(data[:128] + b"".join(reversed(pieces)))


def _mat_bomb(file: Path, data: bytes) -> None:
    """4 MB that become 4 GB."""
    packer = zlib.compressobj(9)
    packed = packer.compress(struct.pack("<II", 14, 0xFFFFFFF0))
    block = bytes(2**24)
    packed += b"".join(packer.compress(block) for _ in range(60)) + packer.flush()
    file.write_bytes(data[:128] + struct.pack("<II", 15, len(packed)) + packed)


def _mat_dims(file: Path, data: bytes) -> None:
    """An uncompressed variable of 2**31 - 1 rows and as many columns."""
    head = struct.pack("<IIII", 6, 8, 6, 0)
    head += struct.pack("<IIiiii", 5, 12, 2**31 - 1, 2**31 - 1, 5, 0)
    head += struct.pack("<II", 1, 9) + b"part_mask".ljust(16, b"\0")
    head += struct.pack("<II", 9, 2**31) + bytes(64)
    file.write_bytes(data[:128] + struct.pack("<II", 14, len(head)) + head)


def _tensors(header: Any, body: bytes = bytes(64)) -> Place:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return lambda file, _: file.write_bytes(struct.pack("<Q", len(text)) + text + body)


def _tensor(name: str, shape: list[int], body: bytes = bytes(64)) -> Place:
    return _tensors({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 64]}}, body)


SAFETENSORS: dict[str, Place] = {
    "a header of 2**63 bytes": _content(struct.pack("<Q", 2**63) + b"{}"),
    "a tensor of 10**12": _tensor("a", [10**12]),
    "a shape that overflows": _tensor("a", [2**62, 4]),
    "a nested header": _tensors(b"[" * DEEP),
    "no tensor": _tensors({}, b""),
    "a pickle": lambda file, _: file.write_bytes(pickle.dumps(Bomb(file))),
    "other tensors": _tensor("cubes", [4, 4]),
    "not finite": _tensor("trunk.0.weight", [16], b"\xff" * 64),
}


def _torch(make: Callable[[Path], Any]) -> Place:
    return lambda file, _: torch.save(make(file), file)


def _compressed(file: Path, data: bytes) -> None:
    """A torch file whose one tensor takes 1 GiB, packed into 1 MiB."""
    torch.save({"a": torch.zeros(4)}, buffer := io.BytesIO())
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            with new.open(entry.filename, "w", force_zip64=True) as out:
                if "/data/" not in entry.filename:
                    out.write(old.read(entry))
                for _ in range(64 if "/data/" in entry.filename else 0):
                    out.write(bytes(2**24))


TORCH: dict[str, Place] = {
    "a pickle": lambda file, _: file.write_bytes(pickle.dumps(Bomb(file))),
    "code in it": _torch(lambda file: {"a": Bomb(file)}),
    "a module": _torch(lambda file: torch.nn.Linear(2, 2)),
    "10**12 numbers of one": _torch(lambda file: {"a": torch.zeros(1).expand(10**12)}),
    "not finite": _torch(lambda file: {"a": torch.tensor([1.0, float("nan")])}),
    "infinite": _torch(lambda file: {"a": torch.tensor([float("inf")])}),
    "keys that are no names": _torch(lambda file: {3: torch.zeros(1), (1, 2): torch.zeros(1)}),
    "a sparse tensor": _torch(lambda file: {"a": torch.eye(3).to_sparse()}),
    "a tensor without storage": _torch(lambda file: {"a": torch.zeros(3, device="meta")}),
    "an old file with code": lambda file, _: torch.save(
        {"a": Bomb(file)}, file, _use_new_zipfile_serialization=False
    ),
    "compressed": _compressed,
}


def _npz(**arrays: Any) -> Place:
    return lambda file, _: np.savez(file, **arrays)


def _npy_head(*shape: int) -> bytes:
    head, of = io.BytesIO(), {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, of)
    return head.getvalue()


def _npz_bomb(file: Path, data: bytes) -> None:
    """2 MB that become 2 GB."""
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("scores.npy", "w", force_zip64=True) as out:
        out.write(_npy_head(2**20, 2**9))
        for _ in range(128):
            out.write(bytes(2**24))


def _npz_lie(file: Path, data: bytes) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("scores.npy", _npy_head(10**6, 10**6) + bytes(64))


_TEXTS = {"names": np.array(["a", "b"]), "classes": np.array(["x", "y"])}
NPZ: dict[str, Place] = {
    "code in it": lambda file, _: np.savez(
        file, names=np.array([Bomb(file)], dtype=object), scores=np.zeros((1, 1), np.float32)
    ),
    "a pickle": lambda file, _: file.write_bytes(pickle.dumps(Bomb(file))),
    "2 GB in 2 MB": _npz_bomb,
    "10**12 scores": _npz_lie,
    "names without a shape": _npz(**_TEXTS | {"names": np.array("a")}, scores=np.zeros((1, 2))),
    "names in rows": _npz(**_TEXTS | {"names": np.array([["a"], ["b"]])}, scores=np.zeros((2, 2))),
    "names as bytes": _npz(**_TEXTS | {"names": np.array([b"a", b"b"])}, scores=np.zeros((2, 2))),
    "not finite": _npz(**_TEXTS, scores=np.array([[np.nan, 1], [0, 1]])),
    "infinite": _npz(**_TEXTS, scores=np.array([[np.inf, 1], [0, 1]])),
    "complex": _npz(**_TEXTS, scores=np.zeros((2, 2), np.complex64)),
    "labels out of range": _npz(**_TEXTS, scores=np.zeros((2, 2)), labels=np.array([0, 7])),
}
CSV: dict[str, Place] = {
    "60,000 clips, one twice": lambda file, _: file.write_text(
        "clip,a\n" + "".join(f"c{i},1\n" for i in range(60_000)) + "c59999,1\n", encoding="utf-8"
    ),
    "a field of a megabyte": _content(b"clip,a\nx," + b"9" * 2**20 + b"\n"),
    "semicolons": _content(b"clip;a;b\nx;0,5;0,5\n"),
    "semicolons and points": _content(b"clip;a,b\nx;1.000,5\n"),
    "a mark alone": _content(b"\xef\xbb\xbf"),
    "per cent": _content(b"clip,a,b\nx.avi,50%,50 %\n"),
    "nothing but signs": _content(b"clip,a\n/,%\n"),
    "an open quote": _content(b'clip,a\n"x,1\n'),
    "a zero byte": _content(b"clip,a\nx\0,1\n"),
    "not finite": _content(b"clip,a\nx,nan\n"),
    "too large": _content(b"clip,a\nx,1e999\n"),
    "infinite in single precision": _content(b"clip,a,b\nx,1e200,1\n"),
    "names of all kinds": _content('clip,a,b\n"!(+) @\'""\n",1,2\n-é,2,1\ne\u0301,1,1\n'.encode()),
}
LIST: dict[str, Place] = {
    "a name that climbs": _content(b"../../x.avi 1\n"),
    "a name of 5000": _content(b"x" * 5000 + b".avi 1\n"),
    "a zero byte": _content(b"a\0b.avi 1\n"),
    "a label of 5000 digits": _content(b"JumpRope/v.avi " + b"9" * 5000 + b"\n"),
    "names of all kinds": _content(
        "!(+) @'\".avi 1\n-rf.avi 1\ncafé.avi 2\ncafe\u0301.avi 2\n".encode()
    ),
    "not UTF-8": _content(b"\xff\xfe.avi 1\n"),
    "a mark alone": _content(b"\xef\xbb\xbf"),
}  # fmt: skip


def _avi_counts(file: Path, data: bytes) -> None:
    """A header that claims 2**31 - 1 frames of 2**31 - 1 pixels."""
    out, big = bytearray(data), struct.pack("<I", 2**31 - 1)
    at = data.index(b"avih") + 8
    out[at + 16 : at + 20] = out[at + 32 : at + 36] = out[at + 36 : at + 40] = big
    at = data.index(b"strf") + 8
    out[at + 4 : at + 8] = out[at + 8 : at + 12] = big
    file.write_bytes(out)


VIDEO: dict[str, Place] = {
    "2**31 frames": _avi_counts,
    "a playlist": _content(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
    "a concat script": _content(b"ffconcat version 1.0\nfile /dev/zero\n"),
    "a RIFF header alone": _content(b"RIFF\x04\0\0\0AVI "),
    "a RIFF of 4 GB": _content(b"RIFF\xff\xff\xff\xffAVI " + bytes(500)),
}


def _box(name: bytes, at: int, *values: int) -> Place:
    """An MP4 with other numbers of 32 bits in a box."""

    def place(file: Path, data: bytes) -> None:
        out = bytearray(data)
        struct.pack_into(f">{len(values)}I", out, data.index(name) + 4 + at, *values)
        file.write_bytes(out)

    return place


MATRIX = (b"tkhd", 40)  # the display matrix: nine numbers
PHONE: dict[str, Place] = {
    "a matrix of zeros": _box(*MATRIX, *[0] * 9),
    "a matrix of large numbers": _box(*MATRIX, *[2**31] * 9),
    "a slanted matrix": _box(*MATRIX, 3, 5, 0, 2**32 - 7, 11, 0, 0, 0, 1 << 30),
    "a second of one tick": _box(b"mdhd", 12, 1),
    "2**32 ticks a second": _box(b"mdhd", 12, 2**32 - 1),
    "frames of 2**31 ticks": _box(b"stts", 12, 2**31 - 1),
    "2**31 frames": _box(b"stts", 8, 2**31 - 1),
    "2**31 pixels wide": _box(b"avc1", 24, 2**32 - 1),
}


def _beside(name: str) -> Place:
    """The picture, and another one of that name in its folder."""

    def place(file: Path, data: bytes) -> None:
        file.write_bytes(data)
        file.with_name(name).write_bytes(data)

    return place


def _png(width: int, height: int, rows: int) -> Place:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    packed = zlib.compress(bytes((width + 1) * rows), 9)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return _content(b"\x89PNG\r\n\x1a\n" + chunks)


FRAME: dict[str, Place] = {
    "a bomb of 10**9 pixels": _png(40_000, 25_000, 1000),
    "2**31 pixels wide": _png(2**31 - 1, 2**31 - 1, 0),
    "no pixel": _png(0, 0, 0),
    "rows that lack": _png(64, 48, 3),
    "another size": _png(10, 10, 10),
    "flow beside it": _beside("flow_x_00001.png"),
    "another kind beside it": _beside("thumb.png"),
    "its number twice": _beside("2.png"),
    "a gap after it": _beside("99999999999999999999.png"),
}
MAT: dict[str, Place] = {
    "4 GB in 1 MB": _mat_bomb,
    "2**31 rows": _mat_dims,
    "cells nested deeply": _nested_cells,
    "a struct": _mat(part_mask={"a": 1}),
    "a cell": _mat(part_mask=np.array([[1], "x"], dtype=object)),
    "text": _mat(part_mask="x"),
    "complex": _mat(part_mask=np.zeros((48, 64, 6), complex)),
    "not finite": _mat(part_mask=np.full((48, 64, 6), np.nan)),
    "another key": _mat(mask=np.ones((48, 64, 6))),
    "a pickle": lambda file, _: file.write_bytes(pickle.dumps(Bomb(file))),
}


def _cell(**fields: Any) -> Place:
    return _json(lambda content: {**content, "cells": [{**content["cells"][0], **fields}]})


NOTEBOOK: dict[str, Place] = {
    "brackets": _cell(source="x: list[int] = " + "[" * 5000 + "]" * 5000),
    "signs": _cell(source="x: int = " + "-" * 20_000 + "1"),
    "a long sum": _cell(source="x: int = " + "1+" * 20_000 + "1"),
    "a number of 5000 digits": _cell(source="x: int = " + "9" * 5000),
    "code": _cell(source=f"x: int = __import__('os').system('touch ../{CANARY}')"),
    "a zero byte": _cell(source="x: int = 1\0"),
    "a set that can't be": _cell(source="x: list[int] = {[]: 1}"),
    "an open string": _cell(source="x: str = '''abc"),
    "attributes": _cell(source="x: " + "a." * 20_000 + "b = 1"),
    "tags that are none": _cell(metadata={"tags": None}),
    "metadata that is a list": _cell(metadata=[1]),
    "a source of numbers": _cell(source=[1, 2]),
    "10 MB of source": _cell(source="x: int = 1\n" * 10**6),
}


def _sizes(**model: Any) -> Place:
    return _json(lambda content: {**content, "model": {**content["model"], **model}})


DESCRIPTION: dict[str, Place] = {
    "a state of 10**12": _sizes(d_h=10**12),
    "a state of 10**5": _sizes(d_h=10**5),
    "10**9 classes": _sizes(heads={"puppets": 10**9}),
    "fewer classes": _json(lambda content: {**content, "classes": ["one"]}),
    "scales of zero": _json(lambda content: {**content, "scales": {"motion": [0, 1]}}),
    "another head": _json(lambda content: {**content, "head": "jhmdb"}),
    "one stream": _sizes(streams=["motion"]),
    "no networks": _json(lambda content: {**content, "networks": {}}),
}
# of archives: tests/fetch/test_archives.py
SPECIAL: dict[str, dict[str, Place]] = {
    "split list": LIST, "open jhmdb": LIST, "open ucf101": LIST, "ucf101 classes": LIST,
    "open hmdb51": LIST, "puppets.json": JSON, "video": VIDEO, "clip of a video": VIDEO,
    "frame": FRAME, "silhouettes": MAT, "feature store": SAFETENSORS, "store's key": JSON,
    "input store": SAFETENSORS, "network": SAFETENSORS, "weights .pth": TORCH, "card": JSON,
    "run's weights": SAFETENSORS, "run's description": {**JSON, **DESCRIPTION}, "config": JSON,
    "metrics": JSON, "scores .npz": NPZ, "scores .csv": CSV, "fuse": CSV, "log.csv": CSV,
    "resumed training": TORCH,
    "notebook": {**JSON, **NOTEBOOK}, "zip": {}, "tar": {}, "rar": {},
    "phone": PHONE, "matroska": {},
    "predict": VIDEO, "predict with a run": DESCRIPTION,
}  # fmt: skip
