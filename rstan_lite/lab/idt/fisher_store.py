"""Fisher vectors of a data set's clips on disk, and the codebooks that made them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from tqdm.auto import tqdm

from rstan_lite.data.jhmdb import Clip
from rstan_lite.features.store import Store, digest
from rstan_lite.lab.idt.descriptors import NAMES
from rstan_lite.lab.idt.encoding import Codebook, EncodingSettings
from rstan_lite.system.errors import StoreError
from rstan_lite.system.files import clear_parts, write_atomically

CODEBOOKS = "codebooks.safetensors"


def fisher_store(
    descriptors: Store, cache: str | Path, train: Sequence[Clip], settings: EncodingSettings
) -> Store:
    """The store of Fisher vectors, under `cache`. train: the clips that codebooks come from.

    Tensors of a clip: one Fisher vector for each kind of descriptor.
    """
    key = {
        "content": "fisher vectors 1",
        "descriptors": descriptors.key,
        "train": digest([clip.name for clip in train]),
        **asdict(settings),
    }
    return Store.under(cache, "idt-fisher", key)


def fill_fisher(
    store: Store,
    descriptors: Store,
    train: list[Clip],
    clips: list[Clip],
    settings: EncodingSettings,
    progress: bool = True,
) -> None:
    """Encode the clips that the store lacks, fitting codebooks to `train` first if it lacks those.

    Raises DataError (too few trajectories), StoreError.
    """
    todo = store.missing(clips)
    if not todo:
        return
    clear_parts(store.folder)
    codebooks = _codebooks(store, descriptors, train, settings, progress)
    title = f"Fisher vectors, {settings.components} components"
    for clip in tqdm(todo, title, disable=not progress):
        store.write(
            clip,
            {
                name: torch.from_numpy(codebook.encode(_read(descriptors, clip, name)))
                for name, codebook in codebooks.items()
            },
        )


def vectors(store: Store, clips: Sequence[Clip], name: str) -> np.ndarray:
    """The clips' Fisher vectors of one kind of descriptor, float32 (n, D)."""
    return np.stack([store.read(clip, name).numpy() for clip in clips])


def sample_rows(counts: Sequence[int], samples: int, seed: int) -> list[np.ndarray]:
    """A random draw from the trajectories of all clips: each clip's row numbers, sorted.

    counts: trajectories of each clip. At most `samples` in all, each trajectory equally likely.
    """
    edges = np.concatenate([[0], np.cumsum(counts)])
    drawn = np.random.default_rng(seed).permutation(edges[-1])[:samples]
    drawn.sort()
    return [
        drawn[np.searchsorted(drawn, low) : np.searchsorted(drawn, high)] - low
        for low, high in itertools.pairwise(edges)
    ]


def _read(descriptors: Store, clip: Clip, name: str) -> np.ndarray:
    return descriptors.read(clip, name).float().numpy()


def _codebooks(
    store: Store,
    descriptors: Store,
    train: list[Clip],
    settings: EncodingSettings,
    progress: bool,
) -> dict[str, Codebook]:
    """The codebook of each kind of descriptor: the store's own, or fitted and stored now."""
    path = store.folder / CODEBOOKS
    if path.is_file():
        return _stored_codebooks(path)
    counts = [len(descriptors.read(clip, NAMES[0])) for clip in train]
    rows = sample_rows(counts, settings.samples, settings.seed)
    codebooks = {}
    for name in tqdm(NAMES, f"codebooks, {settings.components} components", disable=not progress):
        parts = [_read(descriptors, c, name)[chosen] for c, chosen in zip(train, rows, strict=True)]
        codebooks[name] = Codebook.fit(np.concatenate(parts), settings)
    content = {
        f"{name}.{part}": np.ascontiguousarray(getattr(codebook, part))
        for name, codebook in codebooks.items()
        for part in Codebook.PARTS
    }
    write_atomically(path, save(content))
    return codebooks


def _stored_codebooks(path: Path) -> dict[str, Codebook]:
    try:
        found = load_file(path)
        return {
            name: Codebook.checked({p: found[f"{name}.{p}"] for p in Codebook.PARTS})
            for name in NAMES
        }
    except (OSError, SafetensorError, KeyError, ValueError, MemoryError) as error:
        raise StoreError(
            path, f"a damaged file ({error})", "codebooks", "Remove its folder to make them anew."
        ) from error
