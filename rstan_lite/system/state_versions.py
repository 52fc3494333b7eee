"""A state on disk in two versions, so that a kill at any moment leaves a whole one."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from rstan_lite.system.errors import CheckpointError, RstanError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import check_regular
from rstan_lite.system.tensor_files import load_torch

_HEAD, _DIGITS = b"rstan-lite state, sha256 ", 64
T = TypeVar("T")


class Versions:
    """A state on disk, in the two newest versions: `path`, and `<path>.previous`.

    A version begins with a line that holds the SHA-256 of the rest: torch reads a changed number
    without a complaint. A damaged version is never kept as the one before.
    """

    def __init__(self, path: Path):
        self.path, self.previous = path, path.with_name(f"{path.name}.previous")
        self._newest_is_good = True

    def exists(self) -> bool:
        """Whether there is anything to go on from."""
        return self.path.exists() or self.previous.exists()

    def save(self, state: dict[str, Any]) -> None:
        """Write a version, whole or not at all. Raises StoreError."""
        buffer = io.BytesIO()
        buffer.write(_HEAD + bytes(_DIGITS) + b"\n")
        body = buffer.tell()
        torch.save(state, buffer)
        content = buffer.getbuffer()
        content[len(_HEAD) : body - 1] = hashlib.sha256(content[body:]).hexdigest().encode()
        write_atomically(self.path, content, keep=self.previous if self._newest_is_good else None)
        self._newest_is_good = True

    def load(self, take: Callable[[dict[str, Any]], T], device: str = "cpu") -> T | None:
        """Hand the newest whole version's state to `take`; returns its result, None without one.

        A damaged version is named on stderr, and the one before it taken, so that `take` may be
        called twice. Raises CheckpointError where no version can be read, and what `take` raises.
        """
        damages: dict[str, str] = {}
        for path in filter(Path.exists, (self.path, self.previous)):
            try:
                taken = take(_read(path, device))
            except RstanError:
                raise
            except Exception as error:  # torch and pickle raise many types
                damages[path.name] = (str(error) or type(error).__name__).splitlines()[0]
                continue
            self._newest_is_good = not damages
            for name, why in damages.items():
                text = f"a damaged file ({why}); going on from {path.name}, saved before"
                print(f"warning: {path.with_name(name)}: found {text}.", file=sys.stderr)
            return taken
        if not damages:
            return None
        found = " and ".join(f"{name}: {why}" for name, why in damages.items())
        hint = f"Remove {' and '.join(damages)}: the run then starts anew."
        expected = "the saved state of a run"
        raise CheckpointError(self.path, f"a damaged file ({found})", expected, hint)

    def remove(self) -> None:
        """Remove all versions, when the run is done."""
        self.path.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)


def _read(path: Path, device: str) -> dict[str, Any]:
    check_regular(path, CheckpointError, "the saved state of a run", "Remove it.")
    content = memoryview(path.read_bytes())
    body = len(_HEAD) + _DIGITS + 1
    if content[:body] != _HEAD + hashlib.sha256(content[body:]).hexdigest().encode() + b"\n":
        raise ValueError("its checksum differs")
    found = load_torch(io.BytesIO(content[body:]), device)
    if not isinstance(found, dict):
        raise ValueError(f"a {type(found).__name__}")
    return found
