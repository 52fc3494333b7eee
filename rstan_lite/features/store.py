"""A store on disk: a memory-mapped file of tensors a clip, under a key that says how made."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rstan_lite.data.clips import Clip
from rstan_lite.data.splits import check_name
from rstan_lite.system.errors import DataError, StoreError
from rstan_lite.system.files import write_atomically
from rstan_lite.system.reading import check_regular, disk_errors, read_json, sha256
from rstan_lite.system.settings import imported

MEND = "Remove it and run `rstan-lite extract` again: only this clip is made anew."
TENSORS = "a clip's stored tensors"
MADE_OF_MASKS = {"masks", "target"}  # names of tensors


def digest(value: Any) -> str:
    """A short hash of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def fingerprint(path: Path) -> str:
    """A hash of a clip's bytes (of all frames, for a folder of images). Raises DataError."""
    with disk_errors(DataError, path, "a clip that can be read"):
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            check_regular(file, DataError, "a clip's file")
        return sha256(files)[:16]


def code_print(name: str) -> str:
    """A hash of the file of an importable module; "" for one without. Raises ConfigError."""
    file = imported(name, name, "__dict__", "a module that can be imported").get("__file__")
    return fingerprint(Path(file)) if file else ""


def _masks_print(clip: Clip, prints: Callable[[Path], str]) -> str:
    return "none" if clip.mask_path is None else prints(clip.mask_path)


class Store:
    """Tensors of clips in `folder/<class>/<clip>.safetensors`, memory-mapped when read.

    folder: made if absent. key: everything that changes the content, as JSON values; a folder whose
    `key.json` holds another one is refused (StoreError).
    Each file carries its clip's fingerprint, that of the silhouettes too where it is made of them,
    and appears whole or not at all: what changed or is missing is made anew.
    """

    def __init__(self, folder: str | Path, key: dict[str, Any]):
        self.folder, self.key = Path(folder), json.loads(json.dumps(key))
        path = self.folder / "key.json"
        with disk_errors(StoreError, path, "a folder for features"):
            there = path.exists()
        if not there:
            write_atomically(path, json.dumps(self.key, indent=1, sort_keys=True).encode())
            return
        mend = "Remove the folder to make it anew."
        if (found := read_json(path, StoreError, "the key of a store, as JSON", mend)) != self.key:
            said = [json.dumps(key, sort_keys=True)[:1000] for key in (found, self.key)]
            raise StoreError(path, f"a store made with {said[0]}", said[1], mend)

    @classmethod
    def under(cls, cache: str | Path, kind: str, key: dict[str, Any]) -> Self:
        """The store of a key inside a cache folder, `<cache>/<kind>-<hash of the key>`."""
        return cls(Path(cache) / f"{kind}-{digest(key)}", key)

    def path(self, clip: Clip) -> Path:
        for name in (clip.action, clip.name):  # a reader of one's own may give any
            check_name(str(clip.path), name)
        return self.folder / clip.action / f"{clip.name}.safetensors"

    def missing(self, clips: list[Clip], prints: Callable[[Path], str] = fingerprint) -> list[Clip]:
        """Clips that are not `current`."""
        return [clip for clip in clips if not self.current(clip, prints)]

    def current(self, clip: Clip, prints: Callable[[Path], str] = fingerprint) -> bool:
        """Whether a clip is stored, from its present bytes. prints: a cached `fingerprint`."""
        path = self.path(clip)
        if not path.is_file():
            return False
        with self._open(path) as file:
            stored = (file.metadata() or {}).get("clip", "").split()
        try:
            masks = len(stored) < 2 or stored[1] == _masks_print(clip, prints)
            return masks and stored[:1] == [prints(clip.path)]
        except DataError:  # whoever makes it anew will find the damage, and say it of this clip
            return False

    def write(self, clip: Clip, tensors: dict[str, Tensor], clip_print: str = "") -> None:
        """Store a clip's tensors. clip_print: its fingerprint of before it was read."""
        content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        found = clip_print or fingerprint(clip.path)
        if content.keys() & MADE_OF_MASKS:  # one entry: safetensors writes several in any order
            found += f" {_masks_print(clip, fingerprint)}"
        write_atomically(self.path(clip), save(content, {"clip": found}))

    def read(self, clip: Clip, name: str) -> Tensor:
        """A stored tensor; its pages are read from the disk when they are touched."""
        with self._open(self.path(clip)) as file:
            return file.get_tensor(name)

    @contextmanager
    def _open(self, path: Path) -> Iterator[Any]:
        check_regular(path, StoreError, TENSORS, MEND)
        try:
            with safe_open(str(path), framework="pt") as file:
                yield file
        except (OSError, SafetensorError, MemoryError) as error:
            found = f"a missing or damaged file ({error})"
            raise StoreError(path, found, TENSORS, MEND) from error
