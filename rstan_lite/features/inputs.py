"""The two networks' inputs of a clip, from one decode: frames, flow and silhouettes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.sampling import equally_spaced
from rstan_lite.features.flow import BOUND, CAMERA, Estimator, encode, estimator, flow_sequence
from rstan_lite.features.packing import Images, pack
from rstan_lite.features.parallel import Step, over_clips
from rstan_lite.features.store import Store, fingerprint
from rstan_lite.system.errors import DataError, StoreError
from rstan_lite.system.files import clear_parts

FLOW_HEIGHT = 192  # px; flow is smooth, so it is stored smaller than the frames it comes from
PACKED = ("frames", "flow", "masks")
MIN_SIDE = 16  # px


class InputStore(Store):
    """A store of inputs; frames, flow and masks are compressed in it, without loss.

    frames: S, equally spaced frames kept of each clip. flow, camera: see `flow.flow_sequence`.
    Tensors of a clip: "frames" uint8 (S, H, W, 3); "masks" uint8 (S, H, W), in a data
    set with silhouettes; "index" int64 (S,), the frames' places in the clip; "flow" uint8
    (F - 1, h, w, 2), coded, of all pairs.
    recipe: all that they depend on, as JSON values.
    """

    def __init__(
        self, cache: str | Path, recipe: dict[str, Any], frames: int, flow: Estimator, camera: str
    ):
        self.recipe, self.frames, self.flow, self.camera = recipe, frames, flow, camera
        key = {"content": "inputs 2", **recipe}
        super().__init__(self.place(cache, "inputs", key), key)

    def write(self, clip: Clip, tensors: dict[str, Tensor], clip_print: str = "") -> None:
        """Store a clip's tensors, as `clip_inputs` makes them."""
        content = {name: x for name, x in tensors.items() if name not in PACKED}
        for name in tensors.keys() & set(PACKED):
            content |= pack(name, tensors[name].numpy())
        super().write(clip, content, clip_print)

    def read(self, clip: Clip, name: str) -> Tensor:
        """A whole tensor."""
        found = self.lazy(clip, name)
        return torch.from_numpy(np.stack(list(found))) if isinstance(found, Images) else found

    def read_all(self, clip: Clip) -> dict[str, Tensor]:
        """All tensors of a clip, whole."""
        with self._open(self.path(clip)) as file:
            names = [name for name in file.keys() if "." not in name]  # noqa: SIM118
        lacking = {"frames", "flow", "index"} - set(names)
        if lacking:
            raise StoreError(self.path(clip), f"no {min(lacking)}", "a clip's inputs", "Remove it.")
        return {name: self.read(clip, name) for name in names}

    def lazy(self, clip: Clip, name: str) -> Images | Tensor:
        """A tensor, of which a packed one is read image by image as it is indexed."""
        if name not in PACKED:
            return super().read(clip, name)
        with self._open(self.path(clip)) as file:
            parts = [file.get_tensor(name + end) for end in ("", ".ends", ".shape")]
        return Images(parts[0], parts[1], parts[2], str(self.path(clip)))


def inputs_store(
    dataset: ClipDataset,
    cache: str | Path,
    frames: int,
    flow: str | Estimator = "dis",
    camera: str = "none",
) -> InputStore:
    """The store of a data set's inputs. frames, flow, camera: see `InputStore`."""
    method = estimator(flow) if isinstance(flow, str) else flow
    recipe = {
        "dataset": dataset.identity(),
        "layout": dataset.layout,
        "frames": frames,
        "flow": method.parameters,
        "camera": [camera, CAMERA[camera]],
        "bound": BOUND,
        "flow_height": FLOW_HEIGHT,
    }
    if not dataset.has_silhouettes:
        recipe["masks"] = "none"
    return InputStore(cache, recipe, frames, method, camera)


def has_masks(store: InputStore) -> bool:
    """Whether a store of inputs holds "masks"."""
    return store.recipe.get("masks") != "none"


def clip_inputs(
    frames: np.ndarray, masks: np.ndarray | None, count: int, flow: str | Estimator, camera: str
) -> dict[str, Tensor]:
    """The tensors above, from all frames (F, H, W, 3) of a clip and its masks (F, H, W)."""
    if len(frames) < 2:
        raise DataError("clip", f"{len(frames)} frame", "two frames or more: flow needs a pair")
    if min(frames.shape[1:3]) < MIN_SIDE:
        found = f"frames of {frames.shape[2]} x {frames.shape[1]} pixels"
        raise DataError("clip", found, f"{MIN_SIDE} or more on each side: flow needs them")
    index = equally_spaced(len(frames), count)
    coded = encode(_shrink(flow_sequence(frames, flow, camera)))
    tensors = {"frames": frames[index], "index": index, "flow": coded}
    if masks is not None:
        tensors["masks"] = masks[index]
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in tensors.items()}


def _shrink(flow: np.ndarray) -> np.ndarray:
    height, width = flow.shape[1:3]
    if height <= FLOW_HEIGHT:
        return flow
    size = (round(width * FLOW_HEIGHT / height), FLOW_HEIGHT)
    return np.stack([cv2.resize(field, size, interpolation=cv2.INTER_AREA) for field in flow])


@dataclass
class Made:
    """A clip on its way through the steps: its fingerprint, and tensors by name."""

    clip_print: str
    tensors: dict[str, Tensor]


@dataclass(frozen=True)
class InputSteps:
    """The steps from a clip on disk to its inputs: decode it once, then compute the flow."""

    dataset: ClipDataset
    store: InputStore

    def decode(self, clip: Clip, _: None) -> Made:
        """All frames and, in a data set with silhouettes, masks of the clip."""
        found = fingerprint(clip.path)  # before the clip is read: a later change is then seen
        frames = self.dataset.frames(clip)
        tensors = {"frames": torch.from_numpy(frames)}
        if has_masks(self.store):
            tensors["masks"] = torch.from_numpy(self.dataset.silhouettes(clip, frames))
        return Made(found, tensors)

    def compute(self, clip: Clip, made: Made) -> Made:
        """The clip's inputs, see `InputStore`."""
        store, frames, masks = self.store, made.tensors["frames"], made.tensors.get("masks")
        known = None if masks is None else masks.numpy()
        tensors = clip_inputs(frames.numpy(), known, store.frames, store.flow, store.camera)
        return Made(made.clip_print, tensors)

    def keep(self, clip: Clip, made: Made) -> None:
        """Store the inputs."""
        self.store.write(clip, made.tensors, made.clip_print)


def fill_inputs(
    store: InputStore, dataset: ClipDataset, clips: list[Clip], workers: int = 2
) -> None:
    """Make what the store lacks, several clips at a time.

    A damaged clip does not stop the others; at the end all damaged ones are reported together or
    left out of the data set, and a second call, once they are mended, makes only them.
    Raises DataError (damaged clips), StoreError (disk).
    """
    todo = store.missing(clips)
    if not todo:
        return
    clear_parts(store.folder)
    steps = InputSteps(dataset, store)
    order: list[Step] = [steps.decode, steps.compute, steps.keep]
    here = 0 if store.flow.forks else 2  # the last ones, that no process of its own can do
    cut = len(order) - here
    over_clips(todo, order[:cut], order[cut:], workers, "frames and flow", dataset)
