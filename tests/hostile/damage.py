"""Random damage to bytes, and to the values in JSON and tables, drawn from a seeded generator."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

NASTY_TEXT = (
    "", "..", "../../x", "/etc/passwd", "a b", "-rf", "!(+)@", "quote'\"", "new\nline", "\x00",
    "café", "cafe\u0301", "\u202etxt", "😀" * 60, "x" * 5000, "%s%n{0}{x}", "C:\\x", "nan",
)  # fmt: skip
NASTY = (
    None, True, -1, 0, 2**63, 10**400, 1e308, -0.0, float("inf"), float("nan"), [], {}, [[]],
    {"a": {"b": [1]}}, *NASTY_TEXT,
)  # fmt: skip


def flip(data: bytes, rng: Random) -> bytes:
    """One to 32 bits turned over, near each other or anywhere."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 32))):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def flip_head(data: bytes, rng: Random) -> bytes:
    """Bytes of the first kilobyte replaced: sizes and counts stand there."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 2, 4))):
        if out:
            out[rng.randrange(min(len(out), 1024))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(out)


def truncate(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def zeros(data: bytes, rng: Random) -> bytes:
    """A run of zeros in place of what was there, as after a crash of a file system."""
    start = rng.randrange(len(data) + 1)
    size = rng.choice((4, 64, 512, 4096))
    return data[:start] + bytes(min(size, len(data) - start)) + data[start + size :]


def insert(data: bytes, rng: Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.randbytes(rng.choice((1, 4, 100))) + data[start:]


def repeat(data: bytes, rng: Random) -> bytes:
    """A part of the file twice."""
    start, size = rng.randrange(len(data) + 1), rng.choice((16, 256, 4096))
    return data[: start + size] + data[start:]


def sizes(data: bytes, rng: Random) -> bytes:
    """An aligned 32-bit number replaced by an absurd one."""
    if len(data) < 8:
        return data
    at = rng.randrange(len(data) // 4) * 4
    value = rng.choice((0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x10000000, 0))
    order = rng.choice(("little", "big"))
    return data[:at] + value.to_bytes(4, order) + data[at + 4 :]


def noise(data: bytes, rng: Random) -> bytes:
    return rng.randbytes(rng.choice((1, 100, 5000)))


def empty(data: bytes, rng: Random) -> bytes:
    return b""


BYTES: dict[str, Callable[[bytes, Random], bytes]] = {
    f.__name__: f for f in (flip, flip_head, truncate, zeros, insert, repeat, sizes, noise, empty)
}


def change_json(data: bytes, rng: Random) -> bytes:
    """Valid JSON with a value, somewhere in it, replaced, removed, renamed or nested deeply."""
    root = [json.loads(data)]
    place: Any = root
    key: Any = 0
    while isinstance(place[key], list | dict) and place[key] and rng.random() < 0.8:
        place = place[key]
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
    how = rng.random()
    if how < 0.7 or place is root:
        place[key] = rng.choice(NASTY)
    elif how < 0.85:
        del place[key]
    elif isinstance(place, dict):
        place[rng.choice(NASTY_TEXT)] = place.pop(key)
    return json.dumps(root[0] if root else None).encode(errors="replace")


def change_lines(data: bytes, rng: Random) -> bytes:
    """A list or a table with lines swapped, repeated, lost, or with a nasty piece in one."""
    lines = data.decode().split("\n")
    at = rng.randrange(len(lines))
    how = rng.randrange(4)
    if how == 0:
        lines[at] = rng.choice(NASTY_TEXT)
    elif how == 1:
        lines.insert(at, lines[rng.randrange(len(lines))])
    elif how == 2:
        del lines[at]
    else:
        parts = lines[at].replace(",", " , ").split(" ")
        parts[rng.randrange(len(parts))] = rng.choice((*NASTY_TEXT, "1e999", "-1", "9" * 5000))
        lines[at] = " ".join(parts).replace(" , ", ",")
    return "\n".join(lines).encode()
