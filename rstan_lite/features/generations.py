"""A saved state and the one before it: what a run that was killed goes on from."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from rstan_lite.features.torch_file import load_torch
from rstan_lite.system.errors import CheckpointError, RstanError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import check_regular

_HEAD, _DIGITS = b"rstan-lite state, sha256 ", 64
T = TypeVar("T")


class Generations:
    """A state on disk, in the two newest versions: `path`, and `<path>.previous`.

    A version begins with a line that holds the SHA-256 of the rest, which torch.save wrote: torch
    itself reads a file with a changed number without a complaint.
    Each version is written beside the one that it takes the place of, so that a kill at any moment
    leaves one that is whole; a version that was found damaged is never kept as the one before.
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
        digits = hashlib.sha256(content[body:]).hexdigest().encode()
        content[len(_HEAD) : body - 1] = digits
        keep = self.previous if self._newest_is_good else None
        write_atomically(self.path, content, keep=keep)
        self._newest_is_good = True

    def load(self, take: Callable[[dict[str, Any]], T], device: str = "cpu") -> T | None:
        """Hand the newest whole version's state to `take`, and return what that returns.

        None where there is no version. A damaged one is named on stderr, and the one before it
        taken; `take` may be called twice, the second time to replace what the first began.
        Raises CheckpointError where no version can be read, and what `take` raises as such.
        """
        found = [path for path in (self.path, self.previous) if path.exists()]
        damages: list[tuple[Path, Exception]] = []
        for path in found:
            try:
                taken = take(_read(path, device))
            except RstanError:
                raise
            except Exception as error:  # torch and pickle raise many types
                damages.append((path, error))
                continue
            self._newest_is_good = not damages
            for damaged, why in damages:
                text = f"a damaged file ({_reason(why)}); going on from {path.name}, saved before"
                print(f"warning: {damaged}: found {text}.", file=sys.stderr)
            return taken
        if not found:
            return None
        reasons = " and ".join(f"{path.name}: {_reason(reason)}" for path, reason in damages)
        raise CheckpointError(
            damages[0][0],
            f"a damaged file ({reasons})",
            "the saved state of a run",
            f"Remove {' and '.join(path.name for path in found)}: the run then starts anew.",
        ) from damages[0][1]

    def remove(self) -> None:
        """Remove all versions, when the run is done."""
        self.path.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)


def _read(path: Path, device: str) -> dict[str, Any]:
    check_regular(path, CheckpointError, "the saved state of a run", "Remove it.")
    content = memoryview(path.read_bytes())
    body = len(_HEAD) + _DIGITS + 1
    if content[: len(_HEAD)] != _HEAD:
        raise ValueError("no checksum in its first line")
    line = _HEAD + hashlib.sha256(content[body:]).hexdigest().encode() + b"\n"
    if content[:body] != line:
        raise ValueError("its checksum differs")
    found = load_torch(io.BytesIO(content[body:]), device)
    if not isinstance(found, dict):
        raise ValueError(f"a {type(found).__name__}")
    return found


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def random_states() -> dict[str, Any]:
    """The states of torch's random sources: the only ones that a training draws from."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def restore_random(states: dict[str, Any]) -> None:
    """Take up what `random_states` returned. A GPU's are left out where their number differs."""
    torch.set_rng_state(states["cpu"].cpu())
    if states["cuda"] and torch.cuda.device_count() == len(states["cuda"]):
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])


def warn_of_threads(path: Path, threads: int) -> None:
    """Say where a run goes on with another number of threads: sums then round differently."""
    now = torch.get_num_threads()
    if threads != now:
        print(
            f"warning: {path}: saved with {threads} threads, goes on with {now}: the results may "
            "differ in the last digits from those of a run that was never interrupted.",
            file=sys.stderr,
        )
